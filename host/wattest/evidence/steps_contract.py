"""Steps 7, 10 and 11: terms and who signed them, the statement settled again, what parties say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from wattest.errors import DecodeError, SettlementError, VerificationError
from wattest.evidence.case import Case
from wattest.evidence.manifest import StatementSubject, WitnessAsk
from wattest.evidence.verdict import RuleBroken
from wattest.ledger.conflict import CONFLICT_CODE
from wattest.ledger.parties import Parties
from wattest.settlement import (
    ENGINE_VERSION,
    ReadingBook,
    Terms,
    node_of_enrolment,
    recompute,
    terms_from_cbor,
)
from wattest.settlement.estimate import estimates_of
from wattest.settlement.parties import parties_of
from wattest.settlement.statement import STATEMENT_FORMAT
from wattest.wire.act import Agreement, DisputeAct, KeyRotation, ResolutionAct
from wattest.wire.entries import MachineDispute

_RULE_OF_STEP: Final[Mapping[str, str]] = {
    "1": "form",
    "2": "party",
    "3": "party",
    "4": "party-key",
    "5": "act-signature",
}


class Contract:
    """What steps 7, 10 and 11 share: the terms as values, and the acts judged in their order.

    Args:
        case: with every body read.
        subject: the statement.
    """

    def __init__(self, case: Case, subject: StatementSubject) -> None:
        self._case = case
        self._subject = subject
        self.terms: dict[bytes, Terms] = {}
        self.placed: dict[bytes, int] = {}
        self.parties = Parties()
        self.late: RuleBroken | None = None

    def check_terms(self) -> str:
        """Step 7: the terms are there, and signed by every party they pin."""
        self._read_terms()
        ask = witness_ask(self._case.terms[self.placed[self._subject.terms]])
        if ask != self._subject.witness:
            message = f"{ask.threshold} of {len(ask.keys)} witnesses expected, as the terms say"
            raise RuleBroken("witness-policy", "manifest.json", message)
        self._judge_acts()
        documents = self._case.own_statements().values()
        for digest in {document["terms"] for document in documents} | {self._subject.terms}:
            if digest in self.terms:
                self._check_agreed(digest)
        signed = sorted(self.parties.agreed(self._subject.contract, self._subject.terms))
        return f"terms {self._subject.terms.hex()[:16]} signed by {', '.join(signed) or 'nobody'}"

    def check_statement(self) -> str:
        """Step 10: every generation is what its terms and evidence give."""
        statements = self._case.own_statements()
        generations = [document["generation"] for document in statements.values()]
        if generations != list(range(1, self._subject.generations + 1)):
            message = f"1 to {self._subject.generations} expected, got {generations}"
            raise RuleBroken("generations", "entries.cbor", message)
        for index, document in self._case.statements.items():
            where = f"entry {index} (statement, generation {document['generation']})"
            if index in statements:
                self._check_terms_of(where, document)
            else:
                self._check_before(where, document)
        total = ""
        for index, document in statements.items():
            where = f"entry {index} (statement, generation {document['generation']})"
            total = self._settle_again(where, index, document)
        return f"{len(statements)} of {len(statements)} settled again to the same bytes: {total}"

    def check_acts(self) -> str:
        """Step 11: disputes, resolutions, payments and estimates are by whom they claim."""
        if self.late is not None:
            raise self.late
        for index, signed in self._case.acts.items():
            act = signed.act
            if isinstance(act, DisputeAct) and act.period != self._subject.period:
                raise RuleBroken("dispute", f"entry {index}", "a dispute of this period expected")
        for index, dispute in self._case.machine_disputes.items():
            self._check_machine_dispute(index, dispute)
        assets = {asset for terms in self.terms.values() for asset in terms.assets}
        for index, estimate in self._case.estimates.items():
            if estimate.asset not in assets:
                message = f"an asset of the terms expected, got {estimate.asset}"
                raise RuleBroken("estimate", f"entry {index} (estimate)", message)
        return self._count_acts()

    def _read_terms(self) -> None:
        case = self._case
        for index, document in case.terms.items():
            where = f"entry {index} (terms)"
            body = case.body(index)
            try:
                terms = terms_from_cbor(body)
            except SettlementError as exc:
                raise RuleBroken("terms-form", where, str(exc)) from exc
            if document["contract"] != self._subject.contract:
                message = f"terms of {self._subject.contract} expected, got {terms.contract}"
                raise RuleBroken("terms", where, message)
            digest = sha256(body).digest()
            self.terms[digest] = terms
            self.placed.setdefault(digest, index)
        if self._subject.terms not in self.terms:
            message = f"terms {self._subject.terms.hex()} expected, got none"
            raise RuleBroken("terms", "entries.cbor", message)

    def _judge_acts(self) -> None:
        """Judge agreements and rotations now; what is wrong with other acts is step 11's."""
        case = self._case
        for entry in case.entries:
            index = entry.index
            if index in case.terms:
                digest = sha256(entry.body).digest()
                terms = self.terms[digest]
                self.parties.add_terms(digest, terms.contract, parties_of(terms))
            elif index in case.machine_disputes:
                self.parties.add_dispute(entry.body, None)
            elif index in case.acts:
                act = case.acts[index].act
                try:
                    self.parties.take(entry.body)
                except (DecodeError, VerificationError) as exc:
                    broken = _rule_broken(f"entry {index} ({act.kind.name.lower()})", act, exc)
                    if isinstance(act, Agreement | KeyRotation):
                        raise broken from exc
                    self.late = self.late or broken
                if isinstance(act, DisputeAct):
                    self.parties.add_dispute(entry.body, act.contract)

    def _check_agreed(self, digest: bytes) -> None:
        terms = self.terms[digest]
        agreed = self.parties.agreed(self._subject.contract, digest)
        for party, pinned in parties_of(terms).items():
            if party in agreed:
                continue
            if pinned is not None:
                message = f"an agreement of {party} expected, got none"
                raise RuleBroken("agreement", f"terms {digest.hex()}", message)
            if party in (terms.seller, terms.buyer):
                self._case.notes.append(f"these terms are not signed by {party}")

    def _check_before(self, where: str, document: Mapping[str, Any]) -> None:
        """Besides its own, a bundle may hold statements of the period right before."""
        subject = self._subject
        if (document["contract"], document["period"][1]) != (subject.contract, subject.period[0]):
            message = f"contract {subject.contract}, period {list(subject.period)} expected"
            raise RuleBroken("generations", where, message)

    def _check_terms_of(self, where: str, document: Mapping[str, Any]) -> None:
        subject = self._subject
        if document["terms"] not in self.terms:
            message = f"terms {document['terms'].hex()} expected in the bundle"
            raise RuleBroken("generations", where, message)
        if document["generation"] == subject.generations and document["terms"] != subject.terms:
            message = f"terms {subject.terms.hex()} expected"
            raise RuleBroken("generations", where, message)

    def _check_opening(self, where: str, index: int, document: Mapping[str, Any]) -> None:
        """The value at the begin is frozen only by a final statement of the period before."""
        if "opening" not in document:
            return
        own = self._case.own_statements()
        for place, before in self._case.statements.items():
            frozen = before.get("state") == "final" and place not in own and place < index
            if frozen and before["cutoff"]["size"] == document["opening"]:
                return
        message = f"a final statement of the period before with cut-off {document['opening']}"
        raise RuleBroken("opening", where, f"{message} expected")

    def _settle_again(self, where: str, index: int, document: Mapping[str, Any]) -> str:
        case = self._case
        bound = case.cutoffs[document["generation"]]
        if document["cutoff"] != {"size": bound.size, "root": bound.root}:
            message = f"cut-off at {bound.size} expected, as signed"
            raise RuleBroken("cutoff", where, message)
        if not self.placed[document["terms"]] < bound.size <= index:
            message = f"terms before the cut-off at {bound.size}, statement not, expected"
            raise RuleBroken("cutoff", where, message)
        self._check_opening(where, index, document)
        version = (document["format"], document.get("engine"))
        if version != (STATEMENT_FORMAT, ENGINE_VERSION):
            message = f"{STATEMENT_FORMAT}, engine {ENGINE_VERSION} expected, got {version}"
            raise RuleBroken("engine", where, message)
        book = ReadingBook()
        for place, record in case.records.items():
            if place < bound.size:
                book.add(record, index=place)
        nodes = [node_of_enrolment(e, index=place) for place, e in case.enrolments.items()]
        try:
            statement = recompute(
                case.body(index),
                terms=self.terms,
                readings=book.readings(),
                nodes=nodes,
                estimates=estimates_of(case.estimates),
            )
        except (VerificationError, SettlementError) as exc:
            raise RuleBroken("statement", where, str(exc)) from exc
        if statement.test:
            case.notes.append("TEST: " + "; ".join(statement.test_reasons))
        return f"{statement.total} {statement.currency}"

    def _check_machine_dispute(self, index: int, dispute: MachineDispute) -> None:
        case = self._case
        where = f"entry {index} (dispute)"
        name = (dispute.kid, dispute.ctx, dispute.seq)
        finding = case.findings.get(dispute.finding_index)
        if (
            dispute.finding_index != index - 1
            or finding is None
            or finding.code != CONFLICT_CODE
            or (finding.kid, finding.ctx, finding.seq) != name
        ):
            message = f"the conflict it disputes expected in entry {index - 1}"
            raise RuleBroken("machine-dispute", where, message)
        record = case.records.get(dispute.first_index)
        if record is None or record.identity != name:
            message = f"the first content expected in entry {dispute.first_index}"
            raise RuleBroken("machine-dispute", where, message)

    def _count_acts(self) -> str:
        kinds = [signed.act.kind.name.lower() for signed in self._case.acts.values()]
        kinds += ["machine dispute"] * len(self._case.machine_disputes)
        kinds += ["estimate"] * len(self._case.estimates)
        counted = {kind: kinds.count(kind) for kind in sorted(set(kinds))}
        for kind in ("agree", "rotate"):
            counted.pop(kind, None)
        return ", ".join(f"{count} {kind}" for kind, count in counted.items()) or "none"


def witness_ask(terms: Mapping[str, Any]) -> WitnessAsk:
    """Return what a terms document says of witnesses."""
    table = terms.get("witness", {})
    return WitnessAsk(threshold=table.get("threshold", 0), keys=tuple(table.get("keys", ())))


def _rule_broken(where: str, act: object, exc: Exception) -> RuleBroken:
    """Name the rule of a refused act: the step that refused it begins the message."""
    found = re.match(r"step ([1-6]): ", str(exc))
    step = found.group(1) if found else "1"
    last = "resolution" if isinstance(act, ResolutionAct) else "agreed-terms"
    return RuleBroken(_RULE_OF_STEP.get(step, last), where, str(exc))
