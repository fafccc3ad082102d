"""What the screens show of a run: a fold over its events. No widget, no clock, no file in here.

Times are the run's own: the newest instant that an event named.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import assert_never

from wattest.operations import events
from wattest.operations.events import (
    CheckpointSigned,
    FaultApplied,
    FaultJudged,
    RunEvent,
    RunFinished,
    RunStarted,
    StatementDrawn,
)
from wattest.operations.virtual.fault_watch import CLONE_MARK
from wattest.scenario import FaultKind
from wattest.tui.curve import Curve
from wattest.tui.marks import Tone, fault_mark
from wattest.tui.node_view import NodeView

LOG_LINES_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of the log: when, about whom, a word for its sort, and what happened."""

    number: int
    now_ms: int
    node: str
    sort: str
    text: str
    tone: Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """The newest thing a person asked for or that went wrong, in one line."""

    text: str
    tone: Tone


_TROUBLED = ("off", "unplugged", "silent", "crashed")


class RunView:
    """Everything the screens show; changed by :meth:`apply` and :meth:`asked` only.

    Args:
        first_state: state of the nodes before the run says anything of it.
        live: it is collected from ports: nobody slows, stops or attacks what is at their ends.

    Attributes:
        started: how the run began, or None: boards still boot.
        finished: how it ended, or None.
        now_ms: newest instant of the run, UTC ms since 1970.
        end_ms: where it will end.
        nodes: in the order of the scenario.
        statements: newest statement of each contract.
        checkpoint: newest, or None.
        growth: size of the ledger over time.
        open_faults: applied, not judged yet.
        judged: faults with their verdict, newest last.
        banner: what to show above everything else, or None.
        revision: +1 with every event.
    """

    def __init__(self, *, first_state: str = "running", live: bool = False) -> None:
        self._first_state = first_state
        self.live = live
        self.started: RunStarted | None = None
        self.finished: RunFinished | None = None
        self.now_ms = 0
        self.end_ms = 0
        self.nodes: list[NodeView] = []
        self.statements: dict[str, StatementDrawn] = {}
        self.checkpoint: CheckpointSigned | None = None
        self.growth = Curve()
        self.open_faults: list[FaultApplied] = []
        self.judged: deque[FaultJudged] = deque(maxlen=LOG_LINES_MAX)
        self.log: deque[LogLine] = deque(maxlen=LOG_LINES_MAX)
        self.banner: Banner | None = None
        self.revision = 0
        self._by_name: dict[str, NodeView] = {}
        self._arrivals = 0
        self._lines = 0

    @property
    def start_ms(self) -> int:
        """Begin of the run; of a run that has not begun, 0."""
        return self.started.start_ms if self.started else 0

    def apply(self, event: RunEvent) -> None:
        """Take one event of the run."""
        self.revision += 1
        match event:
            case RunStarted():
                self._start(event)
            case RunFinished():
                self._finish(event)
            case events.Progressed():
                self._reach(event.now_ms)
                self.end_ms = event.end_ms
            case events.ConsolePrinted():
                self._reach(event.now_ms)
            case events.RecordLogged() | events.RecordRefused() | events.FrameLost():
                self._arrive(event)
            case events.NodeChanged():
                self._change(event)
            case CheckpointSigned():
                self._reach(event.now_ms)
                self.checkpoint = event
                self.growth.add(event.now_ms, event.size)
            case StatementDrawn():
                self._draw(event)
            case FaultApplied() | FaultJudged():
                self._fault(event)
            case _:
                assert_never(event)

    def asked(self, kind: FaultKind, node: str) -> None:
        """Note that a person asked for a fault: it will be applied with the next slice."""
        self.revision += 1
        self.banner = Banner(text=f"{kind.value} on {node}: asked for", tone=Tone.WARN)
        self._say(node, "attack", f"{kind.value}, by you", Tone.WARN)

    def refused_to_ask(self, reason: str) -> None:
        """Note why nothing was asked for."""
        self.revision += 1
        self.banner = Banner(text=reason, tone=Tone.WARN)

    def _reach(self, now_ms: int) -> None:
        self.now_ms = max(self.now_ms, now_ms)

    def _start(self, event: RunStarted) -> None:
        self.started = event
        count = len(event.nodes)
        self.nodes = [NodeView(info, state=self._first_state, nodes=count) for info in event.nodes]
        self._by_name = {node.name: node for node in self.nodes}
        self.now_ms, self.end_ms = event.start_ms, event.end_ms
        self._say("", "began", f"{event.scenario}, seed {event.seed}", Tone.PLAIN)

    def _finish(self, event: RunFinished) -> None:
        self._reach(event.now_ms)
        self.finished = event
        if event.passed:
            text, tone = "PASS: every verdict is as the scenario expects", Tone.GOOD
        else:
            why = "; ".join(event.reasons) or "a verdict is not as the scenario expects"
            text, tone = f"FAIL: {why}", Tone.BAD
        self.banner = Banner(text=f"finished. {text}", tone=tone)
        self._say("", "ended", text, tone)

    def _node(self, lane: str) -> NodeView | None:
        """Return the node behind a lane; a clone's lane is shown with the node it claims to be."""
        return self._by_name.get(lane.partition(CLONE_MARK)[0])

    def _arrive(
        self, event: events.RecordLogged | events.RecordRefused | events.FrameLost
    ) -> None:
        self._reach(event.now_ms)
        node = self._node(event.node)
        if node is None:
            return
        self._arrivals += 1
        match event:
            case events.RecordLogged():
                node.take_logged(event, self._arrivals)
            case events.RecordRefused():
                node.take_refused(event, self._arrivals)
            case events.FrameLost():
                node.take_lost(event, self._arrivals)
        mark = node.arrivals[-1].mark
        if mark.tone in (Tone.BAD, Tone.WARN):
            self._say(event.node, "", str(mark), mark.tone)

    def _change(self, event: events.NodeChanged) -> None:
        self._reach(event.now_ms)
        node = self._node(event.node)
        if node is not None and CLONE_MARK not in event.node:
            node.change_state(event.state)
        tone = Tone.WARN if event.state in _TROUBLED else Tone.PLAIN
        self._say(event.node, "is", event.state, tone)

    def _draw(self, event: StatementDrawn) -> None:
        self._reach(event.now_ms)
        self.statements[event.contract] = event
        if event.index is not None:
            statement = event.statement
            test = ", TEST" if statement.test else ""
            text = f"{event.contract}: {statement.total} {statement.currency}{test}"
            self._say("", "settled", f"{text}, entry {event.index}", Tone.PLAIN)

    def _fault(self, event: FaultApplied | FaultJudged) -> None:
        self._reach(event.now_ms)
        if isinstance(event, FaultApplied):
            self.open_faults.append(event)
            detail = f" ({event.detail})" if event.detail else ""
            text = f"{event.kind}{detail} must end in {event.expected or 'no finding'}"
            self._say(event.node, "fault", text, Tone.WARN)
            self.banner = Banner(text=f"{event.node} {text}", tone=Tone.WARN)
            return
        for fault in self.open_faults:
            if (fault.node, fault.kind) == (event.node, event.kind):
                self.open_faults.remove(fault)
                break
        self.judged.append(event)
        mark = fault_mark(passed=event.passed)
        expected = event.expected or "no finding"
        text = f"{mark}: {event.kind} had to end in {expected}, got {event.got}"
        self._say(event.node, "", f"{mark}: {event.kind} ended in {event.got}", mark.tone)
        self.banner = Banner(text=f"{event.node} {text}", tone=mark.tone)

    def _say(self, node: str, sort: str, text: str, tone: Tone) -> None:
        self._lines += 1
        self.log.append(
            LogLine(
                number=self._lines,
                now_ms=self.now_ms,
                node=node,
                sort=sort,
                text=text,
                tone=tone,
            )
        )
