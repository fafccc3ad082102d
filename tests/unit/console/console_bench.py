"""A port that a test speaks on, and a recorder of it; nothing here is a board."""

from __future__ import annotations

import os
import pty
import shutil
import tempfile
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wattest.operations.console.chunk import Chunk, ChunkKind
from wattest.operations.console.log_file import read_log, segments
from wattest.operations.console.recorder import Recorder

GIVE_UP_S = 20.0


class Speaker:
    """The board's end of a pseudo terminal."""

    def __init__(self) -> None:
        self.master, self._slave = pty.openpty()
        tty.setraw(self.master)
        tty.setraw(self._slave)
        self.address = os.ttyname(self._slave)

    def say(self, data: bytes) -> None:
        """Say something."""
        while data:
            data = data[os.write(self.master, data) :]

    def hear(self, size: int) -> bytes:
        """Return what was sent, once it is that many bytes."""
        heard = b""
        while len(heard) < size:
            heard += os.read(self.master, size - len(heard))
        return heard

    def close(self) -> None:
        """Vanish."""
        for end in (self.master, self._slave):
            if end >= 0:
                os.close(end)
        self.master = self._slave = -1


@contextmanager
def speaker() -> Iterator[Speaker]:
    """Give a port to speak on."""
    board = Speaker()
    try:
        yield board
    finally:
        board.close()


@contextmanager
def short_runtime(patch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give announcements a folder of their own with a name that is short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="wattest-"))
    patch.setenv("XDG_RUNTIME_DIR", str(folder))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def received(folder: Path) -> bytes:
    """Return every byte of the board that a log holds; none before there is a log."""
    if not segments(folder):
        return b""
    return b"".join(c.data for c in read_log(folder) if c.kind is ChunkKind.RECEIVED)


def events(folder: Path) -> list[str]:
    """Return what happened to the port, in order."""
    return [str(c.note["event"]) for c in read_log(folder) if c.kind is ChunkKind.NOTE]


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait until something that another thread does has been done."""
    until_s = time.monotonic() + GIVE_UP_S
    while not condition():
        assert time.monotonic() < until_s, f"no {what}"
        os.sched_yield()


def wait_for_bytes(folder: Path, expected: bytes) -> None:
    """Wait until a log holds exactly these bytes of the board."""
    wait_until(lambda: len(received(folder)) >= len(expected), f"{len(expected)} bytes in the log")
    assert received(folder) == expected


def chunk(data: bytes, *, ms: int = 0, kind: ChunkKind = ChunkKind.RECEIVED) -> Chunk:
    """Return a chunk that came ``ms`` after the beginning of time."""
    return Chunk(kind=kind, utc_ms=ms, mono_ns=ms * 1_000_000, data=data)


__all__ = [
    "Recorder",
    "Speaker",
    "chunk",
    "events",
    "received",
    "short_runtime",
    "speaker",
    "wait_for_bytes",
    "wait_until",
]
