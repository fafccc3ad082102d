"""What must hold in every world, whatever happened in it: the invariants I1 to I13."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

from sim_money import check_accounts
from sim_world import World

from ledger_samples import signer
from wattest.ledger import Entry, EntryKind, LedgerView
from wattest.ledger.audit import audit_report
from wattest.ledger.evidence import EvidenceChecks
from wattest.ledger.evidence_acts import ActChecks
from wattest.settlement import terms_from_cbor, terms_hash
from wattest.settlement.folding import LoggedEvidence
from wattest.settlement.movements import FeeKey, LineKey
from wattest.settlement.parties import parties_of
from wattest.wire import parse_finding, parse_record


def check_acknowledged_is_durable(world: World) -> None:
    """I13: a record that a node was told to forget is in the ledger."""
    logged = {sha256(body).digest() for body in record_bodies(world)}
    for name, node in world.nodes.items():
        for position, data in enumerate(node.journal[: node.acknowledged]):
            assert sha256(data).digest() in logged, f"{name}: record {position} is lost"


def check_everything_arrived(world: World) -> None:
    """After everything was repaired nothing waits any more."""
    for name, node in world.nodes.items():
        assert node.acknowledged == len(node.journal), f"{name} still has records"


def check_nothing_was_invented(world: World) -> None:
    """Each logged record was signed by a node or by a copied board, and none is logged twice."""
    signed = {data for node in world.nodes.values() for data in node.journal}
    signed |= {data for lies in world.lies.values() for _, data in lies}
    bodies = record_bodies(world)
    assert set(bodies) <= signed
    assert len(bodies) == len(set(bodies))


def check_lies_are_evidence(world: World) -> None:
    """I12: two contents for one number, once both were seen, are a conflict and a dispute."""
    known = {(row.kid, row.ctx, row.seq) for row in world.store.conflicts()}
    assert world.equivocated <= known
    kinds = [entry.kind for entry in world.store.entries()]
    for row in world.store.conflicts():
        assert kinds[row.index : row.index + 2] == [EntryKind.FINDING, EntryKind.DISPUTE]


def check_audit(world: World) -> None:
    """I11 and the rest of the ledger: signed checkpoints follow one another, rows fit entries."""
    evidence, acts = EvidenceChecks(), ActChecks()

    def check_terms(entry: Entry) -> Iterator[str]:
        terms = terms_from_cbor(entry.body)
        acts.parties.add_terms(terms_hash(terms), terms.contract, parties_of(terms))
        return iter(())

    checks = {**acts.checks, **evidence.checks, EntryKind.TERMS: check_terms}
    report = audit_report(world.store, signer().verifier, checks)
    assert [finding.line() for finding in report.findings] == []
    assert report.entries_checked == LedgerView(world.store, signer().verifier).size


def check_statements(world: World) -> None:
    """I5: each logged statement follows from its terms and the ledger before its cut-off."""
    evidence = LoggedEvidence()
    for entry in world.store.entries():
        match entry.kind:
            case EntryKind.READING | EntryKind.EVENT:
                evidence.add_record(entry)
            case EntryKind.ENROLMENT:
                evidence.add_enrolment(entry)
            case EntryKind.TERMS:
                terms = terms_from_cbor(entry.body)
                evidence.terms[terms_hash(terms)] = terms
            case EntryKind.STATEMENT:
                evidence.statements[entry.index] = entry.body
    for index, body in evidence.statements.items():
        assert evidence.statement(index).to_cbor() == body, f"I5: entry {index}"


def check_money(world: World) -> None:
    """I1, I2, I4: the books recounted; I3: what is posted and held is what statements say."""
    fold = check_accounts(world.store.entries)
    for contract in fold.contracts.values():
        for account in contract.periods.values():
            if not contract.signed(account.terms):
                continue
            disputed = any(
                claim.period == account.period
                for case in contract.disputes.values()
                for claim in case.claims
            )
            if disputed:
                continue
            for key, total in _totals(account.document).items():
                held = account.holds[key].amount if key in account.holds else 0
                posted = account.posted.get(key, 0)
                assert (posted, held) == (total, 0), f"I3: {key} of {account.period}"


def _totals(document: Mapping[str, Any]) -> dict[LineKey | FeeKey, int]:
    lines = [line for line in document["lines"] if line["template"] != "COMMISSION"]
    totals: dict[LineKey | FeeKey, int] = {LineKey(line["code"]): line["amount"] for line in lines}
    fees = {FeeKey(party): minor for party, minor in document["payouts"] if party != "owner"}
    return totals | fees


def record_bodies(world: World) -> list[bytes]:
    """Return every record the ledger holds, those that conflicts keep included."""
    bodies = []
    for entry in world.store.entries():
        if entry.kind in (EntryKind.READING, EntryKind.EVENT):
            parse_record(entry.body)
            bodies.append(entry.body)
        elif entry.kind == EntryKind.FINDING:
            kept = parse_finding(entry.body).record
            assert kept is not None
            bodies.append(kept)
    return bodies
