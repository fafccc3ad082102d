"""A port that is read through its recorder: what it says is in the log, what it takes goes there.

To a caller it is a `Port` like any other: lent or lost, it is gone; opened again, it is there.
"""

from __future__ import annotations

import base64
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from wattest.errors import ConfigError, LinkClosed, LinkError
from wattest.link import Port, open_port
from wattest.operations.console.chunk import ChunkKind
from wattest.operations.console.log_file import LogReader, Position
from wattest.operations.console.places import Announcement, connect, find_recorder
from wattest.operations.console.talk import Talk

ANSWER_S: Final = 5.0
_SLICE_S: Final = 0.1
_GONE: Final = {"lost", "lent", "stopped"}


def open_or_attach(address: str, *, keep_input: bool = False) -> Port:
    """Open a port, or read it through the recorder that has it open.

    Args:
        address: what `wattest.link.open_port` takes.
        keep_input: of a port that is opened, also read what arrived before.

    Raises:
        LinkError: it cannot be opened, or the recorder does not have it at present.
    """
    found = find_recorder(address)
    if found is None:
        return open_port(address, keep_input=keep_input)
    announcement, talk = found
    return _attached(announcement, talk, address, await_port=False)


def attach(announcement: Announcement, address: str, *, await_port: bool = False) -> Port:
    """Read a port through its recorder, from now on.

    Args:
        announcement: of the recorder.
        address: of the port, for messages.
        await_port: the recorder need not have the port yet.

    Raises:
        LinkError: the recorder is gone, or does not have the port at present.
    """
    talk = connect(announcement)
    if talk is None:
        raise LinkClosed(f"{address}: its recorder, process {announcement.pid}, is gone")
    return _attached(announcement, talk, address, await_port=await_port)


def _attached(announcement: Announcement, talk: Talk, address: str, *, await_port: bool) -> Port:
    with ExitStack() as stack:
        stack.enter_context(talk)
        answer = talk.ask(ANSWER_S, do="watch")
        if answer["state"] != "open" and not await_port:
            raise LinkError(
                f"{address}: its recorder, process {announcement.pid}, does not have it: "
                f"{answer['why']}"
            )
        speech = connect(announcement)
        if speech is None:
            raise LinkClosed(f"{address}: its recorder, process {announcement.pid}, is gone")
        at = Position(segment=answer["at"][0], offset=answer["at"][1])
        log = LogReader(Path(announcement.log), at)
        line = RecorderLine(log, talk, speech, await_port=await_port)
        stack.pop_all()
    return Port(address, line)


class RecorderLine:
    """What `Port` needs of a line, over a recorder.

    Args:
        log: from where to read on.
        talk: told when the log grows.
        speech: a conversation of its own, because reading and writing happen in two threads.
        await_port: the recorder need not have the port yet.
    """

    def __init__(
        self, log: LogReader, talk: Talk, speech: Talk, *, await_port: bool = False
    ) -> None:
        self._log = log
        self._talk = talk
        self._speech = speech
        self._awaits = await_port
        self._held: deque[bytes | OSError] = deque()

    @property
    def in_waiting(self) -> int:
        """Bytes that `read` returns without waiting."""
        self._fill(0.0)
        first = self._held[0] if self._held else b""
        return len(first) if isinstance(first, bytes) else 0

    def read(self, size: int = 1, /) -> bytes:
        """Return up to ``size`` bytes; none if nothing comes within a tenth of a second.

        Raises:
            OSError: the recorder does not have the port any more.
        """
        self._fill(_SLICE_S)
        if not self._held:
            return b""
        first = self._held.popleft()
        if isinstance(first, OSError):
            raise first
        if len(first) > size:
            self._held.appendleft(first[size:])
        return first[:size]

    def write(self, data: bytes, /) -> int:
        """Give bytes to the recorder for the board.

        Raises:
            OSError: it does not have the port, or is gone.
        """
        try:
            answer = self._speech.ask(
                ANSWER_S, do="send", data=base64.b64encode(data).decode("ascii")
            )
        except LinkError as exc:
            raise OSError(str(exc)) from exc
        if "refused" in answer:
            raise OSError(answer["refused"])
        return len(data)

    def close(self) -> None:
        """Hang up; the recorder goes on."""
        self._talk.close()
        self._speech.close()

    def _fill(self, timeout_s: float) -> None:
        """Read on in the log when nothing is held, waiting for it to grow."""
        if self._held:
            return
        self._take()
        if self._held or timeout_s <= 0:
            return
        try:
            self._talk.receive(timeout_s)
        except LinkError as exc:
            self._take()
            self._held.append(OSError(str(exc)))
            return
        self._take()

    def _take(self) -> None:
        try:
            chunks = self._log.read()
        except ConfigError as exc:
            raise OSError(str(exc)) from exc
        for chunk in chunks:
            if chunk.kind is ChunkKind.RECEIVED:
                self._held.append(chunk.data)
                continue
            event = chunk.note.get("event")
            if event == "stopped" or (event in _GONE and not self._awaits):
                self._held.append(OSError(str(chunk.note.get("why", "the port is gone"))))
            elif event == "opened":
                self._awaits = False
