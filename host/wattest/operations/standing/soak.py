"""Boards under test for a long time, with a collector beside them that keeps nothing on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from wattest.emulator.pacing import Pacer
from wattest.ledger import CheckpointSigner, Ledger
from wattest.operations.collector import Collector
from wattest.operations.control import RunControl
from wattest.operations.events import (
    FrameLost,
    NodeChanged,
    RecordLogged,
    RecordRefused,
    RunEvent,
)
from wattest.operations.virtual.bench import BenchNode, EmulatedBench
from wattest.operations.virtual.links import Links
from wattest.store import MemoryStore
from wattest.system import entropy, monotonic_ns, wait_ns
from wattest.twin import Twin
from wattest.units import NS_PER_S
from wattest.verify import Severity, Verifier
from wattest.wire import Op

_REPORT_NS = 10 * NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakReport:
    """What the boards have done since they came up.

    Args:
        elapsed_ns: their time since all were up.
        boards: how many.
        logged: records verified and logged.
        refused: records refused or received twice without reason.
        findings: of severity warning and above.
        damaged: frames that did not arrive whole.
        dropped_bytes: bytes a board's port had no room for.
        boots: interpreters started.
        crashes: interpreters that crashed.
    """

    elapsed_ns: int
    boards: int
    logged: int
    refused: int
    findings: int
    damaged: int
    dropped_bytes: int
    boots: int
    crashes: int


class Soak:
    """A collector in memory on every board of a bench.

    Args:
        bench: whose boards; they are still off.
        nodes: the boards.
        epoch_ms: UTC of the load's zero, ms since 1970.
        interval_ms: record interval.
    """

    def __init__(
        self,
        bench: EmulatedBench,
        nodes: Sequence[BenchNode],
        *,
        epoch_ms: int,
        interval_ms: int,
    ) -> None:
        self._bench = bench
        self._nodes = tuple(nodes)
        self._counts: Counter[str] = Counter()
        self._begun_ns = 0
        signer = CheckpointSigner("wattest/soak", entropy(32))
        self._links = Links(bench, epoch_ms=epoch_ms, emit=self._take, frames=None)
        self._collector = Collector(
            Ledger(MemoryStore(), signer),
            Verifier(),
            nonce=lambda _node: entropy(16),
            on_enrolled=lambda _enrolment, _index: None,
        )
        self._links.collector = self._collector
        for node in self._nodes:
            name = node.plan.name
            twin = Twin(name, asset=node.plan.asset, interval_ms=interval_ms)
            self._collector.attach(node.expected, twin)
            self._links.connect(name, node.board)

    def run(
        self, end_ns: int, control: RunControl, *, speed: Fraction | None
    ) -> Iterator[SoakReport]:
        """Run to ``end_ns`` of the world; report every ten real seconds, and at the end."""
        world = self._bench.world
        pacer = Pacer(world, speed=speed, monotonic_ns=monotonic_ns, wait=wait_ns)
        report_at_ns = 0
        self._begun_ns = world.now_ns

        def keep_going() -> bool:
            return not control.stopped and monotonic_ns() < report_at_ns

        while world.now_ns < end_ns and not control.stopped:
            report_at_ns = monotonic_ns() + _REPORT_NS
            pacer.run(end_ns, keep_going)
            yield self._report()

    def _report(self) -> SoakReport:
        boards = [node.board for node in self._nodes]
        counts = self._counts
        return SoakReport(
            elapsed_ns=self._bench.world.now_ns - self._begun_ns,
            boards=len(boards),
            logged=counts["logged"],
            refused=counts["refused"],
            findings=counts["findings"],
            damaged=counts["damaged"],
            dropped_bytes=sum(board.uart_dropped for board in boards),
            boots=sum(board.boots for board in boards),
            crashes=sum(board.crashes for board in boards),
        )

    def _take(self, event: RunEvent) -> None:
        match event:
            case RecordLogged():
                self._counts["logged"] += 1
                found = event.verdict.findings
                self._counts["findings"] += sum(f.severity >= Severity.WARNING for f in found)
            case RecordRefused():
                self._counts["refused"] += 1
            case FrameLost():
                self._counts["damaged"] += 1
            case NodeChanged(state="enrolled" | "connected"):
                self._collector.session(event.node).command(Op.SET_TIME)
            case _:
                pass
