"""The wire towards a board's UART: bytes arrive at the speed of the line."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from wattest.emulator.console import Console
from wattest.emulator.guest import GuestVm
from wattest.emulator.world import World

UART_RING_BYTES = 260
_FIFO_BYTES = 128
_LOOK_NS = 10_000_000
_START_UP_NS_MAX = 1_000_000_000
_PIECE_BYTES = 32  # bytes that arrive as one event


class ReceiveLine:
    """Carries bytes to a board, each piece at its own time, in order.

    Args:
        world: whose time it is.
        line_ns: how long that many bytes take; 0 for a line without delay.
        deliver: takes what has arrived.
    """

    def __init__(
        self, world: World, *, line_ns: Callable[[int], int], deliver: Callable[[bytes], None]
    ) -> None:
        self._world = world
        self._line_ns = line_ns
        self._deliver = deliver
        self._free_ns = 0

    @property
    def idle(self) -> bool:
        """Nothing is under way."""
        return self._free_ns <= self._world.now_ns

    def send(self, data: bytes, t_ns: int) -> None:
        """Send ``data`` from ``t_ns`` on (or now), behind what was sent before."""
        world = self._world
        start_ns = max(world.now_ns, t_ns, self._free_ns)
        for at in range(0, len(data), _PIECE_BYTES):
            piece = data[at : at + _PIECE_BYTES]
            arrival_ns = start_ns + self._line_ns(at + len(piece))
            if arrival_ns > world.now_ns:
                world.call_at(arrival_ns, partial(self._deliver, piece))
            else:
                self._deliver(piece)
        self._free_ns = start_ns + self._line_ns(len(data))


class StartUpFifo:
    """Keeps the first bytes that arrive while a chip starts, until a program can take them.

    A tool that follows a reset at once would otherwise wait for ever for an answer to what nobody
    has read. A real chip's receive FIFO is as large, but its start-up may empty it.

    Args:
        world: whose time it is.
        ready: a program takes bytes now; None: none will, forget them.
        deliver: takes what was kept.
    """

    def __init__(
        self,
        world: World,
        *,
        ready: Callable[[], bool | None],
        deliver: Callable[[bytes], None],
    ) -> None:
        self._world = world
        self._ready = ready
        self._deliver = deliver
        self._kept = bytearray()
        self._until_ns = 0

    def put(self, data: bytes) -> None:
        """Keep what there is room for."""
        if not self._kept:
            self._until_ns = self._world.now_ns + _START_UP_NS_MAX
            self._world.call_at(self._world.now_ns + _LOOK_NS, self._look)
        self._kept += data[: _FIFO_BYTES - len(self._kept)]

    def _look(self) -> None:
        ready = self._ready()
        if ready is False and self._world.now_ns < self._until_ns:
            self._world.call_at(self._world.now_ns + _LOOK_NS, self._look)
            return
        data = bytes(self._kept)
        self._kept.clear()
        if ready:
            self._deliver(data)


def receive(vm: GuestVm, console: Console, data: bytes, now_ns: int) -> int:
    """Put bytes into the UART's ring; the interrupt character acts at once.

    Returns:
        How many were lost because the ring was full.
    """
    dropped = 0
    accepted = bytearray()
    room = UART_RING_BYTES - len(vm.stdin)
    for byte in data:
        if byte == console.interrupt_char and console.running:
            vm.interrupt(now_ns)
        elif len(accepted) < room or not console.running:
            accepted.append(byte)
        else:
            dropped += 1
    if accepted:
        vm.feed(bytes(accepted), now_ns)
        vm.notify(now_ns)
    return dropped
