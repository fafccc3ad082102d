"""A ledger must go on from every checkpoint of it that was kept elsewhere.

A ledger file alone cannot know that it was cut short, or that an older copy was put in its place.
A note kept outside of it knows: in run.json, in a file far from the ledger, with a witness.
"""

from __future__ import annotations

from typing import Protocol

from wattest.errors import ForkFound, ProofInvalid
from wattest.ledger.checkpoint import CheckpointVerifier
from wattest.ledger.view import LedgerView
from wattest.wire.note import Checkpoint


class CheckpointCopy(Protocol):
    """Where the newest checkpoint is kept outside of the ledger."""

    @property
    def where(self) -> str:
        """Its place, for messages."""

    def read(self) -> bytes | None:
        """Return the note, None before the first; raises StoreError."""

    def write(self, note: bytes) -> None:
        """Replace the note whole; raises StoreError."""

    def of(self, verifier: CheckpointVerifier) -> CheckpointCopy:
        """Return the copy for the key that signs the ledger from now on."""


def check_kept(view: LedgerView, note: bytes, *, where: str) -> Checkpoint:
    """Check that a ledger goes on from a checkpoint that was kept outside of it.

    Args:
        view: the ledger.
        note: the kept note, signed by its key or by one that stepped down.
        where: its place, for messages.

    Returns:
        What the note says.

    Raises:
        NoteError: the note is damaged.
        SignatureInvalid: it is not signed by a key of the ledger.
        ForkFound: the ledger was cut short, replaced by an older copy, or rewritten.
    """
    kept = view.keys().open(note)
    newest = view.checkpoint()
    shown = newest.note if newest else b""
    if kept.size > view.size:
        raise ForkFound(
            f"the ledger has {view.size} entries, but the checkpoint kept in {where} covers "
            f"{kept.size}: it was cut short, or an older copy was put in its place",
            known=note,
            shown=shown,
            hint="bring the newest ledger file back; if it is lost, begin a new ledger in another "
            "folder: this one cannot be gone on with",
        )
    try:
        view.prove_consistency(kept.size).verify(kept.root, view.root())
    except ProofInvalid as error:
        raise ForkFound(
            f"the ledger does not go on from the checkpoint of size {kept.size} kept in {where}: "
            f"it was rewritten ({error})",
            known=note,
            shown=shown,
            hint="bring the ledger file back that belongs to it",
        ) from error
    return kept
