"""Whether a fault ended in the verdict that was expected of it.

A fault is judged by what verification found on its node while it lasted and a little longer. A
finding that no fault explains fails the run, so a fault names what may come beside its verdict.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from wattest.operations.events import FaultJudged, FrameLost, RecordLogged, RecordRefused, RunEvent
from wattest.scenario import FRAME_LOST, RECOVERED, Fault, FaultKind
from wattest.verify import Finding, Severity

GRACE_INTERVALS = 3
GRACE_MS = 300_000
CLONE_MARK = "~"
"""Between a node's name and the word for its clone, in names of lanes."""

_TAMPERS_WITH_METERING = frozenset(
    {
        FaultKind.BUS_NACK,
        FaultKind.BUS_STUCK,
        FaultKind.BUS_BITS,
        FaultKind.WRONG_CHIP,
        FaultKind.INJECT_INPUT,
        FaultKind.OVERLOAD,
        FaultKind.CLONE,
    }
)


@dataclass(slots=True)
class _Watched:
    fault: Fault
    begun_ms: int
    ended_ms: int | None = None
    judged_ms: int | None = None
    seen: set[str] = field(default_factory=set)


class FaultWatch:
    """Watches the events of a run on behalf of the faults that were applied.

    Args:
        interval_ms: record interval: how soon a node can show anything.
    """

    def __init__(self, *, interval_ms: int) -> None:
        self._grace_ms = GRACE_MS + GRACE_INTERVALS * interval_ms
        self._watched: list[_Watched] = []
        self._unexplained: list[tuple[str, Finding]] = []

    def began(self, fault: Fault, now_ms: int) -> None:
        """Begin to watch for a fault's verdict."""
        self._watched.append(_Watched(fault=fault, begun_ms=now_ms))

    def ended(self, fault: Fault, now_ms: int) -> None:
        """Note that a fault was taken back; its node has to show that it goes on."""
        for watched in self._watched:
            if watched.fault is fault:
                watched.ended_ms = now_ms

    @property
    def open(self) -> bool:
        """Whether a fault still waits for its verdict."""
        return any(watched.judged_ms is None for watched in self._watched)

    @property
    def unexplained(self) -> tuple[tuple[str, Finding], ...]:
        """Findings of severity error that no fault accounts for, with their node."""
        return tuple(self._unexplained)

    def tampered(self, node: str) -> bool:
        """Whether a fault touched what a node measures, so that its energy proves nothing."""
        return any(
            w.fault.node == node and w.fault.kind in _TAMPERS_WITH_METERING for w in self._watched
        )

    def power_cuts(self, node: str) -> tuple[tuple[int, int], ...]:
        """Spans ``[from, to)`` without power, UTC ms."""
        return tuple(
            (w.begun_ms, w.ended_ms)
            for w in self._watched
            if w.fault.node == node and w.fault.kind is FaultKind.POWER_CUT and w.ended_ms
        )

    def observe(self, event: RunEvent) -> None:
        """Take an event of the run into account."""
        match event:
            case RecordLogged() | RecordRefused():
                self._take_findings(_base(event.node), event.verdict.findings, event.now_ms)
                if isinstance(event, RecordLogged):
                    self._take_sign_of_life(_base(event.node), event.now_ms)
            case FrameLost():
                self._see(_base(event.node), FRAME_LOST, event.now_ms)
            case _:
                pass

    def judge(self, now_ms: int) -> list[FaultJudged]:
        """Return the verdicts that are due."""
        judged = []
        for watched in self._watched:
            if watched.judged_ms is not None or watched.ended_ms is None:
                continue
            passed = set(watched.fault.expect) <= watched.seen
            if not passed and now_ms < watched.ended_ms + self._grace_ms:
                continue
            watched.judged_ms = now_ms
            judged.append(
                FaultJudged(
                    now_ms=now_ms,
                    node=watched.fault.node,
                    kind=watched.fault.kind.value,
                    expected=_words(watched.fault.expect),
                    got=_words(watched.seen),
                    passed=passed,
                )
            )
        return judged

    def _take_findings(self, node: str, findings: Iterable[Finding], now_ms: int) -> None:
        for finding in findings:
            code = finding.code.value
            explained = self._see(node, code, now_ms)
            if finding.severity is Severity.ERROR and not explained:
                self._unexplained.append((node, finding))

    def _take_sign_of_life(self, node: str, now_ms: int) -> None:
        for watched in self._about(node, now_ms):
            if watched.ended_ms is not None:
                watched.seen.add(RECOVERED)

    def _see(self, node: str, code: str, now_ms: int) -> bool:
        """Credit a code to the faults it may come from; say whether there was one."""
        explained = False
        for watched in self._about(node, now_ms):
            watched.seen.add(code)
            if code in watched.fault.expect or code in watched.fault.also:
                explained = True
        return explained

    def _about(self, node: str, now_ms: int) -> list[_Watched]:
        """Return the faults that may show on a node now; a copied key never heals."""
        return [
            watched
            for watched in self._watched
            if watched.fault.node == node
            and (
                watched.ended_ms is None
                or watched.fault.kind is FaultKind.CLONE
                or now_ms <= watched.ended_ms + self._grace_ms
            )
        ]


def _base(lane: str) -> str:
    return lane.split(CLONE_MARK, maxsplit=1)[0]


def _words(codes: Iterable[str]) -> str:
    return ", ".join(sorted(codes)) or "nothing"
