"""Step 6: every entry has the form of its kind, and is read once for the steps behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from wattest.errors import CborError, DecodeError, RecordError
from wattest.evidence.case import Case
from wattest.evidence.verdict import RuleBroken
from wattest.ledger.entry import Entry, EntryKind
from wattest.ledger.logged_record import record_kind
from wattest.wire import cbor
from wattest.wire.act import ActKind, is_act, parse_act
from wattest.wire.enrolment import parse_enrolment, parse_finding
from wattest.wire.entries import (
    parse_anchor,
    parse_estimate,
    parse_log_rotation,
    parse_machine_dispute,
)
from wattest.wire.record_reader import parse_record

_BODY_BYTES_MAX: Final = 65_536
_LONGER: Final[Mapping[int, int]] = {
    EntryKind.STATEMENT: 1 << 22,
    EntryKind.ANCHOR: 65_536 + 2_048,
}
_STATEMENT_DEPTH: Final = 12
_ROOT_BYTES: Final = 32
_ACTS: Final[Mapping[int, ActKind]] = {
    EntryKind.AGREEMENT: ActKind.AGREE,
    EntryKind.DISPUTE: ActKind.DISPUTE,
    EntryKind.RESOLUTION: ActKind.RESOLVE,
    EntryKind.ROTATION: ActKind.ROTATE,
    EntryKind.PAYMENT: ActKind.PAY,
}


def check_forms(case: Case) -> str:
    """Step 6: read every body."""
    for entry in case.entries:
        where = f"entry {entry.index}"
        reader = _READERS.get(entry.kind)
        if reader is None:
            raise RuleBroken("kind", where, f"a kind from 1 to 13 expected, got {entry.kind}")
        longest = _LONGER.get(entry.kind, _BODY_BYTES_MAX)
        if len(entry.body) > longest:
            raise RuleBroken("form", where, f"at most {longest} bytes expected")
        try:
            reader(case, entry)
        except DecodeError as exc:
            raise RuleBroken("form", where, str(exc)) from exc
    return f"{len(case.entries)} entries, {len(case.records)} of them records"


def _record(case: Case, entry: Entry) -> None:
    record = parse_record(entry.body)
    if record_kind(record) != entry.kind:
        raise RecordError("ctx", 0, f"another ctx than {int(record.ctx)} for kind {entry.kind}")
    case.records[entry.index] = record


def _enrolment(case: Case, entry: Entry) -> None:
    case.enrolments[entry.index] = parse_enrolment(entry.body)


def _finding(case: Case, entry: Entry) -> None:
    case.findings[entry.index] = parse_finding(entry.body)


def _terms(case: Case, entry: Entry) -> None:
    document = _document(entry.body, "terms")
    if type(document.get("contract")) is not str:
        raise RecordError("terms", 0, "contract: a text expected")
    case.terms[entry.index] = document


def _statement(case: Case, entry: Entry) -> None:
    document = _document(entry.body, "statement", depth=_STATEMENT_DEPTH)
    for key, check in _STATEMENT.items():
        if not check(document.get(key)):
            raise RecordError("statement", 0, f"{key}: missing or not as specified")
    case.statements[entry.index] = document


def _document(body: bytes, what: str, *, depth: int = cbor.MAX_DEPTH) -> Mapping[str, Any]:
    """Read terms or a statement as a map with text keys of some version."""
    try:
        document = cbor.decode(body, max_depth=depth, max_bytes=1 << 22)
    except CborError as exc:
        raise RecordError(exc.rule, exc.offset, what) from None
    if type(document) is not dict or not all(type(key) is str for key in document):
        raise RecordError(what, 0, "a map with text keys expected")
    version = document.get("format")
    if type(version) is not str or not version.startswith(f"wattest-{what}/"):
        raise RecordError(what, 0, f"format wattest-{what}/ expected")
    return document


def _whole(least: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and value >= least


def _is_period(value: Any) -> bool:
    return (
        type(value) is list
        and [type(item) for item in value] == [int, int]
        and value[0] < value[1]
    )


def _is_digest(value: Any) -> bool:
    return type(value) is bytes and len(value) == _ROOT_BYTES


def _is_cutoff(value: Any) -> bool:
    return (
        type(value) is dict
        and value.keys() == {"size", "root"}
        and _whole(1)(value["size"])
        and _is_digest(value["root"])
    )


_STATEMENT: Final[Mapping[str, Callable[[Any], bool]]] = {
    "contract": lambda value: type(value) is str,
    "period": _is_period,
    "generation": _whole(1),
    "terms": _is_digest,
    "cutoff": _is_cutoff,
}


def _act(case: Case, entry: Entry) -> None:
    signed = parse_act(entry.body)
    if signed.act.kind is not _ACTS[entry.kind]:
        raise RecordError("act", 0, f"an act of another kind than {signed.act.kind.name.lower()}")
    case.acts[entry.index] = signed


def _dispute(case: Case, entry: Entry) -> None:
    if is_act(entry.body):
        _act(case, entry)
    else:
        case.machine_disputes[entry.index] = parse_machine_dispute(entry.body)


def _rotation(case: Case, entry: Entry) -> None:
    if is_act(entry.body):
        _act(case, entry)
    else:
        case.rotations[entry.index] = parse_log_rotation(entry.body)


def _estimate(case: Case, entry: Entry) -> None:
    case.estimates[entry.index] = parse_estimate(entry.body)


def _anchor(_: Case, entry: Entry) -> None:
    parse_anchor(entry.body)


_READERS: Final[Mapping[int, Callable[[Case, Entry], None]]] = {
    EntryKind.READING: _record,
    EntryKind.EVENT: _record,
    EntryKind.ENROLMENT: _enrolment,
    EntryKind.TERMS: _terms,
    EntryKind.STATEMENT: _statement,
    EntryKind.FINDING: _finding,
    EntryKind.AGREEMENT: _act,
    EntryKind.DISPUTE: _dispute,
    EntryKind.RESOLUTION: _act,
    EntryKind.ESTIMATE: _estimate,
    EntryKind.ANCHOR: _anchor,
    EntryKind.ROTATION: _rotation,
    EntryKind.PAYMENT: _act,
}
