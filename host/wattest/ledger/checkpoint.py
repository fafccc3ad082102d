"""Checkpoints: tree heads signed by the ledger's Ed25519 key, as C2SP notes.

The key's name is the origin. A verifier is written as one line, ``name+key id+key`` (the vkey of
Go's note package), so that any transparency-log client can check our checkpoints.

Source: c2sp.org/signed-note, c2sp.org/tlog-checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from wattest.errors import CheckpointInconsistent, SignatureInvalid
from wattest.wire.note import (
    ED25519_TYPE,
    PUBLIC_KEY_BYTES,
    Checkpoint,
    NoteSignature,
    SignedNote,
    ed25519_key_id,
    is_key_name,
    parse_checkpoint,
    parse_note,
    parse_verifier_key,
    verifier_key_text,
)

SEED_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCheckpoint:
    """A checkpoint with the note that carries its signature.

    Attributes:
        checkpoint: what is signed.
        note: the whole note, UTF-8.
    """

    checkpoint: Checkpoint
    note: bytes


class CheckpointVerifier:
    """Opens checkpoint notes of one ledger.

    Args:
        origin: the ledger's identity and key name.
        public_key: Ed25519, 32 bytes.

    Raises:
        ValueError: the origin cannot name a key, or the key has a wrong length.
    """

    def __init__(self, origin: str, public_key: bytes) -> None:
        if not is_key_name(origin):
            raise ValueError(f"expected an origin without space or plus, got {origin!r}")
        if len(public_key) != PUBLIC_KEY_BYTES:
            raise ValueError(f"expected a key of 32 bytes, got {len(public_key)}")
        self.origin = origin
        self.public_key = public_key
        self.key_id = ed25519_key_id(origin, public_key)
        self._key = Ed25519PublicKey.from_public_bytes(public_key)

    @classmethod
    def from_text(cls, text: str) -> CheckpointVerifier:
        """Read ``name+key id in hex+base64(01 | key)``.

        Raises:
            NoteError: the line is malformed or its key id is not that of the key.
        """
        return cls(*parse_verifier_key(text, ED25519_TYPE))

    def to_text(self) -> str:
        """Return the verifier key as one line; :meth:`from_text` reads it."""
        return verifier_key_text(self.origin, self.public_key, ED25519_TYPE)

    def open(self, note: bytes) -> Checkpoint:
        """Verify a checkpoint note and return what it states.

        Steps: 1 the note parses; 2 each line with our name and key id verifies, and there is one;
        3 the text is a checkpoint; 4 of our origin.

        Raises:
            NoteError: not a signed note, or not a checkpoint.
            SignatureInvalid: not signed by this key, or the signature does not match.
            CheckpointInconsistent: signed, but for another ledger.
        """
        parsed = parse_note(note)
        ours = [
            line.signature
            for line in parsed.signatures
            if line.name == self.origin and line.key_id == self.key_id
        ]
        if not ours:
            raise SignatureInvalid(
                f"checkpoint: expected a signature of {self.origin} {self.key_id.hex()}, got none"
            )
        for signature in ours:
            try:
                self._key.verify(signature, parsed.text.encode())
            except InvalidSignature as exc:
                raise SignatureInvalid(
                    f"checkpoint: signature of {self.origin} does not match the note"
                ) from exc
        checkpoint = parse_checkpoint(parsed.text)
        if checkpoint.origin != self.origin:
            raise CheckpointInconsistent(
                f"checkpoint: expected origin {self.origin}, got {checkpoint.origin!r}"
            )
        return checkpoint


class CheckpointSigner:
    """Signs tree heads of one ledger. It does not remember: the ledger checks consistency first.

    Args:
        origin: the ledger's identity and key name.
        seed: Ed25519 private key, 32 bytes.

    Raises:
        ValueError: the origin cannot name a key, or the seed has a wrong length.
    """

    def __init__(self, origin: str, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise ValueError(f"expected a seed of {SEED_BYTES} bytes, got {len(seed)}")
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier = CheckpointVerifier(origin, self._key.public_key().public_bytes_raw())

    @property
    def origin(self) -> str:
        """Identity of the ledger."""
        return self.verifier.origin

    def sign_text(self, text: bytes) -> bytes:
        """Sign what is no checkpoint, such as the naming of a successor; 64 bytes."""
        return self._key.sign(text)

    def sign(self, size: int, root: bytes) -> SignedCheckpoint:
        """Sign a tree head.

        Args:
            size: number of entries.
            root: 32 bytes.
        """
        checkpoint = Checkpoint(origin=self.origin, size=size, root=root)
        text = checkpoint.to_text()
        line = NoteSignature(
            name=self.origin,
            key_id=self.verifier.key_id,
            signature=self._key.sign(text.encode()),
        )
        note = SignedNote(text=text, signatures=(line,)).encode()
        return SignedCheckpoint(checkpoint=checkpoint, note=note)
