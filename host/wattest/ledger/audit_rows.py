"""The part of the audit that derives the index rows again: records, conflicts, identities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields

from wattest.errors import DecodeError, StoreError
from wattest.ledger.audit_finding import AuditCode, AuditFinding
from wattest.ledger.conflict import CONFLICT_CODE
from wattest.ledger.entry import ConflictRow, Entry, EntryKind, RecordFacts, RecordRow
from wattest.ledger.logged_record import facts_of, record_kind
from wattest.ledger.store import LedgerReader
from wattest.wire.enrolment import parse_finding
from wattest.wire.record import Record
from wattest.wire.record_reader import parse_record

_RECORD_KINDS = (EntryKind.READING, EntryKind.EVENT)
_FACT_NAMES = tuple(field.name for field in fields(RecordFacts))


class RowAudit:
    """Takes sound entries in order and compares what they say with the rows about them.

    Args:
        reader: the ledger.
    """

    def __init__(self, reader: LedgerReader) -> None:
        self._rows = _RowCursor(reader)
        self._conflicts: dict[int, list[ConflictRow]] = {}
        self._early = list(self._read_conflicts(reader))
        self._first_index: dict[tuple[bytes, int, int], int] = {}

    def take(self, entry: Entry) -> Iterator[AuditFinding]:
        """Check the rows about an entry."""
        rows = self._rows.at(entry.index)
        if strays := self._rows.strays():
            yield from strays
        facts = None
        if entry.kind in _RECORD_KINDS:
            try:
                record = parse_record(entry.body)
            except DecodeError as exc:
                yield _invalid(entry.index, str(exc))
                return
            yield from self._check_record(entry, record)
            facts = facts_of(record)
        if (rows or facts is not None) and not self._rows.broken:
            yield from _compare_rows(entry.index, facts, rows)
        conflicts = self._conflicts.pop(entry.index, [])
        if conflicts or entry.kind == EntryKind.FINDING:
            yield from self._check_conflicts(entry, conflicts)

    def skip(self, index: int) -> None:
        """Go past the rows about a damaged entry: there is nothing to compare them with."""
        self._rows.at(index)
        self._conflicts.pop(index, None)

    def finish(self) -> Iterator[AuditFinding]:
        """Name the rows that belong to no entry."""
        yield from self._early
        self._rows.at(None)
        yield from self._rows.strays()
        for conflicts in self._conflicts.values():
            for row in conflicts:
                yield _conflict_finding(AuditCode.UNEXPECTED, row, "no such conflict entry")

    def _read_conflicts(self, reader: LedgerReader) -> Iterator[AuditFinding]:
        try:
            for row in reader.conflicts():
                self._conflicts.setdefault(row.index, []).append(row)
        except StoreError as exc:
            yield _finding(AuditCode.UNREADABLE, "conflict", "", None, str(exc))

    def _check_record(self, entry: Entry, record: Record) -> Iterator[AuditFinding]:
        expected = record_kind(record)
        if entry.kind != expected:
            message = f"expected kind {int(expected)} for ctx {int(record.ctx)}, got {entry.kind}"
            yield _invalid(entry.index, message)
        first = self._first_index.setdefault(record.identity, entry.index)
        if first != entry.index:
            yield _invalid(entry.index, f"its identity is that of entry {first}")

    def _check_conflicts(
        self, entry: Entry, rows: Sequence[ConflictRow]
    ) -> Iterator[AuditFinding]:
        """A conflict entry has exactly one row, and no other entry has any."""
        later = _conflicting_record(entry)
        if later is None:
            for row in rows:
                message = f"entry {entry.index} keeps no conflicting record"
                yield _conflict_finding(AuditCode.UNEXPECTED, row, message)
            return
        expected = ConflictRow(
            kid=later.kid,
            ctx=int(later.ctx),
            seq=later.seq,
            content_digest=later.content_digest,
            first_index=self._first_index.get(later.identity, -1),
            index=entry.index,
        )
        if expected.first_index < 0:
            yield _invalid(entry.index, "no earlier entry has the identity it conflicts with")
        if not rows:
            message = "the row of this conflict is missing"
            yield _conflict_finding(AuditCode.MISSING, expected, message)
        for row in rows:
            if row != expected:
                message = f"the row does not match entry {entry.index}"
                yield _conflict_finding(AuditCode.CHANGED, row, message)


class _RowCursor:
    """Walks the record rows, which come by index, beside the entries.

    Attributes:
        broken: the rows could not be read to their end; from there on nothing can be compared.
    """

    def __init__(self, reader: LedgerReader) -> None:
        self.broken = False
        self._rows = reader.records()
        self._strays: list[AuditFinding] = []
        self._next = self._read()

    def at(self, index: int | None) -> list[RecordRow]:
        """Return the rows of an entry; rows before it belong to none. None: go to the end."""
        found = []
        while (row := self._next) is not None:
            placed = isinstance(row.index, int)
            if placed and index is not None and row.index > index:
                break
            if placed and row.index == index:
                found.append(row)
            else:
                self._strays.append(
                    _row_finding(AuditCode.UNEXPECTED, row, f"no record in entry {row.index}")
                )
            self._next = self._read()
        return found

    def strays(self) -> list[AuditFinding]:
        """Return, once, what was found wrong on the way."""
        strays, self._strays = self._strays, []
        return strays

    def _read(self) -> RecordRow | None:
        try:
            return next(self._rows, None)
        except StoreError as exc:
            self._strays.append(_finding(AuditCode.UNREADABLE, "record", "", None, str(exc)))
            self.broken = True
            return None


def _compare_rows(
    index: int, facts: RecordFacts | None, rows: Sequence[RecordRow]
) -> Iterator[AuditFinding]:
    """An entry with a record has exactly one row, which says what the record says."""
    if facts is None:
        for row in rows:
            yield _row_finding(AuditCode.UNEXPECTED, row, f"entry {index} is not a record")
        return
    if not rows:
        place = f"{facts.kid.hex()}/{facts.ctx}/{facts.seq}"
        message = f"the row of entry {index} is missing"
        yield _finding(AuditCode.MISSING, "record", place, index, message)
    for row in rows:
        for name in _FACT_NAMES:
            expected, got = getattr(facts, name), getattr(row.facts, name)
            if expected != got or type(expected) is not type(got):
                message = f"{name} of entry {index}: expected {_show(expected)}, got {_show(got)}"
                yield _row_finding(AuditCode.CHANGED, row, message)


def _conflicting_record(entry: Entry) -> Record | None:
    """Return the record a conflict entry keeps; None for any other entry."""
    if entry.kind != EntryKind.FINDING:
        return None
    try:
        finding = parse_finding(entry.body)
        if finding.code != CONFLICT_CODE or finding.record is None:
            return None
        return parse_record(finding.record)
    except DecodeError:
        return None


def _show(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else repr(value)


def _row_finding(code: AuditCode, row: RecordRow, message: str) -> AuditFinding:
    facts = row.facts
    place = f"{_show(facts.kid)}/{facts.ctx}/{facts.seq}"
    return _finding(code, "record", place, row.index, message)


def _conflict_finding(code: AuditCode, row: ConflictRow, message: str) -> AuditFinding:
    place = f"{_show(row.kid)}/{row.ctx}/{row.seq}"
    return _finding(code, "conflict", place, row.index, message)


def _invalid(index: int, message: str) -> AuditFinding:
    return _finding(AuditCode.INVALID, "entry", str(index), index, message)


def _finding(
    code: AuditCode, table: str, place: str, index: int | None, message: str
) -> AuditFinding:
    return AuditFinding(code=code, table=table, place=place, index=index, message=message)
