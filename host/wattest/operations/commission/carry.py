"""A board's journal, read out before its file system is written anew, and kept until it is.

What was read is kept as a file until the new file system is on the board: whoever pulls the cable
half way finds it there at the next attempt.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wattest.boards import Board
from wattest.errors import StoreError
from wattest.flashing.esptool import Esptool
from wattest.flashing.filesystem import BLOCK_BYTES, read_folder
from wattest.flashing.image import JOURNAL_FOLDER
from wattest.flashing.journal import JournalHead, goes_further, journal_head
from wattest.operations.commission.flash_events import Moved
from wattest.operations.commission.home import Home
from wattest.operations.private import write_private

_PIECE_BYTES: Final = 64 * 1024
_GAP_PIECES: Final = 2
"""Erased pieces that are rather read along than made a reason for another session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """What is to be carried over.

    Args:
        files: name in the journal's folder -> content; may be empty.
        head: where it ends, or None if it holds no record.
        rescued: it comes from a kept copy.
    """

    files: dict[str, bytes]
    head: JournalHead | None
    rescued: bool


class Rescue:
    """The kept copy of one board's file system.

    Args:
        home: of the bench.
        chip_id: which board.
    """

    def __init__(self, home: Home, chip_id: str) -> None:
        self._home = home
        self.path = home.rescue / f"{chip_id}.img"

    @property
    def exists(self) -> bool:
        """An earlier attempt did not come to its end."""
        return self.path.exists()

    def journal(self) -> dict[str, bytes]:
        """Return the journal in the copy; empty if there is none.

        Raises:
            StoreError: there is a copy, and it cannot be read.
        """
        if not self.exists:
            return {}
        try:
            return read_folder(self.path.read_bytes(), JOURNAL_FOLDER) or {}
        except OSError as exc:
            raise StoreError(f"{self.path}: cannot be read: {exc.strerror}") from exc

    def keep(self, image: bytes) -> None:
        """Keep a file system until `drop`.

        Raises:
            StoreError: it cannot be written.
        """
        self._home.make(self._home.rescue)
        write_private(self.path, image)

    def drop(self) -> None:
        """The board holds everything; the copy is not needed any more."""
        self.path.unlink(missing_ok=True)


def choose(found: bytes | None, rescue: Rescue) -> Journal:
    """Decide which journal goes further, and keep a copy of what was found on the board.

    Args:
        found: the board's file system, or None if there is none.
        rescue: the place of the copy.

    Raises:
        StoreError: the copy cannot be read or written.
    """
    ours = rescue.journal()
    theirs = (read_folder(found, JOURNAL_FOLDER) or {}) if found is not None else {}
    if goes_further(ours, theirs):
        return Journal(files=ours, head=journal_head(ours), rescued=True)
    head = journal_head(theirs)
    if found is not None and head is not None:
        rescue.keep(found)
    return Journal(files=theirs, head=head, rescued=False)


class ReadOut:
    """Reads the file system of a board; iterate once, then take `image`.

    Erased pieces are not transferred: the chip calculates digests itself.

    Args:
        tool: the port.
        board: where its file system is.

    Attributes:
        image: the whole file system, or None if its first piece is erased: then there is none.
    """

    def __init__(self, tool: Esptool, board: Board) -> None:
        self._tool = tool
        self._offset = board.flash.vfs_offset
        self._size = board.flash.vfs_bytes
        self.image: bytes | None = None

    def __iter__(self) -> Iterator[Moved]:
        step = _PIECE_BYTES if self._size % _PIECE_BYTES == 0 else BLOCK_BYTES
        blank = self._tool.blank(self._offset, self._size, step_bytes=step)
        if blank[0]:
            return
        ranges = _ranges(blank)
        total = sum(end - start for start, end in ranges) * step
        image = bytearray(b"\xff" * self._size)
        before = 0
        with tempfile.TemporaryDirectory(prefix="wattest-read-") as folder:
            part = Path(folder) / "part.bin"
            for start, end in ranges:
                at, size = start * step, (end - start) * step
                for moved in self._tool.read(self._offset + at, size, part):
                    yield Moved(done_bytes=before + moved.done_bytes, total_bytes=total)
                image[at : at + size] = part.read_bytes()
                before += size
        self.image = bytes(image)


def _ranges(blank: list[bool]) -> list[tuple[int, int]]:
    """Return the runs of pieces to read as (first, behind the last), joined over small gaps."""
    runs: list[tuple[int, int]] = []
    for index, erased in enumerate(blank):
        if erased:
            continue
        if runs and index - runs[-1][1] <= _GAP_PIECES:
            runs[-1] = (runs[-1][0], index + 1)
        else:
            runs.append((index, index + 1))
    return runs
