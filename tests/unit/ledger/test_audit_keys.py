"""The audit of keys that were replaced or retired: what they signed before holds, and no more."""

from ledger_samples import SampleNode, entry_of, fill, signer
from wattest.ledger import Ledger
from wattest.ledger.audit import audit_report
from wattest.ledger.evidence import EvidenceChecks
from wattest.store import MemoryStore
from wattest.wire.enrolment import EnrolmentAction


def lines(store, checks):
    report = audit_report(store, signer().verifier, checks)
    return [finding.line() for finding in report.findings]


def test_record_logged_after_its_key_was_retired_is_named():
    store = MemoryStore()
    ledger, node = Ledger(store, signer()), SampleNode()
    fill(ledger, node, 2)
    ledger.append([node.enrolment(action=EnrolmentAction.RETIRE)])
    assert audit_report(store, signer().verifier, EvidenceChecks().checks).sound
    ledger.append([entry_of(node.reading())])
    assert lines(store, EvidenceChecks().checks) == [
        f"entry 4: retired-key: key {node.kid.hex()} was retired"
    ]


def test_key_change_is_sound_and_records_of_the_old_key_after_it_are_named():
    store = MemoryStore()
    ledger, old, new = Ledger(store, signer()), SampleNode(), SampleNode(2)
    fill(ledger, old, 2)
    ledger.append([new.enrolment(action=EnrolmentAction.REKEY, replaces=old.kid)])
    ledger.append([entry_of(new.reading())])
    assert audit_report(store, signer().verifier, EvidenceChecks().checks).sound
    ledger.append([entry_of(old.reading())])
    (line,) = lines(store, EvidenceChecks().checks)
    assert line.startswith(f"entry 5: retired-key: key {old.kid.hex()} was replaced by ")


def test_enrolment_that_replaces_a_key_nobody_enrolled_is_named():
    store = MemoryStore()
    node = SampleNode()
    entry = node.enrolment(action=EnrolmentAction.REKEY, replaces=bytes(8))
    Ledger(store, signer()).append([entry])
    (line,) = lines(store, EvidenceChecks().checks)
    assert line == "entry 0: it replaces key 0000000000000000, which was never enrolled"


def test_conflict_of_a_retired_key_still_accuses_it():
    store = MemoryStore()
    ledger, node = Ledger(store, signer()), SampleNode()
    fill(ledger, node, 2)
    ledger.append([node.enrolment(action=EnrolmentAction.RETIRE)])
    ledger.append([entry_of(node.sealed(2, 5))])
    assert audit_report(store, signer().verifier, EvidenceChecks().checks).sound
