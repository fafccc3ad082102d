"""What a screen shows of one node: folded from the events that name it, bounded in size."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

from wattest.operations.events import FrameLost, NodeInfo, RecordLogged, RecordRefused
from wattest.tui.curve import POINTS_MAX, Curve
from wattest.tui.marks import Mark, lost_mark, twin_mark, verdict_mark
from wattest.twin import Energies, TwinState
from wattest.verify import Severity, Verdict

READINGS_MAX = 200
_READINGS_OF_ALL_MAX = 12_000
_READINGS_MIN = 8
_POINTS_OF_ALL_MAX = 24_000
_POINTS_MIN = 32
_RUNNING = frozenset({"enrolled", "connected", "restarted"})
"""Steps on the way to running; the log names them."""

_MS_PER_HOUR = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Bytes that arrived from a node, and what became of them.

    Args:
        number: counts the arrivals of the run, from 1.
        lane: name of the node, or of its clone.
        now_ms: when, UTC ms since 1970.
        data: the bytes.
        mark: what became of them.
        verdict: of a frame that arrived whole, else None.
        index: entry of the ledger, or None: not logged.
    """

    number: int
    lane: str
    now_ms: int
    data: bytes
    mark: Mark
    verdict: Verdict | None = None
    index: int | None = None

    @property
    def notable(self) -> bool:
        """Whether there is anything to say of it but that it is verified."""
        return self.verdict is None or self.index is None or bool(self.verdict.findings)


class NodeView:
    """The view of one node; changed by the fold of the run and by nothing else.

    Args:
        info: its labels.
        state: running, off, unplugged, ...: as last told.
        nodes: how many share the memory that a run's histories may take, >= 1.

    Attributes:
        twin: newest mirror, or None before the first record.
        arrivals: newest last.
        found: findings of severity warning and above, by code.
        metered: mean power between readings, mW, import positive.
        doubted: likewise, where a finding contradicts the reading.
        expected: mean power of the plant model over the same spans.
        imported: import register, mWh.
        exported: export register, mWh.
        revision: +1 with every change.
    """

    def __init__(self, info: NodeInfo, *, state: str, nodes: int = 1) -> None:
        readings = max(min(READINGS_MAX, _READINGS_OF_ALL_MAX // nodes), _READINGS_MIN)
        points = max(min(POINTS_MAX, _POINTS_OF_ALL_MAX // nodes // 2 * 2), _POINTS_MIN)
        self.info = info
        self.state = state
        self.twin: TwinState | None = None
        self.arrivals: deque[Arrival] = deque(maxlen=readings)
        self.found: Counter[str] = Counter()
        self.metered = Curve(points)
        self.doubted = Curve(points)
        self.expected = Curve(points)
        self.imported = Curve(points)
        self.exported = Curve(points)
        self.revision = 0
        self._plotted: Energies | None = None

    @property
    def name(self) -> str:
        """Name of the node."""
        return self.info.name

    @property
    def delivers(self) -> bool:
        """Whether more energy came out of the asset than went into it so far."""
        energies = self.twin.energies if self.twin else None
        return bool(energies and energies.export_milliwatthours > energies.import_milliwatthours)

    def mark(self, now_ms: int) -> Mark:
        """Say how sure its values are at an instant."""
        return twin_mark(self.twin, now_ms)

    def change_state(self, state: str) -> None:
        """Take over what the run says of the node."""
        self.state = "running" if state in _RUNNING else state
        self.revision += 1

    def take_logged(self, event: RecordLogged, number: int) -> None:
        """Take a record that is in the ledger, and the mirror it changed."""
        self._arrive(
            Arrival(
                number=number,
                lane=event.node,
                now_ms=event.now_ms,
                data=event.verdict.record.encoded if event.verdict.record else b"",
                mark=verdict_mark(event.verdict, logged=True),
                verdict=event.verdict,
                index=event.index,
            )
        )
        self.twin = event.twin
        self._plot(event.twin)

    def take_refused(self, event: RecordRefused, number: int) -> None:
        """Take bytes that were not logged as a reading."""
        self._arrive(
            Arrival(
                number=number,
                lane=event.node,
                now_ms=event.now_ms,
                data=event.data,
                mark=verdict_mark(event.verdict, logged=False),
                verdict=event.verdict,
            )
        )

    def take_lost(self, event: FrameLost, number: int) -> None:
        """Take a frame that arrived damaged."""
        self._arrive(
            Arrival(
                number=number,
                lane=event.node,
                now_ms=event.now_ms,
                data=event.data,
                mark=lost_mark(event.rule),
            )
        )

    def _arrive(self, arrival: Arrival) -> None:
        self.arrivals.append(arrival)
        self.revision += 1
        if arrival.verdict is None:
            self.found["frame-lost"] += 1
            return
        for finding in arrival.verdict.findings:
            if finding.severity >= Severity.WARNING or arrival.index is None:
                self.found[finding.code.value] += 1

    def _plot(self, twin: TwinState) -> None:
        """Add the newest registers to the curves, once, and only if their time is known.

        Registers that a finding contradicts are kept apart: the next ones are compared with the
        last that were not contradicted.
        """
        newest, before = twin.energies, self._plotted
        if newest is None or newest.proof.time_ms is None:
            return
        time_ms = newest.proof.time_ms
        if before is not None and before.proof.time_ms is not None:
            span_ms = time_ms - before.proof.time_ms
            if span_ms <= 0:
                return
            mean = (_net(newest) - _net(before)) * _MS_PER_HOUR // span_ms
            (self.metered if newest.proof.verified else self.doubted).add(time_ms, mean)
        expectation = twin.expectation
        if expectation is not None and expectation.end_ms == time_ms:
            self.expected.add(time_ms, expectation.expected_milliwatts)
        if newest.proof.verified:
            self.imported.add(time_ms, newest.import_milliwatthours)
            self.exported.add(time_ms, newest.export_milliwatthours)
            self._plotted = newest


def _net(energies: Energies) -> int:
    return energies.import_milliwatthours - energies.export_milliwatthours
