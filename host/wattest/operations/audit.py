"""The audit of a kept run: everything is recomputed from the evidence, nothing is taken on trust.

On top of the ledger's own audit (`wattest.ledger.audit`) it draws every statement again, compares
the statement files with the ledger, the ledger with the checkpoint that run.json keeps beside it,
and every file with its digest. Record by record it can ask a second opinion from other libraries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wattest.errors import WattestError
from wattest.ledger import CheckpointVerifier, Entry, EntryKind, LedgerView
from wattest.ledger.audit import AuditProgress, audit
from wattest.ledger.audit import AuditReport as LedgerReport
from wattest.ledger.audit_finding import AuditFinding
from wattest.ledger.evidence import EvidenceChecks
from wattest.operations.ledger_view import checkpoint_verifier
from wattest.operations.rundir import RunDir
from wattest.settlement import (
    MeteringNode,
    ReadingBook,
    Terms,
    node_of_enrolment,
    recompute,
    terms_from_cbor,
    terms_hash,
)
from wattest.store import SqliteStore
from wattest.verify.second_opinion import second_opinion
from wattest.wire import Enrolment, parse_enrolment, parse_record


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong.

    Args:
        where: table or file, and the place in it.
        message: what was expected and what was found.
        index: entry of the ledger, or None.
    """

    where: str
    message: str
    index: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditProgressed:
    """``done`` of ``whole`` entries are audited."""

    done: int
    whole: int
    what: str = "entries"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What the audit found; ``passed`` is true if nothing is wrong."""

    passed: bool
    problems: tuple[Problem, ...]
    entries: int
    records: int
    checkpoints: int
    statements: int


AuditEvent = AuditProgressed | AuditReport


def audit_run(path: Path, *, second_opinion: bool = False) -> Iterator[AuditEvent]:
    """Audit the run in ``path``; yields progress, and the report last.

    Args:
        path: the folder of the run.
        second_opinion: also decode each record with cbor2 and check it with ecdsa.

    Raises:
        ConfigError: this is not the folder of a run.
        StoreError: its ledger cannot be opened at all.
    """
    run = RunDir(path)
    verifier = checkpoint_verifier(run)
    checks = _Checks(ask_again=second_opinion)
    problems: list[Problem] = []
    entries = checkpoints = 0
    with SqliteStore(run.ledger, read_only=True) as store:
        for event in audit(store, verifier, checks.by_kind):
            match event:
                case AuditFinding():
                    problems.append(_problem(event))
                case AuditProgress():
                    yield AuditProgressed(done=event.done, whole=event.total)
                case LedgerReport():
                    entries = event.entries_checked
                    checkpoints = event.checkpoints_checked
        if not problems:
            problems += _check_kept_checkpoint(run, verifier, LedgerView(store, verifier))
    problems += _check_statement_files(run, checks)
    problems += _check_digests(run)
    yield AuditReport(
        passed=not problems,
        problems=tuple(problems),
        entries=entries,
        records=checks.records,
        checkpoints=checkpoints,
        statements=len(checks.statements),
    )


class _Checks:
    """Checks of entry contents, in the order of the ledger."""

    def __init__(self, *, ask_again: bool) -> None:
        self._evidence = EvidenceChecks()
        self._ask_again = ask_again
        self._book = ReadingBook()
        self._terms: dict[bytes, Terms] = {}
        self._nodes: list[MeteringNode] = []
        self._enrolments: dict[bytes, Enrolment] = {}
        self.records = 0
        self.statements: dict[bytes, int] = {}
        self.by_kind = {
            **self._evidence.checks,
            EntryKind.READING: self._check_record,
            EntryKind.EVENT: self._check_record,
            EntryKind.ENROLMENT: self._check_enrolment,
            EntryKind.TERMS: self._check_terms,
            EntryKind.STATEMENT: self._check_statement,
        }

    def _check_record(self, entry: Entry) -> Iterator[str]:
        wrong = list(self._evidence.checks[EntryKind.READING](entry))
        yield from wrong
        if wrong:
            return
        self.records += 1
        record = parse_record(entry.body)
        self._book.add(record, index=entry.index)
        if self._ask_again:
            try:
                second_opinion(record, self._enrolments[record.kid].spki)
            except WattestError as error:
                yield f"second opinion: {error}"

    def _check_enrolment(self, entry: Entry) -> Iterator[str]:
        wrong = list(self._evidence.checks[EntryKind.ENROLMENT](entry))
        yield from wrong
        if not wrong:
            enrolment = parse_enrolment(entry.body)
            self._enrolments[enrolment.kid] = enrolment
            self._nodes.append(node_of_enrolment(enrolment, index=entry.index))

    def _check_terms(self, entry: Entry) -> Iterator[str]:
        try:
            terms = terms_from_cbor(entry.body)
        except WattestError as error:
            yield str(error)
            return
        self._terms[terms_hash(terms)] = terms

    def _check_statement(self, entry: Entry) -> Iterator[str]:
        self.statements[hashlib.sha256(entry.body).digest()] = entry.index
        try:
            recompute(
                entry.body,
                terms=self._terms,
                readings=self._book.readings(),
                nodes=self._nodes,
            )
        except WattestError as error:
            yield str(error)


def _problem(finding: AuditFinding) -> Problem:
    where = f"{finding.table} {finding.place}".strip()
    return Problem(
        where=where, message=f"{finding.code.value}: {finding.message}", index=finding.index
    )


def _check_kept_checkpoint(
    run: RunDir, verifier: CheckpointVerifier, view: LedgerView
) -> Iterator[Problem]:
    """The note beside the ledger must describe it: a ledger cut short would not know."""
    note = run.read_json().get("checkpoint")
    if not isinstance(note, str):
        return
    try:
        kept = verifier.open(note.encode())
        view.prove_consistency(kept.size).verify(kept.root, view.root())
    except WattestError as error:
        yield Problem(where="run.json checkpoint", message=str(error))


def _check_statement_files(run: RunDir, checks: _Checks) -> Iterator[Problem]:
    for file in sorted(run.statements.glob("*.cbor")):
        if hashlib.sha256(file.read_bytes()).digest() not in checks.statements:
            yield Problem(
                where=f"statements/{file.name}", message="is not the statement in the ledger"
            )


def _check_digests(run: RunDir) -> Iterator[Problem]:
    """Every file but the ledger, which explains itself entry by entry."""
    if not run.digests.exists():
        return
    for line in run.digests.read_text("utf-8").splitlines():
        digest, _, name = line.partition("  ")
        file = run.path / name
        if name == run.ledger.name:
            continue
        if not file.is_file():
            yield Problem(where=name, message="is missing")
        elif hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            yield Problem(where=name, message="differs from its digest")
