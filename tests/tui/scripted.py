"""A small run told by hand: real keys, signatures, ledger, twins and statement; no board."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from ledger_samples import EPOCH_MS, INTERVAL_MS, SampleNode, entry_of, signer
from wattest.ledger import EntryKind, Ledger, NewEntry, Receipt
from wattest.ledger.store import Store
from wattest.operations.events import (
    CheckpointSigned,
    FaultApplied,
    FaultJudged,
    FrameLost,
    NodeChanged,
    NodeInfo,
    NodeTotals,
    Progressed,
    RecordLogged,
    RecordRefused,
    RunEvent,
    RunFinished,
    RunStarted,
    StatementDrawn,
)
from wattest.operations.rundir import CHECKPOINT_KEY, RunDir
from wattest.scenario.piecewise import Piecewise
from wattest.settlement import (
    Cutoff,
    ReadingBook,
    node_of_enrolment,
    parse_terms,
    period_at,
    settle,
    terms_to_cbor,
)
from wattest.store import MemoryStore, SqliteStore
from wattest.twin import Plant, Twin
from wattest.verify import Verifier
from wattest.wire import Enrolment, parse_enrolment, parse_record

NAMES = ("pump", "lamp", "oven")
MINUTES = 30
END_MS = EPOCH_MS + MINUTES * INTERVAL_MS
EXPECTED_MILLIWATTS = 58_000
TERMS = """
contract = "pumping"
title = "Pay per use: what the pump draws"
seller = "grid"
buyer = "farm"
assets = ["pump"]
currency = "EUR"
rounding = "half_even"
zone = "UTC"

[period]
kind = "calendar"
unit = "day"

