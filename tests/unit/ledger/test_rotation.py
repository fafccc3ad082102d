"""A ledger's signing key changes: the newest key vouches for the ones before it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger_samples import SampleNode, entry_of, fill, plain, signer
from wattest.errors import SignatureInvalid
from wattest.ledger import CheckpointSigner, Ledger
from wattest.ledger.audit import audit_report
from wattest.ledger.evidence_acts import ActChecks
from wattest.ledger.rotation import KeySuccession, check_rotation, keys_of, rotation_entry
from wattest.store import MemoryStore
from wattest.wire import parse_log_rotation

FIRST, SECOND, THIRD = signer(1), signer(2), signer(3)


@pytest.fixture
def store() -> MemoryStore:
    """Three keys signed this ledger, one after the other."""
    store = MemoryStore()
    ledger = Ledger(store, FIRST)
    node = SampleNode()
    fill(ledger, node, 3)
    ledger.rotate(SECOND)
    ledger.append([entry_of(node.reading())])
    Ledger(store, SECOND).rotate(THIRD)
    Ledger(store, THIRD).append([plain(1)])
    return store


def lines(store: MemoryStore, key: CheckpointSigner) -> list[str]:
    checks = ActChecks().checks
    return [finding.line() for finding in audit_report(store, key.verifier, checks).findings]


def test_newest_key_opens_every_checkpoint(store: MemoryStore) -> None:
    keys = keys_of(store, THIRD.verifier)
    sizes = [keys.open(row.note).size for row in store.checkpoints()]
    assert sizes == [1, 4, 5, 6, 7, 8]
    assert lines(store, THIRD) == []


def test_older_key_opens_nothing_that_was_signed_after_it(store: MemoryStore) -> None:
    found = lines(store, FIRST)
    assert any(line.startswith("checkpoint 6: ") for line in found)
    with pytest.raises(SignatureInvalid):
        Ledger(store, FIRST)


def test_key_that_stepped_down_signs_no_later_checkpoint(store: MemoryStore) -> None:
    keys = keys_of(store, THIRD.verifier)
    with pytest.raises(SignatureInvalid):
        keys.open(FIRST.sign(6, bytes(32)).note)
    with pytest.raises(SignatureInvalid):
        keys.open(SECOND.sign(4, bytes(32)).note)


def test_ledger_can_be_opened_with_the_new_key_right_after_the_change() -> None:
    store = MemoryStore()
    Ledger(store, FIRST).append([plain(1)])
    receipt = Ledger(store, FIRST).rotate(SECOND)
    assert (receipt.index, receipt.size) == (1, 2)
    Ledger(store, FIRST)  # whose last checkpoint both have signed
    Ledger(store, SECOND).append([plain(2)])
    with pytest.raises(SignatureInvalid):
        Ledger(store, FIRST)


def test_checkpoint_over_the_change_holds_only_if_both_have_signed_it(store: MemoryStore) -> None:
    keys = keys_of(store, THIRD.verifier)
    note = next(row.note for row in store.checkpoints() if row.size == 5)
    for signature in note.splitlines()[-2:]:
        with pytest.raises(SignatureInvalid):
            keys.open(note.replace(signature + b"\n", b""))


def test_ledger_that_never_changed_its_key_is_opened_by_it_alone() -> None:
    store = MemoryStore()
    Ledger(store, FIRST).append([plain(1)])
    assert keys_of(store, FIRST.verifier) is FIRST.verifier
    assert keys_of(MemoryStore(), FIRST.verifier) is FIRST.verifier


def test_rotation_by_somebody_else_leads_nowhere(store: MemoryStore) -> None:
    forged = [replace(entry, body=b"\xa0") for entry in store.entries()]
    keys = KeySuccession(THIRD.verifier, forged)
    with pytest.raises(SignatureInvalid):
        keys.open(next(iter(store.checkpoints())).note)


def test_rotation_to_the_same_key_or_another_ledger_is_refused() -> None:
    with pytest.raises(ValueError, match="another key"):
        rotation_entry(FIRST, FIRST.verifier)
    with pytest.raises(ValueError, match="another key"):
        rotation_entry(FIRST, CheckpointSigner("wattest/other", bytes(32)).verifier)


def test_changed_rotation_is_named() -> None:
    rotation = parse_log_rotation(rotation_entry(FIRST, SECOND.verifier).body)
    assert check_rotation(rotation.to_cbor()).to_text() == FIRST.verifier.to_text()
    for wrong in (
        replace(rotation, new=THIRD.verifier.to_text()),
        replace(rotation, old=THIRD.verifier.to_text()),
        replace(rotation, signature=bytes(64)),
    ):
        with pytest.raises(SignatureInvalid, match="not signed by"):
            check_rotation(wrong.to_cbor())
