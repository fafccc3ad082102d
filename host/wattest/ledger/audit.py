"""The independent audit of a stored ledger: recompute everything, name what is wrong.

Steps:
1. the storage's own structure;
2. each entry: in its place, a known kind, its leaf hash recomputed from kind and body;
3. each entry's content, by the checks the caller hands in (signatures, statements recomputed);
4. each record row and conflict row: derived again from the entry's bytes; no identity twice;
5. each tile and edge: recomputed from the leaves;
6. each checkpoint: signature, size and root recomputed. All roots come from one growing sequence
   of leaves, so matching roots are consistent with one another; and the newest covers everything.

The audit trusts the checkpoint key it is given and nothing in the store. An operator who holds
that key can sign another history: against that helps a checkpoint kept by somebody else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from wattest.errors import StoreError
from wattest.ledger.audit_finding import AuditCode, AuditFinding
from wattest.ledger.audit_rows import RowAudit
from wattest.ledger.audit_tree import TreeAudit
from wattest.ledger.checkpoint import CheckpointVerifier
from wattest.ledger.entry import Entry, EntryKind
from wattest.ledger.store import LedgerReader

EntryCheck: TypeAlias = Callable[[Entry], Iterable[str]]
"""What is wrong with an entry's content, one line each; called in the order of the ledger."""

_PROGRESS_EVERY = 1024
# Beyond these the file is rubble, and naming every stone helps nobody.
_UNREADABLE_MAX = 32
_CAREFUL_ENTRIES = 1024
_GAP_MAX = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditProgress:
    """How far the audit is.

    Attributes:
        done: entries audited.
        total: entries of the ledger.
    """

    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What an audit found.

    Attributes:
        size: entries of the ledger.
        entries_checked: entries that could be read and were checked.
        checkpoints_checked: likewise.
        findings: empty if the ledger is sound.
    """

    size: int
    entries_checked: int
    checkpoints_checked: int
    findings: tuple[AuditFinding, ...]

    @property
    def sound(self) -> bool:
        """Nothing is wrong."""
        return not self.findings


AuditEvent: TypeAlias = AuditFinding | AuditProgress | AuditReport


def audit(
    reader: LedgerReader,
    verifier: CheckpointVerifier,
    checks: Mapping[EntryKind, EntryCheck] | None = None,
) -> Iterator[AuditEvent]:
    """Audit a stored ledger.

    Args:
        reader: the ledger, opened for reading.
        verifier: origin and checkpoint key, from outside the store.
        checks: what to do with the content of each kind of entry. An enrolment's check runs before
            those of the records that follow it.

    Yields:
        Findings as they are found, progress now and then, and the report last.
    """
    return _Audit(reader, verifier, checks or {}).run()


def audit_report(
    reader: LedgerReader,
    verifier: CheckpointVerifier,
    checks: Mapping[EntryKind, EntryCheck] | None = None,
) -> AuditReport:
    """Run :func:`audit` to its end and return the report."""
    for event in audit(reader, verifier, checks):
        if isinstance(event, AuditReport):
            return event
    raise AssertionError("an audit ends with its report")


class _Audit:
    """One run over a ledger."""

    def __init__(
        self,
        reader: LedgerReader,
        verifier: CheckpointVerifier,
        checks: Mapping[EntryKind, EntryCheck],
    ) -> None:
        self._reader = reader
        self._verifier = verifier
        self._checks = checks
        self._size = 0
        self._entries_checked = 0
        self._checkpoints_checked = 0

    def run(self) -> Iterator[AuditEvent]:
        findings = []
        for event in self._events():
            if isinstance(event, AuditFinding):
                findings.append(event)
            yield event
        yield AuditReport(
            size=self._size,
            entries_checked=self._entries_checked,
            checkpoints_checked=self._checkpoints_checked,
            findings=tuple(findings),
        )

    def _events(self) -> Iterator[AuditFinding | AuditProgress]:
        yield from self._structure()
        try:
            head = self._reader.head()
        except StoreError as exc:
            yield _unreadable("file", "", exc)
            return
        self._size = head.size
        tree = TreeAudit(self._reader, self._verifier, head)
        rows = RowAudit(self._reader)
        for place, entry in self._read_entries():
            if isinstance(entry, AuditFinding):
                yield entry
                yield from tree.skip(place)
                continue
            self._entries_checked += 1
            wrong = list(tree.take(entry))
            yield from wrong
            # What a damaged body says is not evidence about anything else.
            if not any(f.table == "entry" and f.index == entry.index for f in wrong):
                yield from self._content(entry)
                yield from rows.take(entry)
            else:
                rows.skip(entry.index)
            if self._entries_checked % _PROGRESS_EVERY == 0:
                yield AuditProgress(done=place + 1, total=self._size)
        yield from tree.finish()
        yield from rows.finish()
        self._checkpoints_checked = tree.checkpoints_checked
        yield AuditProgress(done=self._size, total=self._size)

    def _structure(self) -> Iterator[AuditFinding]:
        try:
            for line in self._reader.damage():
                yield AuditFinding(
                    code=AuditCode.DAMAGED, table="file", place="", index=None, message=line
                )
        except StoreError as exc:
            yield _unreadable("file", "", exc)

    def _read_entries(self) -> Iterator[tuple[int, Entry | AuditFinding]]:
        """Yield each place of the ledger with its entry, or with why there is none."""
        place = 0
        unreadable = 0
        careful_until = 0
        while place < self._size:
            # Storage reads in chunks: after a failure, read one by one to name the entry.
            stop = place + 1 if place < careful_until else self._size
            try:
                for entry in self._reader.entries(place, stop):
                    if entry.index != place:
                        yield from _missing(place, entry.index)
                    if entry.index - place > _GAP_MAX:
                        return
                    place = entry.index + 1
                    yield entry.index, entry
            except StoreError as exc:
                if stop > place + 1:
                    careful_until = place + _CAREFUL_ENTRIES
                    continue
                yield place, _unreadable("entry", str(place), exc, place)
                place += 1
                unreadable += 1
                if unreadable == _UNREADABLE_MAX:
                    return
            else:
                yield from _missing(place, stop)
                place = stop

    def _content(self, entry: Entry) -> Iterator[AuditFinding]:
        try:
            kind = EntryKind(entry.kind)
        except ValueError:
            message = f"expected a kind from 1 to {max(EntryKind)}, got {entry.kind}"
            yield _invalid(entry, message)
            return
        check = self._checks.get(kind)
        if check is not None:
            for message in check(entry):
                yield _invalid(entry, message)


def _missing(start: int, stop: int) -> Iterator[tuple[int, AuditFinding]]:
    for index in range(start, min(stop, start + _GAP_MAX)):
        finding = AuditFinding(
            code=AuditCode.MISSING,
            table="entry",
            place=str(index),
            index=index,
            message="the entry is missing",
        )
        yield index, finding


def _invalid(entry: Entry, message: str) -> AuditFinding:
    return AuditFinding(
        code=AuditCode.INVALID,
        table="entry",
        place=str(entry.index),
        index=entry.index,
        message=message,
    )


def _unreadable(table: str, place: str, exc: StoreError, index: int | None = None) -> AuditFinding:
    return AuditFinding(
        code=AuditCode.UNREADABLE, table=table, place=place, index=index, message=str(exc)
    )
