"""Cosignatures: a witness's word that a checkpoint extends every one it saw before.

    — witness.example/roof jWbPPwAAAABk...      base64(key id | u64 time in s | Ed25519 signature)

over

    cosignature/v1
    time 1679315147
    wattest/demo                                the text of the checkpoint's note
    1440
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

A log with one witness of the other party's cannot show two histories to two people. Which
witnesses count, and how many of them, is a :class:`WitnessPolicy` in the terms.

Source: c2sp.org/tlog-cosignature.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from wattest.errors import NoteError, SignatureInvalid
from wattest.wire.note import (
    COSIGNATURE_TYPE,
    PUBLIC_KEY_BYTES,
    NoteSignature,
    ed25519_key_id,
    is_key_name,
    parse_note,
    parse_signatures,
    parse_verifier_key,
    verifier_key_text,
)

SEED_BYTES = 32
TIME_S_MAX = 2**63 - 1
WITNESSES_MAX = 32

_TIME_BYTES = 8
_SIGNATURE_BYTES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosignature:
    """A verified cosignature.

    Attributes:
        witness: name of the key.
        time_s: the witness's clock when it signed, s since 1970.
        line: as a note carries it, with its newline.
    """

    witness: str
    time_s: int
    line: str


class WitnessKey:
    """A witness's public key: its name, and what checks its cosignatures.

    Args:
        name: key name, by custom a host name and path without scheme.
        public_key: Ed25519, 32 bytes.

    Raises:
        ValueError: the name cannot name a key, or the key has a wrong length.
    """

    def __init__(self, name: str, public_key: bytes) -> None:
        if not is_key_name(name):
            raise ValueError(f"expected a name without space or plus, got {name!r}")
        if len(public_key) != PUBLIC_KEY_BYTES:
            raise ValueError(f"expected a key of {PUBLIC_KEY_BYTES} bytes, got {len(public_key)}")
        self.name = name
        self.public_key = public_key
        self.key_id = ed25519_key_id(name, public_key, COSIGNATURE_TYPE)
        self._key = Ed25519PublicKey.from_public_bytes(public_key)

    @classmethod
    def from_text(cls, text: str) -> WitnessKey:
        """Read ``name+key id in hex+base64(04 | key)``.

        Raises:
            NoteError: the line is malformed, is no witness's key, or its key id is wrong.
        """
        return cls(*parse_verifier_key(text, COSIGNATURE_TYPE))

    def to_text(self) -> str:
        """Return the key as one line; :meth:`from_text` reads it."""
        return verifier_key_text(self.name, self.public_key, COSIGNATURE_TYPE)

    def __eq__(self, other: object) -> bool:
        """Two keys are the same if name and key are."""
        return isinstance(other, WitnessKey) and self.to_text() == other.to_text()

    def __hash__(self) -> int:
        """Equal keys have one hash."""
        return hash((self.name, self.public_key))

    def __repr__(self) -> str:
        """Show the key as its line."""
        return f"WitnessKey({self.to_text()!r})"

    def owns(self, line: NoteSignature) -> bool:
        """Tell whether a signature line claims to be of this key."""
        return line.name == self.name and line.key_id == self.key_id

    def verify(self, text: str, line: NoteSignature) -> Cosignature:
        """Check a cosignature line of this key.

        Args:
            text: the text of the checkpoint's note, with its final newline.
            line: a line that :meth:`owns` holds for.

        Raises:
            SignatureInvalid: it is not of this key, or not over this text.
        """
        where = f"cosignature of {self.name}"
        if not self.owns(line):
            raise SignatureInvalid(
                f"{where}: expected key {self.key_id.hex()}, got {line.name} {line.key_id.hex()}"
            )
        size = _TIME_BYTES + _SIGNATURE_BYTES
        if len(line.signature) != size:
            raise SignatureInvalid(f"{where}: expected {size} bytes, got {len(line.signature)}")
        time_s = int.from_bytes(line.signature[:_TIME_BYTES], "big")
        if time_s > TIME_S_MAX:
            raise SignatureInvalid(f"{where}: expected a time below 2**63 s, got {time_s}")
        try:
            self._key.verify(line.signature[_TIME_BYTES:], signed_message(text, time_s))
        except InvalidSignature as exc:
            raise SignatureInvalid(f"{where} does not match the checkpoint") from exc
        return Cosignature(witness=self.name, time_s=time_s, line=line.to_line())


class Cosigner:
    """Signs as a witness. It does not remember: the witness checks consistency first.

    Args:
        name: key name.
        seed: Ed25519 private key, 32 bytes.

    Raises:
        ValueError: the name cannot name a key, or the seed has a wrong length.
    """

    def __init__(self, name: str, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise ValueError(f"expected a seed of {SEED_BYTES} bytes, got {len(seed)}")
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.key = WitnessKey(name, self._key.public_key().public_bytes_raw())

    def sign(self, text: str, time_s: int) -> Cosignature:
        """Cosign the text of a checkpoint's note.

        Args:
            text: with its final newline.
            time_s: the witness's clock, s since 1970, 0 <= time_s < 2**63.
        """
        if not 0 <= time_s <= TIME_S_MAX:
            raise ValueError(f"expected a time of 0 to 2**63 - 1 s, got {time_s}")
        signature = self._key.sign(signed_message(text, time_s))
        line = NoteSignature(
            name=self.key.name,
            key_id=self.key.key_id,
            signature=time_s.to_bytes(_TIME_BYTES, "big") + signature,
        )
        return Cosignature(witness=self.key.name, time_s=time_s, line=line.to_line())


class WitnessPolicy:
    """How many of which witnesses must have cosigned a checkpoint.

    Args:
        threshold: 0 <= threshold <= len(keys); 0 asks for none.
        keys: the witnesses; no two with one name or one public key.

    Raises:
        ValueError: the threshold cannot be met, or somebody would count twice.
    """

    def __init__(self, threshold: int, keys: Sequence[WitnessKey]) -> None:
        if len(keys) > WITNESSES_MAX:
            raise ValueError(f"expected at most {WITNESSES_MAX} witnesses, got {len(keys)}")
        if not 0 <= threshold <= len(keys):
            raise ValueError(
                f"expected a threshold of 0 to {len(keys)}, the number of witnesses, "
                f"got {threshold}"
            )
        names: set[str] = set()
        owners: dict[bytes, str] = {}
        for key in keys:
            if key.name in names:
                raise ValueError(f"witness {key.name} is listed twice")
            other = owners.setdefault(key.public_key, key.name)
            if other != key.name:
                raise ValueError(f"witnesses {other} and {key.name} have one public key")
            names.add(key.name)
        self.threshold = threshold
        self.keys = tuple(keys)

    @classmethod
    def from_texts(cls, threshold: int, texts: Iterable[str]) -> WitnessPolicy:
        """Build a policy from keys as one line each.

        Raises:
            NoteError: a line is no witness's key.
            ValueError: the threshold cannot be met, or somebody would count twice.
        """
        return cls(threshold, [WitnessKey.from_text(text) for text in texts])

    def cosignatures(self, text: str, lines: Iterable[NoteSignature]) -> list[Cosignature]:
        """Return the newest cosignature of each of our witnesses; strangers' are passed over.

        Args:
            text: the text of the checkpoint's note, with its final newline.
            lines: signature lines, of anybody.

        Returns:
            In the order of :attr:`keys`.

        Raises:
            SignatureInvalid: a line claims to be of one of our witnesses and is not.
        """
        given = tuple(lines)
        found = []
        for key in self.keys:
            theirs = [key.verify(text, line) for line in given if key.owns(line)]
            if theirs:
                found.append(max(theirs, key=lambda each: each.time_s))
        return found

    def verify(self, note: bytes, more: Iterable[bytes] = ()) -> list[Cosignature]:
        """Check that enough of our witnesses have cosigned a checkpoint.

        Whether the log signed it is for :meth:`CheckpointVerifier.open` to say.

        Args:
            note: the signed checkpoint, with or without cosignature lines.
            more: further cosignature lines, with or without their newline.

        Returns:
            The newest cosignature of each witness that gave one.

        Raises:
            NoteError: the note or a line is malformed.
            SignatureInvalid: too few cosigned, or a line of one of them does not match.
        """
        parsed = parse_note(note)
        lines = [*parsed.signatures]
        lines += [parse_cosignature(line) for line in more]
        found = self.cosignatures(parsed.text, lines)
        if len(found) < self.threshold:
            gave = {each.witness for each in found}
            missing = ", ".join(key.name for key in self.keys if key.name not in gave)
            raise SignatureInvalid(
                f"checkpoint: expected cosignatures of {self.threshold} of {len(self.keys)} "
                f"witnesses, got {len(found)}: none of {missing}"
            )
        return found


def signed_message(text: str, time_s: int) -> bytes:
    """Return the bytes a witness signs.

    Args:
        text: the text of the checkpoint's note, with its final newline.
        time_s: s since 1970.
    """
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()


def parse_cosignature(line: bytes) -> NoteSignature:
    """Read one cosignature line.

    Args:
        line: with or without its newline.

    Raises:
        NoteError: it is not exactly one signature line of a cosignature's length.
    """
    lines = parse_signatures(line.removesuffix(b"\n") + b"\n")
    if len(lines) != 1:
        raise NoteError("signature", 0, f"expected one line, got {len(lines)}")
    if len(lines[0].signature) != _TIME_BYTES + _SIGNATURE_BYTES:
        raise NoteError("signature", 0, "expected time and Ed25519 signature, 72 bytes")
    return lines[0]
