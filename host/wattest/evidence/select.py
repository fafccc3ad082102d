"""Which entries of a ledger belong into a bundle.

Source: docs/evidence.md section 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from wattest.errors import SettlementError, UsageError
from wattest.evidence.catalogue import Catalogue
from wattest.evidence.manifest import ReadingSubject, SessionSubject
from wattest.evidence.neighbours import clock_of, rows_around
from wattest.ledger.entry import RecordRow
from wattest.ledger.store import LedgerReader
from wattest.settlement import Terms, Window
from wattest.settlement.engine import evidence_window
from wattest.wire.act import DisputeAct, ResolutionAct
from wattest.wire.record import Ctx, Record
from wattest.wire.record_reader import parse_record

_ENDS_OF_SESSION = frozenset("ELRAP")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A statement in the ledger: every generation of it.

    Attributes:
        contract: its name.
        period: (begin, end), UTC ms.
        statements: documents by index, in the order of the ledger.
    """

    contract: str
    period: tuple[int, int]
    statements: Mapping[int, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reach:
    """What one generation's evidence is taken from.

    Attributes:
        size: entries before its cut-off.
        window: the period, and earlier ones that a line looks back to.
        relays: a line asks for availability.
    """

    size: int
    window: Window
    relays: bool


def subjects_of(catalogue: Catalogue, contract: str) -> list[Subject]:
    """Return the statements of a contract by period, ascending."""
    found: dict[tuple[int, int], dict[int, Mapping[str, Any]]] = {}
    for index, document in catalogue.statements.items():
        period = document.get("period")
        if document.get("contract") == contract and type(period) is list and len(period) == 2:
            found.setdefault((period[0], period[1]), {})[index] = document
    return [
        Subject(contract=contract, period=period, statements=found[period])
        for period in sorted(found)
    ]


class Selection:
    """Chooses entries of one ledger.

    Args:
        reader: the ledger.
        catalogue: what it holds besides records.
    """

    def __init__(self, reader: LedgerReader, catalogue: Catalogue) -> None:
        self._reader = reader
        self._catalogue = catalogue

    def statement(self, subject: Subject, terms: Mapping[bytes, Terms]) -> set[int]:
        """Return the indexes of what proves a statement.

        Args:
            subject: the statement.
            terms: all terms of the contract by their hash.

        Raises:
            SettlementError: the ledger does not have the terms of a statement.
        """
        catalogue = self._catalogue
        wanted = {asset for value in terms.values() for asset in value.assets}
        reaches = [_reach(document, terms, subject) for document in subject.statements.values()]
        reaches += [
            _Reach(size=document["opening"], window=_instant(subject.period[0]), relays=False)
            for document in subject.statements.values()
            if "opening" in document
        ]
        chosen = {*subject.statements, *catalogue.log_rotations}
        chosen |= self._before(subject)
        chosen |= {
            index
            for index, document in catalogue.terms.items()
            if document.get("contract") == subject.contract
        }
        kids = {e.kid for e in catalogue.enrolments.values() if e.asset in wanted}
        chosen |= self._enrolments(kids)
        rows: dict[tuple[bytes, int, int], int] = {}
        for kid in sorted(kids):
            chosen |= self._records(kid, reaches, rows)
        chosen |= self._conflicts(subject, rows, chosen)
        chosen |= self._acts(subject, chosen)
        chosen |= {
            index
            for index, estimate in catalogue.estimates.items()
            if estimate.asset in wanted
            and estimate.window[0] < subject.period[1]
            and subject.period[0] < estimate.window[1]
        }
        return chosen

    def _before(self, subject: Subject) -> set[int]:
        """Final statements of the period before that froze the value at the begin."""
        openings = {document.get("opening") for document in subject.statements.values()} - {None}
        found: dict[int, int] = {}
        for index, document in self._catalogue.statements.items():
            period = document.get("period")
            if (
                document.get("contract") == subject.contract
                and type(period) is list
                and period[-1:] == [subject.period[0]]
                and document.get("state") == "final"
                and document["cutoff"]["size"] in openings
            ):
                found.setdefault(document["cutoff"]["size"], index)
        return set(found.values())

    def session(self, subject: SessionSubject) -> set[int]:
        """Return the indexes of what proves a session."""
        rows = [*self._reader.records(subject.kid)]
        chosen = self._enrolments({subject.kid})
        for row in rows:
            facts = row.facts
            if facts.ctx == Ctx.TRANSACTION and subject.begin <= facts.seq <= subject.end:
                chosen |= self._with_clock(rows, row)
        return chosen | self._doubts(rows, chosen)

    def reading(self, subject: ReadingSubject) -> set[int]:
        """Return the indexes of what proves one record.

        Raises:
            UsageError: the ledger has no such record.
        """
        rows = [*self._reader.records(subject.kid)]
        for row in rows:
            if (row.facts.ctx, row.facts.seq) == (subject.ctx, subject.seq):
                chosen = self._with_clock(rows, row)
                return self._enrolments({subject.kid}) | chosen | self._doubts(rows, chosen)
        raise UsageError(
            f"the ledger has no record ctx {subject.ctx} number {subject.seq} "
            f"of key {subject.kid.hex()}"
        )

    def sessions(self) -> list[tuple[str, SessionSubject]]:
        """Return every session of the ledger that ended, with its id (may be empty)."""
        found = []
        for kid in sorted({e.kid for e in self._catalogue.enrolments.values()}):
            open_id: str | None = None
            begin = 0
            for row in self._reader.records(kid, int(Ctx.TRANSACTION)):
                record = self._record(row.index)
                if record.tx == "B":
                    open_id = record.user[4] if record.user else ""
                    begin = record.seq
                elif open_id is not None and (record.tx or "") in _ENDS_OF_SESSION:
                    subject = SessionSubject(kid=kid, begin=begin, end=record.seq)
                    found.append((open_id, subject))
                    open_id = None
        return found

    def _record(self, index: int) -> Record:
        (entry,) = self._reader.entries(index, index + 1)
        return parse_record(entry.body)

    def _enrolments(self, kids: set[bytes]) -> set[int]:
        """Every promise about keys, what replaced them included."""
        return {
            index
            for index, enrolment in self._catalogue.enrolments.items()
            if enrolment.kid in kids or enrolment.replaces in kids
        }

    def _doubts(self, rows: list[RecordRow], chosen: set[int]) -> set[int]:
        """Return the conflicts about chosen records of a key, and the disputes over them."""
        names = {(r.facts.kid, r.facts.ctx, r.facts.seq) for r in rows if r.index in chosen}
        found: set[int] = set()
        for index, finding in self._catalogue.conflicts.items():
            if (finding.kid, finding.ctx, finding.seq) in names:
                found.add(index)
                found.add(self._catalogue.machine_disputes.get(index, index))
        return found

    def _with_clock(self, rows: list[RecordRow], row: RecordRow) -> set[int]:
        clock = clock_of(rows, row.facts, self._record)
        return {row.index} if clock is None else {row.index, clock}

    def _records(
        self,
        kid: bytes,
        reaches: Iterable[_Reach],
        names: dict[tuple[bytes, int, int], int],
    ) -> set[int]:
        rows = [*self._reader.records(kid)]
        names |= {(kid, row.facts.ctx, row.facts.seq): row.index for row in rows}
        chosen: set[int] = set()
        for reach in reaches:
            before = [row for row in rows if row.index < reach.size]
            span = (reach.window.start_ms, reach.window.end_ms)
            chosen |= rows_around(before, *span, self._record, relays=reach.relays)
        return chosen

    def _conflicts(
        self, subject: Subject, names: dict[tuple[bytes, int, int], int], chosen: set[int]
    ) -> set[int]:
        found: set[int] = set()
        for index, finding in self._catalogue.conflicts.items():
            first = names.get((finding.kid, finding.ctx, finding.seq))
            if first is None:
                continue
            if first in chosen or _lies_in(finding.record, subject.period):
                found |= {index, first}
                if index in self._catalogue.machine_disputes:
                    found.add(self._catalogue.machine_disputes[index])
        return found

    def _acts(self, subject: Subject, chosen: set[int]) -> set[int]:
        catalogue = self._catalogue
        found: set[int] = set()
        disputes = {
            sha256(catalogue.bodies[index]).digest()
            for index in catalogue.machine_disputes.values()
            if index in chosen
        }
        for index, signed in catalogue.acts.items():
            act = signed.act
            if act.contract != subject.contract:
                continue
            if isinstance(act, DisputeAct):
                if act.period != subject.period:
                    continue
                disputes.add(sha256(catalogue.bodies[index]).digest())
            elif isinstance(act, ResolutionAct) and act.dispute not in disputes:
                continue
            found.add(index)
        return found


def _reach(document: Mapping[str, Any], terms: Mapping[bytes, Terms], subject: Subject) -> _Reach:
    digest = document["terms"]
    if digest not in terms:
        raise SettlementError(
            f"contract {subject.contract}: terms {digest.hex()} expected in the ledger, got none"
        )
    period = Window(start_ms=subject.period[0], end_ms=subject.period[1])
    return _Reach(
        size=document["cutoff"]["size"],
        window=evidence_window(terms[digest], period),
        relays=terms[digest].uses_availability,
    )


def _instant(time_ms: int) -> Window:
    return Window(start_ms=time_ms, end_ms=time_ms)


def _lies_in(body: bytes | None, period: tuple[int, int]) -> bool:
    record = parse_record(body or b"")
    return record.time_ms is not None and period[0] <= record.time_ms < period[1]