[[line]]
template = "PAY_PER_USE"
code = "energy"
quantity = "import_energy"
unit = "kWh"
price = "300.00"
"""


class Script:
    """Signs, verifies and logs as a run does; each method returns the events of one happening.

    Args:
        store: where the ledger is.
        out: folder of the run, or ``""``.
    """

    def __init__(self, store: Store | None = None, *, out: str = "") -> None:
        self.nodes = {name: SampleNode(number) for number, name in enumerate(NAMES, 1)}
        self.sent: dict[str, list[bytes]] = {name: [] for name in NAMES}
        self.now_ms = EPOCH_MS
        self._out = out
        self._ledger = Ledger(store or MemoryStore(), signer())
        self._terms = parse_terms(TERMS, "pumping.toml")
        self._enrolments = [
            replace(parse_enrolment(node.enrolment().body), asset=name)
            for name, node in self.nodes.items()
        ]
        terms = NewEntry(kind=EntryKind.TERMS, body=terms_to_cbor(self._terms))
        self._ledger.append([terms, *[_entry(enrolment) for enrolment in self._enrolments]])
        self._verifier = Verifier(self._enrolments)
        self._book = ReadingBook()
        self._twins = {name: Twin(name, asset=name, plant=_plant(name)) for name in NAMES}

    def start(self) -> RunEvent:
        """Begin."""
        return RunStarted(
            scenario="pump, lamp, oven",
            seed=1,
            start_ms=EPOCH_MS,
            end_ms=END_MS,
            nodes=tuple(self.info(name) for name in NAMES),
            out=self._out,
        )

    def info(self, name: str) -> NodeInfo:
        """Label a node."""
        node = self.nodes[name]
        return NodeInfo(
            name=name,
            asset=name,
            board="emulated-esp32",
            serial=node.serial,
            kid=node.kid,
            load="60 W (stated)",
        )

    def minute(self, *names: str) -> Iterator[RunEvent]:
        """Let a minute pass; each of ``names`` (all, if none is given) sends a reading."""
        self.now_ms += INTERVAL_MS
        yield Progressed(now_ms=self.now_ms, end_ms=END_MS)
        for name in names or NAMES:
            yield from self.send(name, self.nodes[name].reading())
        yield self._checkpoint()

    def send(self, name: str, data: bytes) -> Iterator[RunEvent]:
        """Let bytes arrive."""
        self.sent[name].append(data)
        verdict = self._verifier.check(data, received_ms=self.now_ms)
        if verdict.accepted and not verdict.duplicate:
            (outcome,) = self._ledger.append([entry_of(data)])
            if isinstance(outcome, Receipt):
                record = parse_record(data)
                self._book.add(record, index=outcome.index)
                twin = self._twins[name].apply(record, index=outcome.index, verdict=verdict)
                yield RecordLogged(
                    node=name,
                    now_ms=self.now_ms,
                    verdict=verdict,
                    index=outcome.index,
                    twin=twin,
                )
                return
        yield RecordRefused(node=name, now_ms=self.now_ms, data=data, verdict=verdict)

    def forge(self, name: str) -> Iterator[RunEvent]:
        """Change a reading on its way, so that its signature does not hold."""
        yield self.applied(name, "forge", "bad-signature")
        data = self.nodes[name].sealed(9, 1_000_000)
        yield from self.send(name, data[:-1] + bytes([data[-1] ^ 1]))
        yield self.judged(name, "forge", "bad-signature", "bad-signature")

    def replay(self, name: str) -> Iterator[RunEvent]:
        """Send the first reading again."""
        yield self.applied(name, "replay", "replay")
        yield from self.send(name, self.sent[name][0])
        yield self.judged(name, "replay", "replay", "replay")

    def clone(self, name: str) -> Iterator[RunEvent]:
        """Sign another reading under the number of the last one."""
        yield self.applied(name, "clone", "fork")
        node = self.nodes[name]
        yield from self.send(name, node.sealed(node.seq, 1))
        yield self.judged(name, "clone", "fork", "fork")

    def flip(self, name: str) -> Iterator[RunEvent]:
        """Damage a frame."""
        yield self.applied(name, "flip-bit", "frame-lost")
        yield FrameLost(node=name, now_ms=self.now_ms, rule="crc", data=b"\x01\x02damaged")
        yield self.judged(name, "flip-bit", "frame-lost", "frame-lost")

    def applied(self, name: str, kind: str, expected: str) -> RunEvent:
        """Say that a fault was carried out."""
        return FaultApplied(now_ms=self.now_ms, node=name, kind=kind, detail="", expected=expected)

    def judged(self, name: str, kind: str, expected: str, got: str) -> FaultJudged:
        """Say what a fault ended in."""
        return FaultJudged(
            now_ms=self.now_ms,
            node=name,
            kind=kind,
            expected=expected,
            got=got,
            passed=expected == got,
        )

    def changed(self, name: str, state: str) -> RunEvent:
        """Change the state of a node."""
        return NodeChanged(node=name, now_ms=self.now_ms, state=state)

    def statement(self, *, log: bool = False) -> StatementDrawn:
        """Price what was metered so far."""
        period = period_at(self._terms, EPOCH_MS)
        assert period is not None
        statement = settle(
            self._terms,
            list(self._book.readings()),
            period,
            nodes=[node_of_enrolment(e, index=i) for i, e in enumerate(self._enrolments, 1)],
            cutoff=Cutoff(size=self._ledger.size, root=self._ledger.root()),
            final=log,
        )
        index = None
        if log:
            body = NewEntry(kind=EntryKind.STATEMENT, body=statement.to_cbor())
            (receipt,) = self._ledger.append([body])
            index = receipt.index
        return StatementDrawn(
            now_ms=self.now_ms, contract="pumping", statement=statement, index=index
        )

    def finish(self, *, passed: bool = True) -> RunFinished:
        """End."""
        totals = _totals("all")
        return RunFinished(
            now_ms=self.now_ms,
            passed=passed,
            nodes=tuple(_totals(name) for name in NAMES),
            total=totals,
            findings=(),
            faults=(),
            statements=(),
            checkpoint="",
            entries=self._ledger.size,
            reasons=() if passed else ("pump: forge: expected bad-signature, got nothing",),
        )

    def _checkpoint(self) -> RunEvent:
        signed = self._ledger.checkpoint()
        assert signed is not None
        return CheckpointSigned(
            now_ms=self.now_ms,
            size=signed.checkpoint.size,
            root=signed.checkpoint.root,
            note=signed.note.decode(),
        )


def story(store: Store | None = None, *, out: str = "") -> Iterator[RunEvent]:
    """Tell half a run: twenty minutes, three attacks, a lamp that is silent for four minutes."""
    script = Script(store, out=out)
    yield script.start()
    for _ in range(16):
        yield from script.minute()
    yield script.changed("lamp", "unplugged")
    for _ in range(4):
        yield from script.minute("pump", "oven")
    yield from script.flip("pump")
    yield from script.replay("pump")
    yield from script.forge("pump")
    yield script.statement()


def whole_story(store: Store | None = None, *, out: str = "") -> Iterator[RunEvent]:
    """Tell a run from its beginning to its end."""
    script = Script(store, out=out)
    yield script.start()
    for _ in range(MINUTES):
        yield from script.minute()
    yield script.statement(log=True)
    yield script.finish()


def keep(folder: Path, *, finished: bool = True, clone: bool = False) -> RunDir:
    """Write a run into a folder as ``--out`` does, as far as it is read again."""
    run = RunDir(folder)
    run.make(scenario="")
    with SqliteStore(run.ledger) as store:
        script = Script(store, out=str(folder))
        list(script.minute())
        for _ in range(MINUTES - 1):
            list(script.minute())
        if clone:
            list(script.clone("pump"))
        script.statement(log=True)
        judged = script.judged("pump", "clone", "fork", "fork")
        values = {
            CHECKPOINT_KEY: signer().verifier.to_text(),
            "scenario": "pumping",
            "title": "pump, lamp, oven",
            "seed": 1,
            "epoch_ms": EPOCH_MS,
            "duration_ns": MINUTES * INTERVAL_MS * 1_000_000,
            "interval_ms": INTERVAL_MS,
            "finished": finished,
        }
        if finished:
            nodes = [
                {**asdict(script.info(name)), "kid": script.nodes[name].kid.hex()}
                | asdict(_totals(name))
                for name in NAMES
            ]
            values |= {
                "passed": True,
                "reasons": [],
                "nodes": nodes,
                "total": asdict(_totals("all")),
                "faults": [asdict(judged)] if clone else [],
            }
    run.write_json(values)
    return run


def _entry(enrolment: Enrolment) -> NewEntry:
    return NewEntry(kind=EntryKind.ENROLMENT, body=enrolment.to_cbor())


def _plant(name: str) -> Plant | None:
    if name == "oven":
        return None
    power = Piecewise.constant(EXPECTED_MILLIWATTS * 1000)
    return Plant(basis="its rated power", epoch_ms=EPOCH_MS, power=power)


def _totals(name: str) -> NodeTotals:
    return NodeTotals(
        node=name,
        load_import_wh="30",
        load_export_wh="0",
        metered_import_wh="30.000",
        metered_export_wh="0.000",
        error_percent="0",
        error_limit_percent="1",
        readings=MINUTES,
    )
