"""The fold: one verified record at a time changes the mirror; nothing else ever does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from wattest.twin.plant import Plant
from wattest.twin.state import Energies, Expectation, Health, Proof, TwinState, Value
from wattest.verify.finding import Finding, FindingCode, Severity
from wattest.verify.verifier import Verdict
from wattest.wire.record import Ctx, EventKind, Record

_MS_PER_HOUR = 3_600_000
_CONFIG_INTERVAL = 1
_TX_BEGIN = "B"
_TX_ENDS = frozenset("ELRAP")


def apply_record(
    state: TwinState, record: Record, *, index: int, verdict: Verdict, plant: Plant | None = None
) -> TwinState:
    """Return the state after a verified record that the ledger holds at ``index``.

    A record that was refused, repeated, contradicts an earlier one, or is older than what the
    mirror already shows changes no value; it is counted.

    Args:
        state: the mirror before.
        record: the record.
        index: its entry in the ledger, >= 0.
        verdict: what verification said about it.
        plant: the asset's model, or None.
    """
    if not verdict.accepted or verdict.duplicate or verdict.forked:
        return count_refusal(state, verdict.findings)
    if any(finding.code is FindingCode.LATE for finding in verdict.findings):
        return count_refusal(state, verdict.findings)
    proof = Proof(
        ctx=record.ctx,
        seq=record.seq,
        index=index,
        time_ms=record.time_ms,
        doubts=tuple(
            finding.code.value
            for finding in verdict.findings
            if finding.severity is Severity.ERROR
        ),
    )
    state = _with_derived_times(state, verdict)
    state = replace(
        state,
        serial=record.serial,
        kid=record.kid,
        revision=state.revision + 1,
        health=Health(
            status=record.status,
            err=record.err,
            input=record.input,
            tsync=record.tsync,
            bootcount=record.bootcount,
            cfg=record.cfg,
            proof=proof,
        ),
    )
    state = _with_event(state, record, proof)
    state = _with_transaction(state, record, proof)
    return _with_energies(state, record, proof, plant)


def count_refusal(state: TwinState, findings: Iterable[Finding]) -> TwinState:
    """Return the state with the findings of a record that was not taken counted."""
    counts = Counter(dict(state.refused))
    counts.update(finding.code.value for finding in findings)
    return replace(state, revision=state.revision + 1, refused=tuple(sorted(counts.items())))


def _with_derived_times(state: TwinState, verdict: Verdict) -> TwinState:
    """Give the newest registers the time that a time-set event has just settled for them."""
    times = {(settled.ctx, settled.seq): settled.time_ms for settled in verdict.derived}
    return replace(
        state,
        energies=_with_time(state.energies, times),
        fiscal=_with_time(state.fiscal, times),
    )


def _with_time(energies: Energies | None, times: Mapping[tuple[int, int], int]) -> Energies | None:
    if energies is None or energies.proof.time_ms is not None:
        return energies
    proof = energies.proof
    time_ms = times.get((proof.ctx, proof.seq))
    if time_ms is None:
        return energies
    return replace(energies, proof=replace(proof, time_ms=time_ms, derived=True))


def _with_event(state: TwinState, record: Record, proof: Proof) -> TwinState:
    event = record.event
    if event is None:
        return state
    if event.kind is EventKind.RELAY:
        return replace(state, relay_closed=Value(value=event.fields[2], proof=proof))
    if event.kind is EventKind.CONFIG and event.fields[2] == _CONFIG_INTERVAL:
        return replace(state, interval_ms=Value(value=event.fields[4], proof=proof))
    return state


def _with_transaction(state: TwinState, record: Record, proof: Proof) -> TwinState:
    if record.tx == _TX_BEGIN:
        return replace(state, transaction=Value(value=record.seq, proof=proof))
    if record.tx in _TX_ENDS:
        return replace(state, transaction=None)
    return state


def _with_energies(
    state: TwinState, record: Record, proof: Proof, plant: Plant | None
) -> TwinState:
    imported, exported = record.import_milliwatthours, record.export_milliwatthours
    if imported is None or exported is None:
        return state
    newest = Energies(
        import_milliwatthours=imported,
        export_milliwatthours=exported,
        use_s=record.use_s or 0,
        power_milliwatts=record.power_milliwatts or 0,
        proof=proof,
    )
    state = replace(state, has_plant=plant is not None)
    if record.ctx is not Ctx.FISCAL:
        return replace(state, energies=newest)
    expectation = None
    if plant is not None and state.fiscal is not None and proof.verified:
        expectation = _expectation(state, state.fiscal, newest, plant)
    return replace(
        state, energies=newest, fiscal=newest, expectation=expectation or state.expectation
    )


def _expectation(
    state: TwinState, before: Energies, newest: Energies, plant: Plant
) -> Expectation | None:
    """Compare model and registers between two readings whose times are known."""
    start_ms, end_ms = before.proof.time_ms, newest.proof.time_ms
    if start_ms is None or end_ms is None or end_ms <= start_ms or not plant.covers(end_ms):
        return None
    imported = newest.import_milliwatthours - before.import_milliwatthours
    exported = newest.export_milliwatthours - before.export_milliwatthours
    width_ms = end_ms - start_ms
    opened = state.relay_closed is not None and state.relay_closed.value == 0
    return Expectation(
        start_ms=start_ms,
        end_ms=end_ms,
        expected_milliwatts=0 if opened else plant.mean_milliwatts(start_ms, end_ms),
        metered_milliwatts=_nearest((imported - exported) * _MS_PER_HOUR, width_ms),
        basis="relay open" if opened else plant.basis,
    )


def _nearest(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)
