"""A board's serial port as a pseudo terminal, so that unmodified tools can open it.

While a tool may be attached the world runs at real time: tools wait with wall clocks of their
own. POSIX only; elsewhere a socket is the way in.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

from wattest.emulator.board import EmulatedBoard
from wattest.emulator.pacing import Pacer
from wattest.emulator.world import World
from wattest.errors import EmulatorError

if sys.platform != "win32":
    import pty as _pty
    import tty as _tty

_READ_BYTES = 4096
_WAIT_S_MAX = 0.1
_FOREVER_NS = 1 << 62


class PtyFront:
    """One board behind one pseudo terminal.

    What the board sends while nobody reads is lost once the terminal's buffer is full, as on a
    UART. The board itself is neither started nor stopped.

    Args:
        board: the board.
        link: a symbolic link to make to the terminal, replacing one that is there; removed by
            :meth:`close`.

    Attributes:
        address: what a tool opens, ``/dev/pts/N`` or the link.

    Raises:
        EmulatorError: this system has no pseudo terminals, or the link cannot be made.
    """

    def __init__(self, board: EmulatedBoard, *, link: Path | None = None) -> None:
        if sys.platform == "win32":
            raise EmulatorError("this system has no pseudo terminals")
        try:
            self._master, self._slave = _pty.openpty()
        except OSError as exc:
            raise EmulatorError(f"no pseudo terminal to be had: {exc.strerror}") from exc
        # The other end stays open here: a tool that hangs up must not end the terminal.
        _tty.setraw(self._master)
        _tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._board = board
        self._link = link
        self.address = os.ttyname(self._slave)
        try:
            self._make_link()
        except OSError as exc:
            self._close_ends()
            raise EmulatorError(f"cannot make the link {link}: {exc.strerror}") from exc
        self._unsubscribe = board.on_output(self._send)

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._master

    def receive(self) -> None:
        """Give the board what the tool has sent; call when the descriptor is readable."""
        try:
            data = os.read(self._master, _READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        if data:
            self._board.feed(data)

    def close(self) -> None:
        """Take the terminal away; the board goes on."""
        self._unsubscribe()
        if self._link is not None:
            with contextlib.suppress(FileNotFoundError):
                self._link.unlink()
        self._close_ends()

    def _make_link(self) -> None:
        if self._link is None:
            return
        if self._link.is_symlink():
            self._link.unlink()
        self._link.symlink_to(self.address)
        self.address = str(self._link)

    def _close_ends(self) -> None:
        os.close(self._master)
        os.close(self._slave)

    def _send(self, _t_ns: int, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._master, data) :]
            except BlockingIOError:
                return


def serve(
    world: World,
    fronts: Sequence[PtyFront],
    *,
    keep_going: Callable[[], bool] = lambda: True,
    speed: Fraction | None = Fraction(1),
    until_ns: int = _FOREVER_NS,
) -> None:
    """Run a world for people and tools until ``keep_going`` says no or ``until_ns`` is reached.

    Args:
        world: the boards' world.
        fronts: the terminals to listen on.
        keep_going: asked at least ten times a second.
        speed: virtual seconds a second; tools expect 1.
        until_ns: virtual time to stop at.
    """

    def wait(duration_ns: int) -> None:
        timeout_s = min(_WAIT_S_MAX, max(0, duration_ns) / 1e9)
        readable, _, _ = select.select(fronts, (), (), timeout_s)
        for front in readable:
            front.receive()

    Pacer(world, speed=speed, monotonic_ns=time.monotonic_ns, wait=wait).run(until_ns, keep_going)
