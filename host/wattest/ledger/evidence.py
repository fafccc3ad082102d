"""Checks of entry contents for the audit: enrolments, records, findings kept as evidence.

The records go through a verifier that knows nothing but the ledger's own enrolments, in the order
of the ledger, so the audit repeats what the host decided when it logged them.
"""

from __future__ import annotations

from collections.abc import Iterator

from wattest.errors import DecodeError, VerificationError
from wattest.ledger.audit import EntryCheck
from wattest.ledger.conflict import CONFLICT_CODE
from wattest.ledger.entry import Entry, EntryKind
from wattest.verify import STEPS, Finding, Severity, Verifier
from wattest.wire.enrolment import parse_enrolment, parse_finding


class EvidenceChecks:
    """One audit's memory: which keys are enrolled, what their records said so far.

    Attributes:
        checks: for :func:`wattest.ledger.audit.audit`; add those of terms and statements.
        findings: warnings and errors about records that were rightly logged (gaps, injected input
            and the like): properties of the evidence, not damage of the ledger.
    """

    def __init__(self) -> None:
        self._verifier = Verifier()
        self.findings: list[tuple[int, Finding]] = []
        self.checks: dict[EntryKind, EntryCheck] = {
            EntryKind.READING: self._check_record,
            EntryKind.EVENT: self._check_record,
            EntryKind.ENROLMENT: self._check_enrolment,
            EntryKind.FINDING: self._check_finding,
        }

    def _check_enrolment(self, entry: Entry) -> Iterator[str]:
        try:
            enrolment = parse_enrolment(entry.body)
            if enrolment.replaces and not self._verifier.knows(enrolment.replaces):
                yield f"it replaces key {enrolment.replaces.hex()}, which was never enrolled"
            self._verifier.enrol(enrolment)
        except (DecodeError, VerificationError) as exc:
            yield str(exc)

    def _check_record(self, entry: Entry) -> Iterator[str]:
        verdict = self._verifier.check(entry.body)
        for finding in verdict.findings:
            # Refused, or of an identity that an earlier entry has: never logged as a reading. A
            # second branch of the chain with numbers of its own is logged with its findings.
            if verdict.performed < len(STEPS):
                yield f"{finding.code}: {finding.message}"
            elif finding.severity > Severity.NOTICE:
                self.findings.append((entry.index, finding))

    def _check_finding(self, entry: Entry) -> Iterator[str]:
        """A conflict must hold a validly signed record: else anybody could accuse a node.

        That an earlier entry has the same identity is for the audit's comparison of rows.
        """
        try:
            finding = parse_finding(entry.body)
        except DecodeError as exc:
            yield str(exc)
            return
        if finding.code != CONFLICT_CODE:
            return
        enrolment = self._verifier.enrolment(finding.kid)
        known = [] if enrolment is None else [enrolment]
        verdict = Verifier(known).check(finding.record or b"")
        if not verdict.accepted:
            yield f"the record it keeps accuses nobody: {verdict.findings[0].message}"
