"""Steps 8 and 9: records are of enrolled keys and well signed; what is named is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from wattest.errors import DecodeError, SignatureInvalid
from wattest.evidence.case import Case
from wattest.evidence.manifest import ReadingSubject, SessionSubject
from wattest.evidence.verdict import RuleBroken
from wattest.ledger.conflict import CONFLICT_CODE
from wattest.settlement.period import TIME_MS_MAX, format_instant
from wattest.units import format_decimal
from wattest.verify.signature import load_key, verify_es256
from wattest.verify.steps import name_numbers
from wattest.wire.cose import record_to_be_signed
from wattest.wire.enrolment import Enrolment, EnrolmentAction, KeptFinding
from wattest.wire.record import Ctx, Record
from wattest.wire.record_reader import parse_record

_ENDS_OF_SESSION = frozenset("ELRAP")
_NOTES_MAX = 20


@dataclass(slots=True)
class _Keys:
    """What enrolments said so far."""

    first: dict[bytes, Enrolment] = field(default_factory=dict)
    public: dict[bytes, ec.EllipticCurvePublicKey] = field(default_factory=dict)
    closed: dict[bytes, int] = field(default_factory=dict)


def check_records(case: Case) -> str:
    """Step 8: enrolments, signatures, one content for each number."""
    keys = _Keys()
    seen: set[tuple[bytes, int, int]] = set()
    for entry in case.entries:
        index = entry.index
        if index in case.enrolments:
            _enrol(keys, index, case.enrolments[index])
        elif index in case.records:
            record = case.records[index]
            _check_record(case, keys, index, record)
            if record.identity in seen:
                raise RuleBroken("identity", case.name(index), "its number expected once")
            seen.add(record.identity)
        elif index in case.findings and case.findings[index].code == CONFLICT_CODE:
            _check_conflict(keys, index, case.findings[index])
    return f"{len(seen)} records of {len(keys.first)} keys"


def check_completeness(case: Case) -> str:
    """Step 9: what statements, findings and the manifest name is there; gaps are named."""
    for document in case.own_statements().values():
        _check_named(case, document)
    for index, finding in case.findings.items():
        if finding.code == CONFLICT_CODE:
            first = _check_first_content(case, index, finding)
            case.notes.append(
                f"{case.records[first].serial}: ctx {finding.ctx} number {finding.seq} was signed "
                f"with two contents, entries {first} and {index}"
            )
    subject = case.bundle.manifest.subject
    if isinstance(subject, SessionSubject):
        return _check_session(case, subject)
    if isinstance(subject, ReadingSubject):
        return _check_reading(case, subject)
    gaps = [line for run in case.series().values() for line in _gaps(run)]
    case.notes += gaps[:_NOTES_MAX]
    if len(gaps) > _NOTES_MAX:
        case.notes.append(f"and {len(gaps) - _NOTES_MAX} more gaps")
    return "everything named is there" + (f"; {len(gaps)} gaps named" if gaps else "")


def _enrol(keys: _Keys, index: int, enrolment: Enrolment) -> None:
    where = f"entry {index} (enrolment of {enrolment.serial})"
    kid = enrolment.kid
    if kid in keys.closed:
        message = f"key {kid.hex()} was closed by entry {keys.closed[kid]}"
        raise RuleBroken("enrolment", where, message)
    first = keys.first.get(kid)
    if first is None and enrolment.action is EnrolmentAction.RETIRE:
        raise RuleBroken("enrolment", where, f"key {kid.hex()} expected to be enrolled before")
    if first is not None and _promise(first) != _promise(enrolment):
        message = "serial, asset, kind, board, demo and largest power of the first expected"
        raise RuleBroken("enrolment", where, message)
    if first is None:
        try:
            keys.public[kid] = load_key(enrolment.spki)
        except SignatureInvalid as exc:
            raise RuleBroken("enrolment", where, str(exc)) from exc
        keys.first[kid] = enrolment
    if enrolment.action is EnrolmentAction.RETIRE:
        keys.closed[kid] = index
    elif enrolment.action is EnrolmentAction.REKEY:
        keys.closed[enrolment.replaces] = index


def _promise(enrolment: Enrolment) -> tuple[object, ...]:
    return (
        enrolment.serial,
        enrolment.asset,
        enrolment.kind,
        enrolment.board,
        enrolment.demo,
        enrolment.power_max_milliwatts,
    )


def _check_record(case: Case, keys: _Keys, index: int, record: Record) -> None:
    kid = record.kid
    if kid not in keys.public:
        message = f"an enrolment of key {kid.hex()} before it expected, got none"
        raise RuleBroken("unknown-key", case.name(index), message)
    if kid in keys.closed:
        message = f"key {kid.hex()} was closed by entry {keys.closed[kid]}"
        raise RuleBroken("retired-key", case.name(index), message)
    try:
        _verify(keys.public[kid], record)
    except SignatureInvalid as exc:
        raise RuleBroken("record-signature", case.name(index), str(exc)) from exc


def _verify(key: ec.EllipticCurvePublicKey, record: Record) -> None:
    verify_es256(key, record_to_be_signed(record.encoded), record.encoded[-64:])


def _check_conflict(keys: _Keys, index: int, finding: KeptFinding) -> None:
    where = f"entry {index} (conflict)"
    key = keys.public.get(finding.kid)
    if key is None:
        message = f"an enrolment of key {finding.kid.hex()} before it expected, got none"
        raise RuleBroken("conflict", where, message)
    try:
        record = parse_record(finding.record or b"")
        if record.identity != (finding.kid, finding.ctx, finding.seq):
            raise RuleBroken("conflict", where, "the record it keeps has another number")
        _verify(key, record)
    except (DecodeError, SignatureInvalid) as exc:
        raise RuleBroken("conflict", where, f"the record it keeps accuses nobody: {exc}") from exc


def _check_first_content(case: Case, index: int, finding: KeptFinding) -> int:
    identity = (finding.kid, finding.ctx, finding.seq)
    later = parse_record(finding.record or b"")
    for place, record in case.records.items():
        if place < index and record.identity == identity:
            if record.content_digest != later.content_digest:
                return place
            break
    raise RuleBroken(
        "conflict-first",
        f"entry {index} (conflict)",
        f"another content of ctx {finding.ctx} number {finding.seq} before it expected",
    )


def _check_named(case: Case, document: Mapping[str, Any]) -> None:
    """Look up every record and key that a statement names."""
    enrolled = {enrolment.kid for enrolment in case.enrolments.values()}
    where = f"statement, generation {document['generation']}"
    for kid, ends in _keys_of(document):
        if kid not in enrolled:
            message = f"an enrolment of key {kid.hex()} expected"
            raise RuleBroken("missing-enrolment", where, message)
        for ref in ends:
            index, ctx, seq = ref.get("index"), ref.get("ctx"), ref.get("seq")
            if type(index) is not int or type(ctx) is not int or type(seq) is not int:
                continue  # step 10 says so
            record = case.records.get(index)
            if record is None or record.identity != (kid, ctx, seq):
                message = f"ctx {ctx} number {seq} of key {kid.hex()} expected in entry {index}"
                raise RuleBroken("missing-record", where, message)


def _keys_of(document: Mapping[str, Any]) -> Iterator[tuple[bytes, list[Mapping[str, Any]]]]:
    """Yield each key a statement names with the records at the ends of its metered time.

    What is not where it should be is passed over: settling again finds it.
    """
    for line in _maps(document.get("lines")):
        for usage in _maps(line.get("usage")):
            for key in _maps(usage.get("keys")):
                kid = key.get("kid")
                if type(kid) is bytes:
                    ends = [end for name in ("start", "end") for end in _maps([key.get(name)])]
                    yield kid, [ref for end in ends for ref in _maps(end.get("records"))]


def _maps(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if type(item) is dict] if type(value) is list else []


def _check_reading(case: Case, subject: ReadingSubject) -> str:
    name = (subject.kid, subject.ctx, subject.seq)
    for index, record in case.records.items():
        if record.identity == name:
            energy = f"import {_wh(record.import_milliwatthours)}"
            energy += f", export {_wh(record.export_milliwatthours)}"
            return f"{case.name(index)}, {_time(record.time_ms)}: {energy}"
    message = f"ctx {subject.ctx} number {subject.seq} of key {subject.kid.hex()} expected"
    raise RuleBroken("reading", "entries.cbor", message)


def _time(time_ms: int | None) -> str:
    if time_ms is None:
        return "without a time"
    return format_instant(time_ms) if 0 <= time_ms < TIME_MS_MAX else f"at {time_ms} ms"


def _wh(milliwatthours: int | None) -> str:
    if milliwatthours is None:
        return "absent"
    return f"{format_decimal(Fraction(milliwatthours, 1000), 3)} Wh"


def _check_session(case: Case, subject: SessionSubject) -> str:
    found = {
        record.seq: record
        for record in case.records.values()
        if record.kid == subject.kid and record.ctx is Ctx.TRANSACTION
    }
    where = f"session {subject.begin} to {subject.end} of key {subject.kid.hex()}"
    if subject.end <= subject.begin or subject.end - subject.begin > len(found):
        raise RuleBroken("session", where, "its records from the first to the last expected")
    records = [found.get(seq) for seq in range(subject.begin, subject.end + 1)]
    last: Record | None = None
    for seq, record in enumerate(records, subject.begin):
        if record is None:
            raise RuleBroken("session", where, f"ctx 1 number {seq} expected")
        tx = record.tx or ""
        ends = tx in _ENDS_OF_SESSION
        if (tx == "B") != (seq == subject.begin) or ends != (seq == subject.end):
            raise RuleBroken("session", where, f"tx {tx} of number {seq} in this place")
        if last is not None and not _grew(last, record):
            raise RuleBroken("session", where, f"registers of number {seq} below those before")
        last = record
    assert records[0] is not None, "the loop looked at all of them"
    assert last is not None, "there are at least two"
    return f"{records[0].serial}: {_delivered(records[0], last)}"


def _delivered(first: Record, last: Record) -> str:
    """Say what a session delivered; its registers are known to be there."""
    pairs = (
        ("import", first.import_milliwatthours, last.import_milliwatthours),
        ("export", first.export_milliwatthours, last.export_milliwatthours),
    )
    return ", ".join(f"{name} {_wh((after or 0) - (old or 0))}" for name, old, after in pairs)


def _grew(before: Record, after: Record) -> bool:
    """Tell whether import and export are there and did not fall."""
    pairs = (
        (before.import_milliwatthours, after.import_milliwatthours),
        (before.export_milliwatthours, after.export_milliwatthours),
    )
    return all(old is not None and new is not None and new >= old for old, new in pairs)


def _gaps(run: list[tuple[int, Record]]) -> Iterator[str]:
    """Name what is missing between the records of one key, late ones counted as there."""
    serial = run[0][1].serial
    missing = False
    for ctx in Ctx:
        numbers = sorted(record.seq for _, record in run if record.ctx is ctx)
        for before, after in pairwise(numbers):
            if after > before + 1:
                missing = True
                yield f"{serial}: ctx {int(ctx)}: {name_numbers(before + 1, after - 1)}"
    if missing:
        return
    digests = {record.digest for _, record in run}
    for index, record in run[1:]:
        if record.prev not in digests:
            yield f"{serial}: entry {index} names a record before it that is not here"
