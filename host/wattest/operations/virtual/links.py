"""The wires of an emulated bench: bytes travel between boards and the collector in virtual time.

Everything that can happen to a wire happens here: it can be pulled, and somebody can sit on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from wattest.emulator.board import EmulatedBoard
from wattest.emulator.world import Event
from wattest.operations.collector import Collector
from wattest.operations.events import RunEvent
from wattest.operations.rundir import FrameLog
from wattest.operations.virtual.bench import PRE_ROLL_NS, EmulatedBench
from wattest.units import NS_PER_MS

LATENCY_NS = 1_000_000

Tap = Callable[[bytes], bytes]
"""Somebody on the wire: gets what a node sent, gives what arrives."""


@dataclass(slots=True)
class Wire:
    """One link of one board."""

    lane: str
    board: EmulatedBoard
    plugged: bool = True
    taps: list[Tap] = field(default_factory=list)
    deadline: Event | None = None


class Links:
    """Carries bytes; collects what the collector tells.

    Args:
        bench: whose boards and whose time.
        epoch_ms: UTC of the load's zero, ms since 1970: the host's clock.
        emit: takes every event, in order.
        frames: keeps every byte that arrives.
    """

    def __init__(
        self,
        bench: EmulatedBench,
        *,
        epoch_ms: int,
        emit: Callable[[RunEvent], None],
        frames: FrameLog | None,
    ) -> None:
        self._bench = bench
        self._epoch_ms = epoch_ms
        self._emit = emit
        self._frames = frames
        self._flush: Event | None = None
        self.collector: Collector | None = None
        self.wires: dict[str, Wire] = {}

    @property
    def now_ms(self) -> int:
        """The host's clock, UTC ms since 1970."""
        return self._epoch_ms + (self._bench.world.now_ns - PRE_ROLL_NS) // NS_PER_MS

    def connect(self, lane: str, board: EmulatedBoard) -> Wire:
        """Lay a wire between a board and a lane of the collector."""
        wire = Wire(lane=lane, board=board)
        self.wires[lane] = wire
        board.on_output(lambda t_ns, data: self._sent(wire, t_ns, data))
        self.pump(lane)
        return wire

    def disconnect(self, lane: str) -> None:
        """Take a wire away for good."""
        wire = self.wires.pop(lane)
        wire.plugged = False
        if wire.deadline is not None:
            wire.deadline.cancel()

    def inject(self, lane: str, data: bytes) -> None:
        """Let bytes arrive that no node sent just now."""
        self._deliver(self.wires[lane], data)

    def pump(self, lane: str) -> None:
        """Send what the session has to send; come back when it wants to act by itself."""
        wire = self.wires.get(lane)
        if self.collector is None or wire is None:
            return
        data = self.collector.outgoing(lane, self.now_ms)
        if data and wire.plugged:
            wire.board.feed(data, t_ns=self._bench.world.now_ns + LATENCY_NS)
        if wire.deadline is not None:
            wire.deadline.cancel()
        due_ms = self.collector.next_deadline_ms(lane)
        wire.deadline = (
            None
            if due_ms is None
            else self._bench.world.call_at(self._ns_of(due_ms), lambda: self._receive(wire, b""))
        )

    def flush(self) -> None:
        """Commit what is pending now, then let the acknowledgements out."""
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        if self.collector is None:
            return
        self._tell(self.collector.flush(self.now_ms))
        for lane in tuple(self.wires):
            self.pump(lane)

    def _ns_of(self, time_ms: int) -> int:
        return (time_ms - self._epoch_ms) * NS_PER_MS + PRE_ROLL_NS

    def _sent(self, wire: Wire, t_ns: int, data: bytes) -> None:
        if wire.plugged:
            self._bench.world.call_at(t_ns + LATENCY_NS, lambda: self._arrive(wire, data))

    def _arrive(self, wire: Wire, data: bytes) -> None:
        if not wire.plugged:
            return
        for tap in tuple(wire.taps):
            data = tap(data)
        self._deliver(wire, data)

    def _deliver(self, wire: Wire, data: bytes) -> None:
        if self._frames is not None and data:
            self._frames.append(self._bench.now_ns, wire.lane, data)
        self._receive(wire, data)

    def _receive(self, wire: Wire, data: bytes) -> None:
        collector = self.collector
        if collector is None or wire.lane not in self.wires:
            return
        self._tell(collector.receive(wire.lane, data, self.now_ms))
        self.pump(wire.lane)
        if self._flush is None and collector.flush_at_ms is not None:
            self._flush = self._bench.world.call_at(
                self._ns_of(collector.flush_at_ms), self._flush_due
            )

    def _flush_due(self) -> None:
        self._flush = None
        self.flush()

    def _tell(self, events: list[RunEvent]) -> None:
        for event in events:
            self._emit(event)
