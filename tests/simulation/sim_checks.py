"""What must hold in every world, whatever happened in it: the invariants I1 to I13."""

from __future__ import annotations

from hashlib import sha256

from sim_world import World

from ledger_samples import signer
from wattest.ledger import EntryKind, LedgerView
from wattest.ledger.audit import audit_report
from wattest.ledger.evidence import EvidenceChecks
from wattest.ledger.evidence_acts import ActChecks
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
    report = audit_report(world.store, signer().verifier, {**acts.checks, **evidence.checks})
    assert report.findings == ()
    assert report.entries_checked == LedgerView(world.store, signer().verifier).size


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
