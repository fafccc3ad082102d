"""Whether a fault ended in the verdict that was expected of it.

A fault is judged by what verification found on its node while it lasted and a little longer. A
finding that no fault explains fails the run, so a fault names what may come beside its verdict.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from wattest.operations.events import FaultJudged, FrameLost, RecordLogged, RecordRefused, RunEvent
from wattest.scenario import FRAME_LOST, RECOVERED, Fault, FaultKind
from wattest.verify import FindingCode, Severity

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
_NEVER_HEALS = frozenset({FaultKind.CLONE, FaultKind.CLOCK_STEP})
"""A copied key stays copied; a clock set wrong stays wrong until the host sets it by itself."""

_BESIDE = {
    FaultKind.CLOCK_STEP: (
        FindingCode.STATUS,
        FindingCode.AHEAD,
        FindingCode.STALE,
        FindingCode.CLOCK_BACKWARDS,
        FindingCode.CLOCK_STEP,
    )
}
"""A wrong clock shows in any case: the node flags the interval, its times do not fit ours."""


@dataclass(slots=True)
class _Watched:
    fault: Fault
    begun_ms: int
    boot: bytes
    off_ms: int | None = None
    ended_ms: int | None = None
    judged_ms: int | None = None
    seen: set[str] = field(default_factory=set)


class FaultWatch:
    """Watches the events of a run on behalf of the faults that were applied.

    Args:
        interval_ms: record interval: how soon a node can show anything.

    Attributes:
        grace_ms: how long after its end a fault may still show, or be recovered from.
    """

    def __init__(self, *, interval_ms: int) -> None:
        self.grace_ms = GRACE_MS + GRACE_INTERVALS * interval_ms
        self._watched: list[_Watched] = []
        self._unexplained: list[tuple[str, str]] = []
        self._boots: dict[str, bytes] = {}

    def began(self, fault: Fault, now_ms: int) -> None:
        """Begin to watch for a fault's verdict."""
        boot = self._boots.get(fault.node, b"")
        self._watched.append(_Watched(fault=fault, begun_ms=now_ms, boot=boot))

    def went_off(self, fault: Fault, now_ms: int) -> None:
        """Note that the supply is gone: at once, or when the flash operation came."""
        for watched in self._watched:
            if watched.fault is fault and watched.off_ms is None:
                watched.off_ms = now_ms

    def ended(self, fault: Fault, now_ms: int) -> None:
        """Note that a fault was taken back; its node has to show that it goes on."""
        for watched in self._watched:
            if watched.fault is fault and watched.ended_ms is None:
                watched.ended_ms = now_ms

    def lasts(self, kind: FaultKind, node: str) -> bool:
        """Whether a fault of this kind is in force on a node."""
        return any(
            w.fault.kind is kind and w.fault.node == node and w.ended_ms is None
            for w in self._watched
        )

    @property
    def open(self) -> bool:
        """Whether a fault still waits for its verdict."""
        return any(watched.judged_ms is None for watched in self._watched)

    @property
    def unexplained(self) -> tuple[tuple[str, str], ...]:
        """What no fault accounts for: node, and what was found.

        Notices are not among it, but for those that had a record refused.
        """
        return tuple(self._unexplained)

    def tampered(self, node: str) -> bool:
        """Whether a fault touched what a node measures, so that its energy proves nothing."""
        return any(
            w.fault.node == node and w.fault.kind in _TAMPERS_WITH_METERING for w in self._watched
        )

    def power_cuts(self, node: str) -> tuple[tuple[int, int], ...]:
        """Spans ``[from, to)`` without power, UTC ms, apart from one another."""
        spans: list[tuple[int, int]] = []
        for w in sorted(self._watched, key=lambda w: w.begun_ms):
            if w.fault.node != node or w.fault.kind is not FaultKind.POWER_CUT:
                continue
            if w.off_ms is None or w.ended_ms is None:
                continue
            if spans and w.off_ms <= spans[-1][1]:
                first, last = spans.pop()
                spans.append((min(first, w.off_ms), max(last, w.ended_ms)))
            else:
                spans.append((w.off_ms, w.ended_ms))
        return tuple(spans)

    def observe(self, event: RunEvent) -> None:
        """Take an event of the run into account."""
        match event:
            case RecordLogged():
                self._take_findings(event, at_least=Severity.WARNING)
                if CLONE_MARK not in event.node:
                    self._take_sign_of_life(event)
            case RecordRefused():
                self._take_findings(event, at_least=Severity.NOTICE)
            case FrameLost():
                node = _base(event.node)
                if not self._about(node, event.now_ms):
                    self._unexplained.append((node, f"{FRAME_LOST}: {event.rule}"))
                self._see(node, FRAME_LOST, event.now_ms)
            case _:
                pass

    def judge(self, now_ms: int) -> list[FaultJudged]:
        """Return the verdicts that are due."""
        judged = []
        for watched in self._watched:
            if watched.judged_ms is not None or watched.ended_ms is None:
                continue
            passed = set(watched.fault.expect) <= watched.seen
            if not passed and now_ms < watched.ended_ms + self.grace_ms:
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

    def _take_findings(self, event: RecordLogged | RecordRefused, *, at_least: Severity) -> None:
        node = _base(event.node)
        for finding in event.verdict.findings:
            explained = self._see(node, finding.code.value, event.now_ms)
            if finding.severity >= at_least and not explained:
                self._unexplained.append((node, f"{finding.code.value}: {finding.message}"))

    def _take_sign_of_life(self, event: RecordLogged) -> None:
        """Credit a clean reading to the faults it is a recovery from."""
        record, worst = event.verdict.record, event.verdict.worst
        assert record is not None, "only parsed records are logged"
        self._boots[event.node] = record.bootseed
        if record.event is not None or (worst is not None and worst > Severity.NOTICE):
            return
        for watched in self._about(event.node, event.now_ms):
            cut = watched.fault.kind is FaultKind.POWER_CUT
            # What was sealed before the cut shows that the journal lives, not that the node does.
            if watched.ended_ms is not None and not (cut and record.bootseed == watched.boot):
                watched.seen.add(RECOVERED)

    def _see(self, node: str, code: str, now_ms: int) -> bool:
        """Credit a code to the faults it may come from; say whether there was one."""
        explained = False
        for watched in self._about(node, now_ms):
            watched.seen.add(code)
            fault = watched.fault
            explained |= code in (*fault.expect, *fault.also, *_BESIDE.get(fault.kind, ()))
        return explained

    def _about(self, node: str, now_ms: int) -> list[_Watched]:
        """Return the faults that may show on a node now."""
        return [
            watched
            for watched in self._watched
            if watched.fault.node == node
            and (
                watched.ended_ms is None
                or watched.fault.kind in _NEVER_HEALS
                or now_ms <= watched.ended_ms + self.grace_ms
            )
        ]


def _base(lane: str) -> str:
    return lane.split(CLONE_MARK, maxsplit=1)[0]


def _words(codes: Iterable[str]) -> str:
    return ", ".join(sorted(codes)) or "nothing"
