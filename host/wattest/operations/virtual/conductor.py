"""Carries out a plan on the bench: faults and their verdicts, commands, and the nodes' clocks."""

from __future__ import annotations

from collections.abc import Callable

from wattest.emulator.board import EmulatedBoard
from wattest.operations.collector import Collector
from wattest.operations.control import Request, asked_fault
from wattest.operations.events import FaultApplied, FaultJudged, NodeChanged, RunEvent
from wattest.operations.virtual.bench import EmulatedBench
from wattest.operations.virtual.demo_keys import demo_key
from wattest.operations.virtual.fault_watch import CLONE_MARK, FaultWatch
from wattest.operations.virtual.injector import Injector, Undo
from wattest.operations.virtual.links import Links
from wattest.scenario import Action, ActionKind, Fault, FaultKind
from wattest.units import NS_PER_MS, format_decimal, format_duration
from wattest.wire import Op

CLOCK_SET_EVERY_NS = 12 * 3600 * 1_000_000_000
"""Nodes call a clock synchronised for 26 h, docs/firmware.md: two settings may be missed."""

_LOOK_EVERY_NS = 100_000_000
_STATES = {FaultKind.POWER_CUT: "off", FaultKind.UNPLUG: "unplugged"}


class Conductor:
    """What is done to the nodes of a run, and when.

    Args:
        bench: whose boards and time.
        links: whose wires.
        collector: whose sessions.
        interval_ms: record interval: how soon a node can show what became of a fault.
        emit: takes the events of faults.
        open_clone: lays a lane for a cloned board; returns how to close it.
    """

    def __init__(
        self,
        *,
        bench: EmulatedBench,
        links: Links,
        collector: Collector,
        interval_ms: int,
        emit: Callable[[RunEvent], None],
        open_clone: Callable[[str, EmulatedBoard], Undo],
    ) -> None:
        self._bench = bench
        self._links = links
        self._collector = collector
        self._emit = emit
        self._unbegun = 0
        self._timeless: set[str] = set()
        self._injector = Injector(
            bench=bench,
            links=links,
            collector=collector,
            open_clone=open_clone,
            withhold_time=self._withhold_time,
        )
        self.watch = FaultWatch(interval_ms=interval_ms)
        self.judged: list[FaultJudged] = []
        bench.call_at(CLOCK_SET_EVERY_NS, self._set_clocks)

    def keep_frames(self, node: str) -> None:
        """Begin to keep a node's frames, so that one can be replayed later."""
        self._injector.keep_frames(node)

    def plan(self, fault: Fault) -> None:
        """Have a fault happen at its time."""
        self._unbegun += 1
        self._injector.prepare(fault)
        if fault.kind is FaultKind.NO_TIME and fault.at_ns == 0:
            self._timeless.add(fault.node)  # the clock would be set before the load begins
        self._bench.call_at(fault.at_ns, lambda: self._begin(fault))

    def ask(self, request: Request) -> None:
        """Carry out what a person asked for, as a fault that ends by itself.

        What is off cannot be cut, and what is pulled cannot be pulled: the request is dropped.
        """
        if request.kind in _STATES and self.watch.lasts(request.kind, request.node):
            return
        self._unbegun += 1
        self._begin(asked_fault(request, at_ns=self._bench.now_ns))

    def judge(self) -> None:
        """Emit the verdicts that are due.

        Called for every event and at every fault's last moment, never by the clock on the wall: a
        verdict comes at the same virtual time in every run of a seed.
        """
        for judged in self.watch.judge(self._links.now_ms):
            self.judged.append(judged)
            self._emit(judged)

    def settled(self) -> bool:
        """Whether every fault has come to its verdict."""
        return not self._unbegun and not self.watch.open

    def act(self, action: Action) -> None:
        """Send a node the command of an action."""
        session = self._collector.session(action.node)
        match action.kind:
            case ActionKind.BEGIN:
                session.command(Op.BEGIN, action.text)
            case ActionKind.END:
                session.command(Op.END)
            case ActionKind.RELAY:
                session.command(Op.RELAY, int(action.closed))
            case ActionKind.INTERVAL:
                session.command(Op.SET_INTERVAL, action.interval_ms)
            case ActionKind.IDENTIFY:
                label = ("identify", action.node, str(action.at_ns))
                session.command(Op.IDENTIFY, demo_key(self._bench.seed, *label)[:16])
        self._links.pump(action.node)

    def set_clock(self, node: str) -> None:
        """Command a node to take the host's time, unless a fault withholds it."""
        if node not in self._timeless and CLONE_MARK not in node:
            self._collector.session(node).command(Op.SET_TIME)

    def _set_clocks(self) -> None:
        for node in self._bench.nodes:
            if self._collector.enrolment(node) is not None:
                self.set_clock(node)
                self._links.pump(node)
        self._bench.call_at(self._bench.now_ns + CLOCK_SET_EVERY_NS, self._set_clocks)

    def _begin(self, fault: Fault) -> None:
        self._unbegun -= 1
        self.watch.began(fault, self._links.now_ms)
        undo = self._injector.apply(fault)
        self._emit(
            FaultApplied(
                now_ms=self._links.now_ms,
                node=fault.node,
                kind=fault.kind.value,
                detail=_detail(fault),
                expected=", ".join(fault.expect),
            )
        )
        if fault.kind is FaultKind.POWER_CUT:
            self._await_power_off(fault)
        else:
            self._show_state(fault, begun=True)
        if fault.for_ns is None:
            self._over(fault)
        else:
            self._bench.call_at(self._bench.now_ns + fault.for_ns, lambda: self._end(fault, undo))

    def _await_power_off(self, fault: Fault) -> None:
        """Note when the supply is really gone: a flash operation may be long in coming."""
        if not self.watch.lasts(fault.kind, fault.node):
            return
        if self._bench.nodes[fault.node].board.powered:
            later_ns = self._bench.now_ns + _LOOK_EVERY_NS
            self._bench.call_at(later_ns, lambda: self._await_power_off(fault))
            return
        self.watch.went_off(fault, self._links.now_ms)
        self._show_state(fault, begun=True)

    def _end(self, fault: Fault, undo: Undo) -> None:
        if fault.kind is FaultKind.POWER_CUT:
            self.watch.went_off(fault, self._links.now_ms)
        undo()
        self._over(fault)
        if not self.watch.lasts(fault.kind, fault.node):
            self._show_state(fault, begun=False)

    def _over(self, fault: Fault) -> None:
        """Judge the fault now if everything was seen before its end; at the latest when due."""
        self.watch.ended(fault, self._links.now_ms)
        due_ns = self._bench.now_ns + self.watch.grace_ms * NS_PER_MS
        self._bench.call_at(due_ns, self.judge)
        self.judge()

    def _show_state(self, fault: Fault, *, begun: bool) -> None:
        if fault.kind in _STATES:
            state = _STATES[fault.kind] if begun else "running"
            self._emit(NodeChanged(node=fault.node, now_ms=self._links.now_ms, state=state))

    def _withhold_time(self, node: str, withhold: bool) -> None:
        if withhold:
            self._timeless.add(node)
            return
        self._timeless.discard(node)
        self.set_clock(node)
        self._links.pump(node)


def _detail(fault: Fault) -> str:
    parts = []
    if fault.for_ns is not None:
        parts.append(f"for {format_duration(fault.for_ns)}")
    if fault.flash_operation is not None:
        parts.append(f"inside flash operation {fault.flash_operation}")
    if fault.power_uw is not None:
        parts.append(f"{format_decimal(fault.power_uw / 10**6, 3)} W")
    if fault.by_ms:
        parts.append(f"by {fault.by_ms} ms")
    return ", ".join(parts)
