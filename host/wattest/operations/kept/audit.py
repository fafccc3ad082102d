"""The audit of a kept run: everything is recomputed from the evidence, nothing is taken on trust.

On top of the ledger's own audit (`wattest.ledger.audit`) it draws every statement again, compares
the statement files with the ledger, the ledger with the checkpoint that run.json keeps beside it,
totals and received frames with the records, and every file with its digest. Record by record it
can ask a second opinion from other libraries.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wattest.errors import WattestError
from wattest.ledger import CheckpointVerifier, Entry, EntryKind, LedgerView
from wattest.ledger.audit import AuditProgress, EntryCheck, audit
from wattest.ledger.audit import AuditReport as LedgerReport
from wattest.ledger.audit_finding import AuditFinding
from wattest.ledger.evidence import EvidenceChecks
from wattest.ledger.evidence_acts import ActChecks
from wattest.ledger.rotation import keys_of
from wattest.ledger.store import LedgerReader
from wattest.operations.kept.audit_cosigned import check_cosignatures
from wattest.operations.kept.audit_files import (
    Problem,
    came_to_its_end,
    check_digests,
    check_kept_checkpoint,
    check_statement_files,
    is_summed_up,
)
from wattest.operations.kept.audit_stated import Proved, branches, check_kind_of_run
from wattest.operations.kept.ledger_view import checkpoint_verifier
from wattest.operations.rundir import RunDir
from wattest.settlement import (
    Cutoff,
    MeteringNode,
    ReadingBook,
    State,
    Terms,
    node_of_enrolment,
    recompute,
    terms_from_cbor,
    terms_hash,
)
from wattest.settlement.estimate import estimates_of
from wattest.settlement.parties import parties_of
from wattest.store import open_store
from wattest.verify.second_opinion import second_opinion
from wattest.wire import Enrolment, parse_enrolment, parse_finding, parse_record
from wattest.wire.entries import LoggedEstimate, parse_estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditProgressed:
    """``done`` of ``whole`` entries are audited."""

    done: int
    whole: int
    what: str = "entries"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What the audit found.

    Args:
        passed: nothing is wrong.
        finished: the run came to its end. One that was stopped or killed holds as far as it goes:
            what it logged is evidence, but its periods may lack their statements.
        problems: what is wrong.
        entries: entries of the ledger that were checked.
        records: readings and events among them whose signature holds.
        checkpoints: signed checkpoints that were checked.
        statements: logged statements that were drawn again.
    """

    passed: bool
    finished: bool
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
    with open_store(run.ledger_place, read_only=True) as store:
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
            problems += check_kept_checkpoint(run, LedgerView(store, verifier))
            problems += _check_references(store, verifier, checks)
            problems += checks.astray
            problems += check_cosignatures(run, store)
        if not problems:
            problems += checks.check_stated(run, size=entries)
    problems += check_kind_of_run(run, verifier.origin)
    problems += check_statement_files(run, checks.statements)
    problems += check_digests(run)
    yield AuditReport(
        passed=not problems,
        finished=came_to_its_end(run.read_json()),
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
        self.acts = ActChecks()
        self._ask_again = ask_again
        self._book = ReadingBook()
        self._terms: dict[bytes, Terms] = {}
        self._nodes: list[MeteringNode] = []
        self._enrolments: dict[bytes, Enrolment] = {}
        self._estimates: dict[int, LoggedEstimate] = {}
        self._proved = Proved()
        self._final: set[tuple[str, int, int | None]] = set()
        self.records = 0
        self.statements: dict[int, bytes] = {}
        self.cutoffs: dict[int, Cutoff] = {}
        self.astray: list[Problem] = []
        self._generations: dict[tuple[bytes, int], tuple[int, bool]] = {}
        by_kind = {
            **self._evidence.checks,
            **self.acts.checks,
            EntryKind.READING: self._check_record,
            EntryKind.EVENT: self._check_record,
            EntryKind.ENROLMENT: self._check_enrolment,
            EntryKind.TERMS: self._check_terms,
            EntryKind.STATEMENT: self._check_statement,
            EntryKind.FINDING: self._check_finding,
            EntryKind.ESTIMATE: self._check_estimate,
        }
        self.by_kind = {kind: self._after_look(check) for kind, check in by_kind.items()}

    def _after_look(self, check: EntryCheck) -> EntryCheck:
        """Let every entry be seen in its place among the others before its own check."""

        def checked(entry: Entry) -> Iterator[str]:
            yield from self.acts.see(entry)
            yield from check(entry)

        return checked

    def check_stated(self, run: RunDir, *, size: int) -> Iterator[Problem]:
        """Compare what the files of a run that ended state with what its ledger proves."""
        values = run.read_json()
        if not is_summed_up(values):
            return
        findings = [finding for _, finding in self._evidence.findings]
        for kid in branches(findings):
            self._proved.branch(kid)
        shared = run.ledger_url.exists()
        yield from self._proved.check(values, size=size, findings=findings, shared=shared)
        if values.get("live") is not True:
            yield from self._proved.check_frames(run)

    def _check_record(self, entry: Entry) -> Iterator[str]:
        wrong = list(self._evidence.checks[EntryKind.READING](entry))
        yield from wrong
        if wrong:
            return
        self.records += 1
        record = parse_record(entry.body)
        self._book.add(record, index=entry.index)
        self._proved.add(record, entry.index)
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
            self._proved.enrol(enrolment)
            self._nodes.append(node_of_enrolment(enrolment, index=entry.index))

    def _check_finding(self, entry: Entry) -> Iterator[str]:
        wrong = list(self._evidence.checks[EntryKind.FINDING](entry))
        yield from wrong
        if not wrong:
            self._proved.branch(parse_finding(entry.body).kid)

    def _check_estimate(self, entry: Entry) -> Iterator[str]:
        wrong = list(self.acts.checks[EntryKind.ESTIMATE](entry))
        yield from wrong
        if not wrong:
            self._estimates[entry.index] = parse_estimate(entry.body)

    def _check_terms(self, entry: Entry) -> Iterator[str]:
        try:
            terms = terms_from_cbor(entry.body)
        except WattestError as error:
            yield str(error)
            return
        digest = terms_hash(terms)
        self._terms[digest] = terms
        self.acts.parties.add_terms(digest, terms.contract, parties_of(terms))

    def _check_statement(self, entry: Entry) -> Iterator[str]:
        try:
            statement = recompute(
                entry.body,
                terms=self._terms,
                readings=self._book.readings(),
                nodes=self._nodes,
                estimates=estimates_of(self._estimates),
            )
        except WattestError as error:
            yield str(error)
            return
        opened = (statement.contract, statement.period.start_ms, statement.opening)
        if statement.opening is not None and opened not in self._final:
            yield f"a final statement of the period before with cut-off {opened[2]} expected first"
            return
        if statement.state is State.FINAL:
            self._final.add((statement.contract, statement.period.end_ms, statement.cutoff.size))
        self.statements[entry.index] = entry.body
        self.cutoffs[entry.index] = statement.cutoff
        # Benches that share a ledger may call their contracts the same: the terms tell them apart.
        place = (statement.terms_digest, statement.period.start_ms)
        number, final = self._generations.get(place, (0, False))
        self._generations[place] = (statement.generation, statement.state is State.FINAL)
        if final or statement.generation != number + 1:
            wanted = "none after the final one" if final else f"number {number + 1}"
            message = f"generation: {wanted} expected, got {statement.generation}"
            where = f"entry {entry.index}"
            self.astray.append(Problem(where=where, message=message, index=entry.index))


def _check_references(
    store: LedgerReader, verifier: CheckpointVerifier, checks: _Checks
) -> Iterator[Problem]:
    """What a statement or an anchor rests on must be a checkpoint of this very ledger."""
    keys = keys_of(store, verifier)
    kept = (keys.open(row.note) for row in store.checkpoints())
    known = {(checkpoint.size, checkpoint.root) for checkpoint in kept}
    stated = [(index, "cut-off", at.size, at.root) for index, at in checks.cutoffs.items()]
    stated += [(index, "anchor", at.size, at.root) for index, at in checks.acts.anchors.items()]
    for index, what, size, root in sorted(stated):
        if (size, root) not in known:
            message = f"its {what} at {size} entries is no checkpoint of this ledger"
            yield Problem(where=f"entry {index}", message=message, index=index)
    for index, message in checks.acts.finish(store.conflicts()):
        yield Problem(where=f"entry {index}", message=message, index=index)


def _problem(finding: AuditFinding) -> Problem:
    where = f"{finding.table} {finding.place}".strip()
    return Problem(
        where=where, message=f"{finding.code.value}: {finding.message}", index=finding.index
    )
