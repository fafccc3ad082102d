"""Boards that are served on ports in real time while the test runs tools against them.

    with serving(board) as port:
        run_tool("mpremote", "connect", port.address, "eval", "6*7")

The boards belong to a thread of their own while they are served; `Served.call` runs a function
there, between two steps of the boards, which is the only safe way to touch one.
"""

from __future__ import annotations

import queue
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from typing import Any, Protocol, TypeVar

from wattest.emulator.fronts import Front, PtyFront, Rfc2217Front, ServedBoard, SocketFront, serve
from wattest.emulator.world import World

GIVE_UP_S = 60.0
LINKS: dict[str, Callable[[ServedBoard], Front]] = {
    "pty": PtyFront,
    "socket": SocketFront,
    "rfc2217": Rfc2217Front,
}
_T = TypeVar("_T")


class BoardInWorld(ServedBoard, Protocol):
    """A board, or what stands in for one."""

    world: World


class _Calls:
    """Functions that the serving thread runs for others; a front without a board."""

    address = "calls"

    def __init__(self) -> None:
        self._wake, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._waiting: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.ended = False

    def put(self, function: Callable[[], None]) -> None:
        self._waiting.put(function)
        self._wake.send(b"!")

    def watch(self, selector: selectors.BaseSelector) -> None:
        selector.register(self._woken, selectors.EVENT_READ, self._woke)

    def tick(self) -> None:
        while not self._waiting.empty():
            self._waiting.get()()

    def _woke(self) -> None:
        """Only ends the wait; `tick` comes after it."""
        self._woken.recv(4096)

    def close(self) -> None:
        self._wake.close()
        self._woken.close()


class Served:
    """Boards that are up.

    Attributes:
        addresses: what to open, in the order of the boards.
        address: the first of them.
    """

    def __init__(self, addresses: list[str], calls: _Calls, ended: Future[None]) -> None:
        self.addresses = addresses
        self.address = addresses[0]
        self._calls = calls
        self._ended = ended

    def call(self, function: Callable[[], _T]) -> _T:
        """Run a function between two steps of the boards; return what it returns, or raise."""
        answers: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

        def run() -> None:
            try:
                answers.put((True, function()))
            except BaseException as exc:  # noqa: BLE001 - raised where it was asked for
                answers.put((False, exc))

        self._calls.put(run)
        until_s = time.monotonic() + GIVE_UP_S
        while True:
            try:
                good, value = answers.get(timeout=0.5)
            except queue.Empty:
                if self._ended.done():
                    self._ended.result()
                assert time.monotonic() < until_s, "the boards do not answer"
            else:
                break
        if good:
            return value
        raise value

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until something is true of the boards; looked at a hundred times a second."""
        until_s = time.monotonic() + GIVE_UP_S
        tick = threading.Event()
        while not self.call(condition):
            assert time.monotonic() < until_s, f"no {what}"
            tick.wait(0.01)


@contextmanager
def serving(
    boards: BoardInWorld | Sequence[BoardInWorld],
    link: str = "pty",
    *,
    speed: Fraction | None = Fraction(1),
) -> Iterator[Served]:
    """Serve boards of one world in the background; they are neither started nor stopped.

    Args:
        boards: one, or several that share a world.
        link: ``pty``, ``socket`` or ``rfc2217``.
        speed: virtual seconds a second.
    """
    several = list(boards) if isinstance(boards, Sequence) else [boards]
    world = several[0].world
    assert all(board.world is world for board in several)
    calls = _Calls()
    with ExitStack() as stack:
        stack.callback(calls.close)
        fronts: list[Front] = []
        for board in several:
            front = LINKS[link](board)
            stack.callback(front.close)
            fronts.append(front)

        thread = stack.enter_context(ThreadPoolExecutor(1, "boards"))
        ended = thread.submit(
            serve,
            world,
            [*fronts, calls],
            keep_going=lambda: not calls.ended,
            speed=speed,
        )
        try:
            yield Served([front.address for front in fronts], calls, ended)
        finally:
            calls.ended = True
            ended.result(GIVE_UP_S)


def run_tool(module: str, *arguments: str, give_up_s: float = GIVE_UP_S) -> tuple[int, str]:
    """Run a tool of this environment; return its exit code and what it showed, LF only."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=give_up_s,
        check=False,
    )
    return done.returncode, done.stdout.decode("utf-8", "replace").replace("\r\n", "\n")
