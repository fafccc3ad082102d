"""The newest checkpoint in a small file of its own, out of reach of whoever replaces the ledger.

It is replaced after every commit, once that is durable, and before anything is acknowledged: an
older ledger put in the newer one's place is noticed at the next start, even one commit older. Only
a power cut may take the copy back by one, which refuses no ledger that is whole.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from wattest.ledger.checkpoint import CheckpointVerifier
from wattest.witness.files import make_folder, read_small, write_durably

_NOTE_BYTES_MAX = 65_536


class FileCopy:
    """A checkpoint file. Implements ``wattest.ledger.kept_checkpoint.CheckpointCopy``.

    Args:
        folder: of all such files; made with the first.
        verifier: the ledger's key: two ledgers of one name have two files.
    """

    def __init__(self, folder: Path, verifier: CheckpointVerifier) -> None:
        digest = hashlib.sha256(verifier.to_text().encode()).hexdigest()
        self._path = folder / f"{digest[:32]}.note"

    def of(self, verifier: CheckpointVerifier) -> FileCopy:
        """Return the copy for the key that signs the ledger from now on."""
        return FileCopy(self._path.parent, verifier)

    @property
    def where(self) -> str:
        """The file."""
        return str(self._path)

    def read(self) -> bytes | None:
        """Return the note, None before the first.

        Raises:
            StoreError: it cannot be read.
        """
        return read_small(self._path, _NOTE_BYTES_MAX)

    def write(self, note: bytes) -> None:
        """Replace the note whole; after a power cut there is this one or the one before.

        Raises:
            StoreError: it cannot be written; the old one is still there.
        """
        make_folder(self._path.parent)
        write_durably(self._path, note, or_the_old=True)
