"""A board's serial port as a pseudo terminal, so that unmodified tools can open it.

A pseudo terminal has no modem lines. What it has is its closing: when the last tool lets go of
it, the board is told. POSIX only; elsewhere a socket is the way in.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import selectors
import sys
from pathlib import Path

from wattest.emulator.fronts.front import ServedBoard
from wattest.emulator.fronts.openings import Opening, Openings
from wattest.errors import EmulatorError

if sys.platform != "win32":
    import pty as _pty
    import tty as _tty

_READ_BYTES = 4096
_UNREAD_BYTES_MAX = 1 << 20  # a flashing stub sends 64 blocks of 4096 bytes ahead of the tool


class PtyFront:
    """One board behind one pseudo terminal.

    What the board sends before a tool opens the terminal waits in the terminal's buffer; once
    that is full, it is lost, as on a UART. The board itself is neither started nor stopped.

    Args:
        board: the board.
        link: a symbolic link to make to the terminal, replacing one that is there; removed by
            :meth:`close`.

    Attributes:
        address: what a tool opens, ``/dev/pts/N`` or the link.

    Raises:
        EmulatorError: this system has no pseudo terminals, or the link cannot be made.
    """

    def __init__(self, board: ServedBoard, *, link: Path | None = None) -> None:
        if sys.platform == "win32":
            raise EmulatorError(
                "this system has no pseudo terminals", hint="use `--link socket` or `rfc2217`"
            )
        try:
            self._master, slave = _pty.openpty()
        except OSError as exc:
            raise EmulatorError(f"no pseudo terminal to be had: {exc.strerror}") from exc
        _tty.setraw(slave)
        os.set_blocking(self._master, False)
        self._board = board
        self._link = link
        self._selector: selectors.BaseSelector | None = None
        self._users = 0
        self._used = False
        self._reading = False
        self._unread = bytearray()
        self.address = os.ttyname(slave)
        try:
            self._make_link()
        except OSError as exc:
            os.close(self._master)
            raise EmulatorError(f"cannot make the link {link}: {exc.strerror}") from exc
        finally:
            # Only while no end of ours keeps it open can the last tool's closing be seen.
            os.close(slave)
        self._openings = self._watch_openings()
        self._unsubscribe = board.on_output(self._send)

    def watch(self, selector: selectors.BaseSelector) -> None:
        """Register what to wait on."""
        self._selector = selector
        self._reading = False
        if self._openings is not None:
            selector.register(self._openings.fileno(), selectors.EVENT_READ, self._look)
        if self._is_open():
            self._listen(True)

    def tick(self) -> None:
        """See whether a tool has opened it, where the system does not tell."""
        if self._openings is None and not self._reading and self._is_open():
            self._used = True
            self._listen(True)
        if self._unread:
            self._flush()

    def close(self) -> None:
        """Take the terminal away; the board goes on."""
        self._unsubscribe()
        if self._link is not None:
            with contextlib.suppress(FileNotFoundError):
                self._link.unlink()
        if self._openings is not None:
            self._openings.close()
        os.close(self._master)

    def _watch_openings(self) -> Openings | None:
        try:
            return Openings(os.path.realpath(self.address))
        except OSError:
            return None

    def _look(self) -> None:
        """See who opened and closed it, give the board what was sent, tell it of a hang-up.

        The kernel tells of an opening before what is written through it can be read, and of a
        closing before the terminal can be seen to be closed.
        """
        happened = self._openings.take() if self._openings is not None else []
        for number, what in enumerate(happened):
            if what is Opening.OPENED:
                self._users += 1
                self._used = True
                continue
            self._users = max(0, self._users - 1)
            # Somebody opened it again before we looked; what can be read now is the new one's.
            if self._users == 0 and Opening.OPENED in happened[number + 1 :]:
                self._hang_up()
        if happened:
            self._listen(True)
        self._receive()

    def _receive(self) -> None:
        while self._reading:
            try:
                data = os.read(self._master, _READ_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as exc:
                if exc.errno != errno.EIO:
                    raise
                data = b""
            if data:
                self._used = True
                self._board.feed(data)
            else:
                self._listen(False)
                self._users = 0
                self._hang_up()

    def _hang_up(self) -> None:
        self._unread.clear()
        if self._used:
            self._used = False
            self._board.hang_up()

    def _listen(self, wanted: bool) -> None:
        """A terminal nobody has open is readable all the time, so it is not waited on then."""
        if wanted == self._reading or self._selector is None:
            return
        self._reading = wanted
        if wanted:
            self._selector.register(self._master, selectors.EVENT_READ, self._look)
        else:
            self._selector.unregister(self._master)

    def _is_open(self) -> bool:
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        return not any(event & select.POLLHUP for _, event in poll.poll(0))

    def _make_link(self) -> None:
        if self._link is None:
            return
        if self._link.is_symlink():
            self._link.unlink()
        self._link.symlink_to(self.address)
        self.address = str(self._link)

    def _send(self, _t_ns: int, data: bytes) -> None:
        if len(self._unread) + len(data) <= _UNREAD_BYTES_MAX:
            self._unread += data
        self._flush()
        if not self._reading:
            self._unread.clear()  # there is nobody to wait for

    def _flush(self) -> None:
        while self._unread:
            try:
                del self._unread[: os.write(self._master, self._unread)]
            except BlockingIOError:
                return
