"""What the steps of a verification learn and hand on: one value that grows step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wattest.evidence.bundle import Bundle
from wattest.evidence.manifest import StatementSubject
from wattest.ledger.entry import Entry, EntryKind
from wattest.wire.act import SignedAct
from wattest.wire.enrolment import Enrolment, KeptFinding
from wattest.wire.entries import LoggedEstimate, LogRotation, MachineDispute
from wattest.wire.note import Checkpoint
from wattest.wire.record import Record

RECORD_KINDS = (EntryKind.READING, EntryKind.EVENT)


@dataclass(slots=True, kw_only=True)
class Case:
    """A bundle under verification.

    Attributes:
        bundle: as step 1 read it.
        told: the log key the verifier was told, or None.
        checkpoint: what all inclusion is proved to; from step 2 on.
        cutoffs: by generation; from step 2 on.
        records, enrolments, findings, terms, statements, acts, machine_disputes, estimates,
            rotations: bodies by index of their entry; from step 6 on.
        notes: what a reader should know.
    """

    bundle: Bundle
    told: str | None = None
    checkpoint: Checkpoint | None = None
    cutoffs: dict[int, Checkpoint] = field(default_factory=dict)
    records: dict[int, Record] = field(default_factory=dict)
    enrolments: dict[int, Enrolment] = field(default_factory=dict)
    findings: dict[int, KeptFinding] = field(default_factory=dict)
    terms: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    statements: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    acts: dict[int, SignedAct] = field(default_factory=dict)
    machine_disputes: dict[int, MachineDispute] = field(default_factory=dict)
    estimates: dict[int, LoggedEstimate] = field(default_factory=dict)
    rotations: dict[int, LogRotation] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def statement(self) -> StatementSubject | None:
        """What a bundle of a statement is about; None in the other forms."""
        subject = self.bundle.manifest.subject
        return subject if isinstance(subject, StatementSubject) else None

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries, ascending by index."""
        return self.bundle.entries

    def own_statements(self) -> dict[int, Mapping[str, Any]]:
        """Return the statements the bundle is about, by index of their entries."""
        subject = self.statement
        if subject is None:
            return {}
        about = (subject.contract, list(subject.period))
        return {
            index: document
            for index, document in self.statements.items()
            if (document["contract"], document["period"]) == about
        }

    def body(self, index: int) -> bytes:
        """Return the body of an entry that is in the bundle."""
        return next(entry.body for entry in self.bundle.entries if entry.index == index)

    def name(self, index: int) -> str:
        """Name an entry for people: its record's node and number where it holds one."""
        record = self.records.get(index)
        if record is None:
            return f"entry {index}"
        what = "event" if record.event is not None else "reading"
        return f"entry {index} ({what} {record.seq} of {record.serial})"

    def series(self) -> Mapping[bytes, list[tuple[int, Record]]]:
        """Return each key's records with their indexes, in the order of the log."""
        found: dict[bytes, list[tuple[int, Record]]] = {}
        for index, record in self.records.items():
            found.setdefault(record.kid, []).append((index, record))
        return found
