r"""MicroPython's raw REPL over an open port: a running node is interrupted, asked, and let go on.

    with interrupted(port) as repl:
        said = repl.run("import machine\nprint(machine.unique_id().hex())")

Code travels in raw-paste mode, which has a window of its own, so nothing is lost however small the
board's buffer is. It is typed into the port and nowhere else: what is secret in it stands in no
list of processes. At the end, however it comes, the board is restarted as by Ctrl-D.

Source: MicroPython documentation, "The MicroPython Interactive Interpreter Mode", raw mode and
raw-paste mode.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from wattest.errors import LinkError, LinkTimeout
from wattest.link.port import Port

_INTERRUPT: Final = b"\r\x03\x03"
_ENTER_RAW: Final = b"\r\x01"
_LEAVE_RAW: Final = b"\r\x02"
_RESTART: Final = b"\x04"
_END: Final = b"\x04"
_WINDOW_MORE: Final = 0x01
_ENTER_PASTE: Final = b"\x05A\x01"
_PASTE_READY: Final = b"R\x01"
_BANNER: Final = b"raw REPL; CTRL-B to exit\r\n>"
_ANSWER_S: Final = 3.0
_ATTEMPTS: Final = 4
_RUN_S: Final = 15.0
_READ_BYTES: Final = 1024
_KEPT_BYTES: Final = 1 << 16
_SAID_CHARS: Final = 120


class ReplError(LinkError):
    """What was run on the board ended in an exception there."""

    code = "repl"


class Repl:
    """The raw prompt of a board that was interrupted.

    Args:
        port: open, and read by nobody else.
    """

    def __init__(self, port: Port) -> None:
        self._port = port
        self._pending = b""

    def enter(self) -> None:
        """Interrupt what runs and reach the raw prompt.

        Raises:
            LinkTimeout: no MicroPython answers there.
            LinkClosed: the port vanished.
        """
        heard = b""
        for _ in range(_ATTEMPTS):
            self._port.write(_INTERRUPT + _ENTER_RAW)
            found, said = self._skip_past(_BANNER, _ANSWER_S)
            heard += said
            if found:
                return
        raise LinkTimeout(
            f"{self._port.address}: expected the prompt of MicroPython ({_last_line(heard)})",
            deadline_s=_ATTEMPTS * _ANSWER_S,
            received_bytes=len(heard),
            hint="put MicroPython and the firmware on it with `wattest flash`",
        )

    def run(self, code: str, *, timeout_s: float = _RUN_S) -> str:
        """Run code on the board.

        Args:
            code: MicroPython.
            timeout_s: how long it may take.

        Returns:
            What it printed, with LF at the end of lines.

        Raises:
            ReplError: it raised; the message is the last line of the traceback.
            LinkTimeout: it did not end in time.
            LinkClosed: the port vanished.
        """
        deadline_s = time.monotonic() + timeout_s
        self._paste(code.encode(), deadline_s)
        said = self._until(_END, deadline_s)
        raised = self._until(_END, deadline_s)
        self._until(b">", deadline_s)
        if raised.strip():
            last = raised.decode("utf-8", "replace").strip().splitlines()[-1]
            raise ReplError(f"{self._port.address}: on the board: {last}")
        return said.decode("utf-8", "replace").replace("\r\n", "\n")

    def restart(self) -> None:
        """Leave the prompt and restart the board's program; registers in RTC memory stay."""
        self._port.write(_INTERRUPT + _LEAVE_RAW + _RESTART)

    def _paste(self, code: bytes, deadline_s: float) -> None:
        """Send code as fast as the board's window lets it."""
        self._port.write(_ENTER_PASTE)
        answer = self._take(len(_PASTE_READY), deadline_s)
        if answer != _PASTE_READY:
            raise ReplError(
                f"{self._port.address}: expected raw-paste mode, got {answer!r}",
                hint="the board needs MicroPython 1.24 or later",
            )
        window = room = int.from_bytes(self._take(2, deadline_s), "little")
        while code:
            while room == 0 or self._pending:
                byte = self._take(1, deadline_s)[0]
                if byte != _WINDOW_MORE:
                    raise ReplError(f"{self._port.address}: the board stopped reading the code")
                room += window
            part, code = code[:room], code[room:]
            self._port.write(part)
            room -= len(part)
        self._port.write(_END)
        self._until(_END, deadline_s)

    def _take(self, size: int, deadline_s: float) -> bytes:
        while len(self._pending) < size:
            self._pending += self._read(deadline_s)
        taken, self._pending = self._pending[:size], self._pending[size:]
        return taken

    def _until(self, mark: bytes, deadline_s: float) -> bytes:
        """Return what comes before a mark, and drop the mark."""
        while mark not in self._pending:
            self._pending += self._read(deadline_s)
        before, _, self._pending = self._pending.partition(mark)
        return before

    def _read(self, deadline_s: float) -> bytes:
        data = self._port.read(_READ_BYTES, deadline_s)
        if not data:
            raise LinkTimeout(
                f"{self._port.address}: expected an answer of MicroPython",
                deadline_s=_RUN_S,
                received_bytes=len(self._pending),
            )
        return data

    def _skip_past(self, mark: bytes, timeout_s: float) -> tuple[bool, bytes]:
        """Drop everything up to a mark; tell whether it came, and the end of what was dropped."""
        deadline_s = time.monotonic() + timeout_s
        seen = b""
        while mark not in seen:
            data = self._port.read(_READ_BYTES, deadline_s)
            if not data or time.monotonic() > deadline_s:
                return False, seen
            seen = (seen + data)[-_KEPT_BYTES:]
        before, _, self._pending = seen.partition(mark)
        return True, before


def _last_line(said: bytes) -> str:
    """Quote the last line of text that a board printed."""
    lines = [line.strip() for line in said.decode("ascii", "replace").splitlines()]
    told = [line for line in lines if line.isprintable() and line.strip("> ")]
    return f"it printed: {told[-1][:_SAID_CHARS]}" if told else "it printed nothing"


@contextmanager
def interrupted(port: Port) -> Iterator[Repl]:
    """Hold a board at its raw prompt; restart its program at the end, whatever happens.

    Args:
        port: open, and read by nobody else.

    Raises:
        LinkTimeout: no MicroPython answers there.
        LinkClosed: the port vanished.
    """
    repl = Repl(port)
    try:
        repl.enter()
        yield repl
    except BaseException:
        with suppress(LinkError):  # the first error is the one to tell
            repl.restart()
        raise
    repl.restart()
