"""A kept run told again: the events its ledger still proves, every record verified anew.

What the ledger does not hold (damaged frames, refused bytes, states of boards) is not told; faults
and the end are told as run.json states them. Nothing here is taken for verified because it was so
when it was logged.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from wattest.errors import ConfigError, VerificationError
from wattest.ledger import Entry, EntryKind, LedgerView
from wattest.ledger.rotation import keys_of
from wattest.operations.events import (
    CheckpointSigned,
    FaultJudged,
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
from wattest.operations.kept.ledger_view import checkpoint_verifier
from wattest.operations.rundir import RunDir
from wattest.scenario import load_scenario, prepare
from wattest.settlement import (
    MeteringNode,
    ReadingBook,
    Terms,
    node_of_enrolment,
    recompute,
    terms_from_cbor,
    terms_hash,
)
from wattest.store import open_store
from wattest.twin import Plant, Twin, plant_for
from wattest.units import NS_PER_MS
from wattest.verify import Finding, Severity, Verdict, Verifier
from wattest.wire import Enrolment, Record, parse_enrolment, parse_finding

_UNFINISHED = "the run did not come to its end"


def stored_events(path: Path) -> Iterator[RunEvent]:
    """Tell the run kept in ``path`` again, from its first record to its end.

    Args:
        path: the folder that ``--out`` named.

    Raises:
        ConfigError: this is not the folder of a run, or run.json is not what a run writes.
        StoreError: its ledger cannot be read.
        SignatureInvalid: a checkpoint is not signed by the run's key.
        VerificationError: a logged statement does not follow from the readings before it.
    """
    run = RunDir(path)
    values = run.read_json()
    _check_shape(run, values)
    key = checkpoint_verifier(run)
    with open_store(run.ledger_place, read_only=True) as store:
        told = _Told(run, values, LedgerView(store, key))
        yield told.started()
        keys = keys_of(store, key)
        signed = iter([keys.open(row.note) for row in store.checkpoints()])
        notes = iter([row.note.decode() for row in store.checkpoints()])
        checkpoint = next(signed, None)
        for entry in store.entries():
            yield from told.entry(entry)
            if checkpoint is not None and entry.index + 1 == checkpoint.size:
                yield CheckpointSigned(
                    now_ms=told.now_ms,
                    size=checkpoint.size,
                    root=checkpoint.root,
                    note=next(notes),
                )
                checkpoint = next(signed, None)
        yield from told.end()


class _Told:
    """The state that telling needs: a verifier and twins of its own.

    Args:
        run: where the run is.
        values: its run.json.
        view: its ledger.
    """

    def __init__(self, run: RunDir, values: dict[str, Any], view: LedgerView) -> None:
        self._run = run
        self._values = values
        self._view = view
        self._start_ms = _number(run, values, "epoch_ms")
        self._end_ms = self._start_ms + _number(run, values, "duration_ns") // NS_PER_MS
        self._verifier = Verifier()
        self._book = ReadingBook()
        self._terms: dict[bytes, Terms] = {}
        self._metering: list[MeteringNode] = []
        self._findings: list[Finding] = []
        self._statements: list[StatementDrawn] = []
        self._names: dict[bytes, str] = {}
        self._twins: dict[bytes, Twin] = {}
        self._faults = _faults(run, values)
        self._faults_told = 0
        self.now_ms = self._start_ms

    def started(self) -> RunStarted:
        """Describe the run by its enrolments, with the names that run.json gives them."""
        enrolments = [
            parse_enrolment(entry.body)
            for entry in self._view.entries()
            if entry.kind == EntryKind.ENROLMENT
        ]
        named = {str(node.get("serial")): node for node in self._values.get("nodes", [])}
        order = list(named)
        enrolments.sort(key=lambda e: order.index(e.serial) if e.serial in named else -1)
        plants = self._plants()
        infos: dict[str, NodeInfo] = {}
        twins: dict[str, Twin] = {}
        for enrolment in enrolments:  # a node has one twin, whatever became of its keys
            serial = enrolment.serial
            known = named.get(serial, {})
            name = str(known.get("name", enrolment.asset))
            self._names[enrolment.kid] = name
            if serial not in twins:
                twins[serial] = Twin(
                    name,
                    asset=enrolment.asset,
                    plant=plants.get(enrolment.asset),
                    interval_ms=_number(self._run, self._values, "interval_ms"),
                )
            self._twins[enrolment.kid] = twins[serial]
            infos[serial] = _info(enrolment, name, str(known.get("load", "")))
        return RunStarted(
            scenario=str(self._values.get("title") or self._values.get("scenario", "")),
            seed=_number(self._run, self._values, "seed"),
            start_ms=self._start_ms,
            end_ms=self._end_ms,
            nodes=tuple(infos.values()),
            out=str(self._run.path),
        )

    def entry(self, entry: Entry) -> Iterator[RunEvent]:
        """Tell what one entry of the ledger says."""
        match entry.kind:
            case EntryKind.ENROLMENT:
                enrolment = parse_enrolment(entry.body)
                self._verifier.enrol(enrolment)
                self._metering.append(node_of_enrolment(enrolment, index=entry.index))
            case EntryKind.READING | EntryKind.EVENT:
                yield from self._record(entry)
            case EntryKind.TERMS:
                terms = terms_from_cbor(entry.body)
                self._terms[terms_hash(terms)] = terms
            case EntryKind.STATEMENT:
                yield self._statement(entry)
            case EntryKind.FINDING:
                yield from self._conflict(entry)
            case _:
                if entry.kind not in set(EntryKind):
                    raise VerificationError(f"entry {entry.index}: unknown kind {entry.kind}")

    def end(self) -> Iterator[RunEvent]:
        """Tell the faults that are left, and the end as run.json has it."""
        yield from self._due_faults(None)
        yield Progressed(now_ms=self.now_ms, end_ms=self._end_ms)
        values = self._values
        totals = [_totals(self._run, node) for node in values.get("nodes", [])]
        whole = values.get("total")
        signed = self._view.checkpoint()
        finished = bool(values.get("finished"))
        yield RunFinished(
            now_ms=self.now_ms,
            passed=finished and bool(values.get("passed")),
            nodes=tuple(totals),
            total=_totals(self._run, whole) if whole else _NO_TOTALS,
            findings=tuple(self._findings),
            faults=self._faults,
            statements=tuple(self._statements),
            checkpoint=signed.note.decode() if signed else "",
            entries=self._view.size,
            reasons=tuple(values.get("reasons", ())) if finished else (_UNFINISHED,),
        )

    def _record(self, entry: Entry) -> Iterator[RunEvent]:
        verdict = self._verifier.check(entry.body)
        record = verdict.record
        yield from self._reach(record)
        self._note(verdict)
        if record is None or not verdict.accepted:
            name = self._names.get(record.kid, "") if record else ""
            yield RecordRefused(node=name, now_ms=self.now_ms, data=entry.body, verdict=verdict)
            return
        self._book.add(record, index=entry.index)
        twin = self._twins[record.kid]
        yield RecordLogged(
            node=self._names[record.kid],
            now_ms=self.now_ms,
            verdict=verdict,
            index=entry.index,
            twin=twin.apply(record, index=entry.index, verdict=verdict),
        )

    def _reach(self, record: Record | None) -> Iterator[RunEvent]:
        """Move the time on to a record's, and tell the faults that were judged before it."""
        if record is None or record.time_ms is None or record.time_ms <= self.now_ms:
            return
        yield from self._due_faults(record.time_ms)
        self.now_ms = record.time_ms
        yield Progressed(now_ms=self.now_ms, end_ms=self._end_ms)

    def _due_faults(self, until_ms: int | None) -> Iterator[FaultJudged]:
        for fault in self._faults[self._faults_told :]:
            if until_ms is not None and fault.now_ms >= until_ms:
                return
            self._faults_told += 1
            yield fault

    def _statement(self, entry: Entry) -> StatementDrawn:
        statement = recompute(
            entry.body, terms=self._terms, readings=self._book.readings(), nodes=self._metering
        )
        drawn = StatementDrawn(
            now_ms=self.now_ms,
            contract=statement.contract,
            statement=statement,
            index=entry.index,
        )
        self._statements.append(drawn)
        return drawn

    def _conflict(self, entry: Entry) -> Iterator[RunEvent]:
        kept = parse_finding(entry.body)
        if kept.record is None:
            return
        verdict = self._verifier.check(kept.record)
        self._note(verdict)
        name = self._names.get(kept.kid, "")
        yield RecordRefused(node=name, now_ms=self.now_ms, data=kept.record, verdict=verdict)

    def _note(self, verdict: Verdict) -> None:
        self._findings += [f for f in verdict.findings if f.severity >= Severity.WARNING]

    def _plants(self) -> dict[str, Plant]:
        """Return the plant models by asset, as far as the kept scenario still gives them."""
        if not self._run.scenario.exists():
            return {}
        plants = {}
        with suppress(ConfigError):  # its load files may not be where they were
            scenario = replace(
                load_scenario(self._run.scenario),
                seed=_number(self._run, self._values, "seed"),
            )
            prepared = prepare(scenario.lasting(_number(self._run, self._values, "duration_ns")))
            for node in prepared.nodes:
                plant = plant_for(
                    node.spec,
                    prepared.weather,
                    epoch_ms=self._start_ms,
                    end_ms=self._end_ms,
                )
                if plant is not None:
                    plants[node.spec.asset] = plant
        return plants


