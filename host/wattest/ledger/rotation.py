"""A ledger whose signing key changed: the newest key vouches for the ones before it.

The old key names its successor in an entry, and the checkpoint that covers this entry is signed by
both. So whoever trusts the newest key can walk back to the first: each step is an entry under a
checkpoint that the newest key signed, with a signature of the key that stepped down.

Source: docs/formats.md section 4.2.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from wattest.errors import DecodeError, SignatureInvalid, WattestError
from wattest.ledger.checkpoint import CheckpointSigner, CheckpointVerifier, SignedCheckpoint
from wattest.ledger.entry import Entry, EntryKind, NewEntry
from wattest.ledger.store import LedgerReader
from wattest.wire.act import is_act
from wattest.wire.entries import LogRotation, parse_log_rotation, rotation_text
from wattest.wire.note import Checkpoint, SignedNote, parse_checkpoint, parse_note


def rotation_entry(old: CheckpointSigner, new: CheckpointVerifier) -> NewEntry:
    """Make the entry in which a ledger's key names its successor.

    Raises:
        ValueError: the successor is the same key, or of another ledger.
    """
    before, after = old.verifier.to_text(), new.to_text()
    if new.origin != old.origin or before == after:
        raise ValueError(f"expected another key of {old.origin}, got {after}")
    signature = old.sign_text(rotation_text(before, after))
    body = LogRotation(old=before, new=after, signature=signature).to_cbor()
    return NewEntry(kind=EntryKind.ROTATION, body=body)


def signed_by_both(first: SignedCheckpoint, second: SignedCheckpoint) -> SignedCheckpoint:
    """Put the signatures of two keys under one checkpoint."""
    lines = parse_note(first.note).signatures + parse_note(second.note).signatures
    note = SignedNote(text=parse_note(first.note).text, signatures=lines).encode()
    return SignedCheckpoint(checkpoint=first.checkpoint, note=note)


class KeySuccession(CheckpointVerifier):
    """Opens checkpoints of a ledger whose key changed, each with the key of its time.

    Args:
        newest: the key that is trusted.
        rotations: the rotation entries of the ledger, in order; those that do not lead to the
            newest key are passed over.
    """

    def __init__(self, newest: CheckpointVerifier, rotations: Iterable[Entry]) -> None:
        super().__init__(newest.origin, newest.public_key)
        self._newest = newest
        self._before: list[tuple[int, CheckpointVerifier]] = []
        """``(size of the last checkpoint it signed, key)``, newest first."""
        key = newest
        for entry in reversed(list(rotations)):
            predecessor = _predecessor(key, entry.body)
            if predecessor is not None:
                key = predecessor
                self._before.append((entry.index + 1, key))

    def open(self, note: bytes) -> Checkpoint:
        """Verify a checkpoint note as :meth:`CheckpointVerifier.open` does."""
        size = parse_checkpoint(parse_note(note).text).size
        key = self._newest
        for last_size, before in self._before:
            if size > last_size:
                break
            if size == last_size:  # covers the naming of the successor: both have signed it
                key.open(note)
            key = before
        return key.open(note)


def keys_of(reader: LedgerReader, newest: CheckpointVerifier) -> CheckpointVerifier:
    """Return what opens every checkpoint of a ledger: its key, or that with its predecessors.

    Args:
        reader: the ledger.
        newest: the key that is trusted.

    Raises:
        StoreError: the ledger cannot be read.
    """
    for row in islice(reader.checkpoints(), 1):
        try:
            newest.open(row.note)
        except WattestError:
            return KeySuccession(newest, _rotations(reader))
    return newest


def _rotations(reader: LedgerReader) -> list[Entry]:
    return [entry for entry in reader.entries() if is_log_rotation(entry)]


def is_log_rotation(entry: Entry) -> bool:
    """Tell whether an entry is a rotation of the ledger's own key, not of a party's."""
    return entry.kind == EntryKind.ROTATION and not is_act(entry.body)


def _predecessor(key: CheckpointVerifier, body: bytes) -> CheckpointVerifier | None:
    """Return the key that named ``key`` its successor in a rotation entry."""
    try:
        return check_rotation(body, new=key)
    except (DecodeError, SignatureInvalid):
        return None


def check_rotation(body: bytes, *, new: CheckpointVerifier | None = None) -> CheckpointVerifier:
    """Check a rotation entry; return the key that steps down.

    Args:
        body: of the entry.
        new: the key it must name as successor, or None.

    Raises:
        RecordError: not the form of a rotation.
        NoteError: a key in it is none.
        SignatureInvalid: the old key did not sign it, or it names another successor or ledger.
    """
    rotation = parse_log_rotation(body)
    old = CheckpointVerifier.from_text(rotation.old)
    named = CheckpointVerifier.from_text(rotation.new)
    if named.origin != old.origin or rotation.old == rotation.new:
        raise SignatureInvalid(f"rotation: another key of {old.origin} expected")
    if new is not None and rotation.new != new.to_text():
        raise SignatureInvalid(f"rotation: {new.to_text()} expected as successor")
    try:
        Ed25519PublicKey.from_public_bytes(old.public_key).verify(
            rotation.signature, rotation.to_be_signed()
        )
    except InvalidSignature as exc:
        raise SignatureInvalid(f"rotation: not signed by {rotation.old}") from exc
    return old
