"""Everything of one virtual run: bench, wires, collector, ledger, faults, contracts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from wattest.emulator.board import EmulatedBoard
from wattest.emulator.ina228 import ChipErrors
from wattest.emulator.world import World
from wattest.errors import EmulatorError, LocalProtocolError
from wattest.ledger import CheckpointSigner, Ledger, LedgerView
from wattest.ledger.store import Store
from wattest.operations.collector import Collector
from wattest.operations.events import (
    NodeChanged,
    NodeInfo,
    RecordLogged,
    RecordRefused,
    RunEvent,
    RunStarted,
    StatementDrawn,
)
from wattest.operations.expected import ExpectedNode
from wattest.operations.live.restore import restored_verifier
from wattest.operations.rundir import FrameLog, RunDir
from wattest.operations.settler import Drawn, Settler
from wattest.operations.virtual.bench import PRE_ROLL_NS, EmulatedBench, NodePlan
from wattest.operations.virtual.conductor import Conductor
from wattest.operations.virtual.database import empty_store
from wattest.operations.virtual.deeds import Deeds
from wattest.operations.virtual.demo_keys import demo_key
from wattest.operations.virtual.fault_watch import CLONE_MARK
from wattest.operations.virtual.injector import Undo
from wattest.operations.virtual.links import Links
from wattest.scenario import (
    PreparedNode,
    PreparedScenario,
    scenario_to_toml,
)
from wattest.settlement import Cutoff
from wattest.store import MemoryStore, SqliteStore
from wattest.twin import Twin, plant_for
from wattest.units import NS_PER_MS
from wattest.verify import Finding, Severity, Verdict, Verifier
from wattest.wire import Op, Record


class VirtualRig:
    """One virtual run's parts; a context manager that leaves everything durable and closed.

    Args:
        prepared: the scenario, its loads known exactly.
        out: folder that keeps the run, or None.
        emit: takes every event, in order.
    """

    def __init__(
        self, prepared: PreparedScenario, *, out: Path | None, emit: Callable[[RunEvent], None]
    ) -> None:
        scenario = prepared.scenario
        self.prepared = prepared
        self.scenario = scenario
        self.run_dir = RunDir(out) if out is not None else None
        self.last_records: dict[str, Record] = {}
        self.readings: dict[str, int] = {}
        self._newest: dict[tuple[str, int], Drawn] = {}
        self.findings: list[Finding] = []
        self._emit_outside = emit
        self._stack = ExitStack()
        self._lanes: dict[str, tuple[ExpectedNode, Twin]] = {}
        self._closing: dict[str, bytes] = {}
        self._clones = 0
        self.settler = Settler(
            scenario.contracts, start_ms=scenario.epoch_ms, end_ms=scenario.end_ms
        )
        self.signer = CheckpointSigner(
            f"wattest/{scenario.name}", demo_key(scenario.seed, "ledger")
        )

    def __enter__(self) -> Self:
        """Make the folder, the ledger and the boards; every board is off."""
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close boards, frames and ledger."""
        self._stack.close()

    def _open(self) -> None:
        scenario = self.scenario
        self._frames: FrameLog | None = None
        self._store: Store = MemoryStore()
        if self.run_dir is not None:
            self.run_dir.make(scenario=scenario_to_toml(scenario))
            place = self.run_dir.ledger_place
            store = SqliteStore(place) if isinstance(place, Path) else empty_store(self.run_dir)
            self._store = self._stack.enter_context(store)
            self._frames = FrameLog(self.run_dir)
            self._stack.callback(self._frames.close)
        self._bench = EmulatedBench(seed=scenario.seed, duration_ns=scenario.duration_ns)
        self._stack.callback(self._bench.close)
        self.ledger = Ledger(self._store, self.signer)
        self.collector = self._new_collector(restored_verifier(self.view(), self._store))
        self._links = Links(
            self._bench, epoch_ms=scenario.epoch_ms, emit=self._emit, frames=self._frames
        )
        self._links.collector = self.collector
        self.conductor = Conductor(
            bench=self._bench,
            links=self._links,
            collector=self.collector,
            interval_ms=scenario.interval_ms,
            emit=self._emit_outside,
            open_clone=self._open_clone,
        )
        self.deeds = Deeds(scenario, self.ledger)
        if scenario.contracts:
            self.settler.log_terms(self.ledger)
            self.deeds.agree()
        for node in self.prepared.nodes:
            self._add(node)
        for fault in scenario.faults:
            self.conductor.plan(fault)
        for action in scenario.actions:
            self._bench.call_at(action.at_ns, partial(self.conductor.act, action))
        for due_ms in self.deeds.due_times_ms():
            due_ns = (due_ms - scenario.epoch_ms) * NS_PER_MS
            self._bench.call_at(due_ns, partial(self._settle_due, due_ms))
        for deed in self.deeds.within:
            self._bench.call_at(deed.at_ns, partial(self.deeds.do, deed))

    @property
    def world(self) -> World:
        """The one virtual time."""
        return self._bench.world

    @property
    def duration_ns(self) -> int:
        """How long the load flows."""
        return self.scenario.duration_ns

    @property
    def now_ms(self) -> int:
        """The host's clock."""
        return self._links.now_ms

    @property
    def closing_extra_ns(self) -> int:
        """Time that faults may need for their verdict after the load has ended."""
        longest = max((fault.for_ns or 0 for fault in self.scenario.faults), default=0)
        return longest + 4 * self.scenario.interval_ms * NS_PER_MS

    def ms_of(self, world_ns: int) -> int:
        """Turn a moment of the world into UTC ms."""
        return self.scenario.epoch_ms + (world_ns - PRE_ROLL_NS) // NS_PER_MS

    def boot(self) -> None:
        """Power on; run until every node is enrolled and has the time, at the load's zero.

        Raises:
            EmulatorError: a node did not prove its key.
        """
        for node in self._bench.nodes.values():
            node.board.power_on()
        for name in self._bench.nodes:
            self._links.pump(name)
        self.world.run_until(PRE_ROLL_NS)
        for name in self._bench.nodes:
            if self.collector.enrolment(name) is None:
                raise EmulatorError(
                    f"node {name} did not prove its key within the pre-roll",
                    seed=self.scenario.seed,
                    virtual_time_ns=self.world.now_ns,
                )

    def started(self) -> RunStarted:
        """Describe the run, now that every key is known."""
        return RunStarted(
            scenario=self.scenario.title or self.scenario.name,
            seed=self.scenario.seed,
            start_ms=self.scenario.epoch_ms,
            end_ms=self.scenario.end_ms,
            nodes=tuple(self.info(node.spec.name) for node in self.prepared.nodes),
            out=str(self.run_dir.path) if self.run_dir else "",
        )

    @property
    def enrolled(self) -> tuple[str, ...]:
        """Nodes that have proved their keys."""
        return tuple(n for n in self._bench.nodes if self.collector.enrolment(n) is not None)

    def info(self, name: str) -> NodeInfo:
        """Describe one node; valid after `boot`."""
        enrolment = self.collector.enrolment(name)
        assert enrolment is not None, "boot() saw to it"
        load = self._bench.nodes[name].plan.load
        return NodeInfo(
            name=name,
            asset=enrolment.asset,
            board=enrolment.board,
            serial=enrolment.serial,
            kid=enrolment.kid,
            load=f"{load.label} ({load.origin.value})",
        )

    def ask_closing_readings(self) -> None:
        """Challenge every node: fresh registers, signed, at the very end."""
        for name in self._bench.nodes:
            nonce = demo_key(self.scenario.seed, "closing", name)[:16]
            self._closing[name] = nonce
            try:
                self.collector.session(name).command(Op.IDENTIFY, nonce)
            except LocalProtocolError:
                continue
            self._links.pump(name)

    def closing_readings_in(self) -> bool:
        """Whether every challenged node has answered and is logged."""
        return not self._closing

    @property
    def unanswered(self) -> tuple[str, ...]:
        """Nodes that owe a closing reading."""
        return tuple(self._closing)

    @property
    def elapsed_ns(self) -> int:
        """How much of the load has flowed."""
        return max(0, min(self._bench.now_ns, self.scenario.duration_ns))

    def flush(self) -> None:
        """Commit what is pending; put every byte that arrived on disk."""
        self._links.flush()
        if self._frames is not None:
            self._frames.flush()

    def running_statements(self) -> Iterator[StatementDrawn]:
        """Draw each contract's statement as far as the evidence goes."""
        cutoff = self._cutoff()
        for drawn in self.settler.view(cutoff, now_ms=min(self.now_ms, self.scenario.end_ms)):
            yield StatementDrawn(
                now_ms=self.now_ms, contract=drawn.contract, statement=drawn.statement, index=None
            )

    def settle(self, *, stopped: bool) -> None:
        """Draw and log the statements: final ones, unless the run was stopped early.

        What parties do after the end of the run comes between a first statement and a final one.
        """
        stopped_ms = self.now_ms if stopped else None
        later = () if stopped else self.deeds.later
        if later:
            self._draw(open_contracts=self.deeds.open_contracts)
        for deed in later:
            self.deeds.do(deed)
        self._draw(stopped_ms=stopped_ms)

    def _settle_due(self, now_ms: int) -> None:
        """Settle what is due in contracts in which something will be disputed."""
        self._links.flush()
        drawn = self.settler.settle_due(
            self.ledger, self._cutoff(), now_ms=now_ms, wants=self.deeds.played.__contains__
        )
        self._keep(drawn)

    def _draw(
        self, *, stopped_ms: int | None = None, open_contracts: frozenset[str] = frozenset()
    ) -> None:
        drawn = self.settler.settle(
            self.ledger, self._cutoff(), stopped_ms=stopped_ms, open_contracts=open_contracts
        )
        self._keep(drawn)

    def _keep(self, drawn: Iterable[Drawn]) -> None:
        """Remember the newest statement of every period; tell those that are new."""
        for item in drawn:
            self._newest[item.contract, item.statement.period.start_ms] = item
            if item.new:
                self._emit_outside(
                    StatementDrawn(
                        now_ms=self.now_ms,
                        contract=item.contract,
                        statement=item.statement,
                        index=item.index,
                    )
                )

    @property
    def drawn(self) -> tuple[Drawn, ...]:
        """The newest statement of every contract and period, in the order they were settled."""
        return tuple(self._newest.values())

    def view(self) -> LedgerView:
        """Return the ledger for reading."""
        return LedgerView(self._store, self.signer.verifier)

    def _cutoff(self) -> Cutoff:
        return Cutoff(size=self.ledger.size, root=self.ledger.root())

    def _emit(self, event: RunEvent) -> None:
        """Let contracts and the fault watch see an event before the faces do."""
        match event:
            case RecordLogged():
                self._logged(event)
                self._keep_findings(event.verdict)
            case RecordRefused():
                self._keep_findings(event.verdict)
            case NodeChanged(state="enrolled" | "connected"):
                self.conductor.set_clock(event.node)
            case _:
                pass
        self.conductor.watch.observe(event)
        self._emit_outside(event)
        self.conductor.judge()

    def _logged(self, event: RecordLogged) -> None:
        record = event.verdict.record
        assert record is not None, "only parsed records are logged"
        self.settler.add(record, index=event.index)
        node = event.node
        if CLONE_MARK in node:
            return
        self.last_records[node] = record
        self.readings[node] = self.readings.get(node, 0) + (record.event is None)
        if record.nonce is not None and self._closing.get(node) == record.nonce:
            del self._closing[node]

    def _keep_findings(self, verdict: Verdict) -> None:
        self.findings += (f for f in verdict.findings if f.severity >= Severity.WARNING)

    def _new_collector(self, verifier: Verifier) -> Collector:
        return Collector(
            self.ledger,
            verifier,
            nonce=lambda node: demo_key(self.scenario.seed, "nonce", node.name)[:16],
            on_enrolled=self.settler.enrol,
        )

    def _add(self, prepared: PreparedNode) -> None:
        spec = prepared.spec
        noise = int.from_bytes(demo_key(self.scenario.seed, "noise", spec.name)[:4])
        node = self._bench.add(
            NodePlan(
                name=spec.name,
                asset=spec.asset,
                board=prepared.board,
                load=prepared.load,
                chip_errors=ChipErrors(**asdict(spec.chip), noise_seed=noise),
                interval_ms=self.scenario.interval_ms,
            )
        )
        plant = plant_for(
            spec,
            self.prepared.weather,
            epoch_ms=self.scenario.epoch_ms,
            end_ms=self.scenario.end_ms,
        )
        twin = Twin(
            spec.name, asset=spec.asset, plant=plant, interval_ms=self.scenario.interval_ms
        )
        self._attach(node.expected, node.board, twin)
        self.conductor.keep_frames(spec.name)

    def _attach(self, expected: ExpectedNode, board: EmulatedBoard, twin: Twin) -> None:
        self._lanes[expected.name] = (expected, twin)
        self.collector.attach(expected, twin)
        self._links.connect(expected.name, board)

    def _open_clone(self, name: str, board: EmulatedBoard) -> Undo:
        expected, twin = self._lanes[name]
        self._clones += 1
        lane = f"{name}{CLONE_MARK}clone-{self._clones}"
        self._attach(replace(expected, name=lane, may_enrol=False), board, twin)

        def close() -> None:
            board.close()
            self._links.disconnect(lane)
            self.collector.detach(lane)
            del self._lanes[lane]

        return close