_NO_TOTALS = NodeTotals(
    node="all",
    load_import_wh="0",
    load_export_wh="0",
    metered_import_wh="0",
    metered_export_wh="0",
    error_percent="0",
    error_limit_percent="0",
    readings=0,
)


def _info(enrolment: Enrolment, name: str, load: str) -> NodeInfo:
    return NodeInfo(
        name=name,
        asset=enrolment.asset,
        board=enrolment.board,
        serial=enrolment.serial,
        kid=enrolment.kid,
        load=load,
    )


def _check_shape(run: RunDir, values: dict[str, Any]) -> None:
    """Refuse a run.json whose parts are not of the kinds a run writes."""
    kinds: dict[str, type] = {"nodes": list, "faults": list, "reasons": list, "total": dict}
    for key, kind in kinds.items():
        part = values.get(key, kind())
        inner = [type(item) for item in part] if type(part) is list and key != "reasons" else []
        if type(part) is not kind or any(item is not dict for item in inner):
            raise ConfigError("not what a run writes", path=str(run.run_json), key=key)


def _number(run: RunDir, values: dict[str, Any], key: str) -> int:
    value = values.get(key)
    if type(value) is not int:
        raise ConfigError(
            f"a whole number expected, got {value!r}", path=str(run.run_json), key=key
        )
    return value


def _faults(run: RunDir, values: dict[str, Any]) -> tuple[FaultJudged, ...]:
    try:
        faults = [FaultJudged(**fault) for fault in values.get("faults", [])]
    except TypeError as error:
        raise ConfigError(str(error), path=str(run.run_json), key="faults") from error
    if any(type(fault.now_ms) is not int for fault in faults):
        raise ConfigError("a whole number expected", path=str(run.run_json), key="faults.now_ms")
    return tuple(sorted(faults, key=lambda fault: fault.now_ms))


def _totals(run: RunDir, values: dict[str, Any]) -> NodeTotals:
    names = {field.name for field in fields(NodeTotals)}
    try:
        return NodeTotals(**{name: value for name, value in values.items() if name in names})
    except TypeError as error:
        raise ConfigError(str(error), path=str(run.run_json), key="nodes") from error
