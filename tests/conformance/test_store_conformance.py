"""What every store must do: the same ledger over each of them, with the same answers."""

from dataclasses import replace
from itertools import pairwise

import pytest

from ledger_samples import SampleNode, entry_of, fill, plain, resigned, signer
from wattest.errors import CheckpointInconsistent, SignatureInvalid, StoreError
from wattest.ledger import (
    Conflict,
    Duplicate,
    EntryKind,
    Ledger,
    LedgerView,
    NewEntry,
    Receipt,
    record_entry,
)
from wattest.ledger.store import Batch, StoredEdge
from wattest.store import MemoryStore
from wattest.wire import parse_machine_dispute
from wattest.wire.enrolment import parse_finding
from wattest.wire.record_reader import parse_record


def test_new_ledger_is_empty(ledger, store):
    assert ledger.size == 0
    assert ledger.checkpoint() is None
    assert list(ledger.entries()) == []
    assert store.head().checkpoint is None


def test_append_gives_receipts_in_order_under_one_checkpoint(ledger, node):
    receipts = ledger.append([node.enrolment(), entry_of(node.reading()), plain(1)])
    assert receipts == [Receipt(index=i, size=3) for i in range(3)]
    checkpoint = ledger.checkpoint().checkpoint
    assert (checkpoint.size, checkpoint.root) == (3, ledger.root())


def test_entries_come_back_as_they_went_in(ledger, node):
    data = node.reading()
    ledger.append([plain(1), entry_of(data)])
    first, second = ledger.entries()
    assert (first.kind, first.body) == (EntryKind.TERMS, b"terms 1")
    assert (second.index, second.kind, second.body) == (1, EntryKind.READING, data)
    assert ledger.entry(1) == second
    assert list(ledger.entries(1, 2)) == [second]


def test_record_rows_are_found_by_identity_by_key_and_by_index(ledger, store, node):
    fill(ledger, node, 5)
    row = store.find_record(node.kid, 0, 3)
    assert row.index == 3
    assert (row.facts.seq, row.facts.import_milliwh, row.facts.status) == (3, 3_000, "G")
    assert [r.facts.seq for r in store.records(node.kid, 0)] == [1, 2, 3, 4, 5]
    assert [r.index for r in store.records()] == [1, 2, 3, 4, 5]
    assert [r.index for r in store.records(node.kid)] == [1, 2, 3, 4, 5]
    assert list(store.records(node.kid, 1)) == []
    assert store.find_record(node.kid, 0, 6) is None
    assert (store.last_seq(node.kid, 0), store.last_seq(node.kid, 2)) == (5, 0)


def test_same_record_again_is_a_duplicate_and_adds_nothing(ledger, node):
    data = node.reading()
    ledger.append([plain(0), entry_of(data)])
    note = ledger.checkpoint().note
    assert ledger.append([entry_of(data)]) == [Duplicate(index=1)]
    assert (ledger.size, ledger.checkpoint().note) == (2, note)


def test_same_content_under_the_other_signature_is_a_duplicate(ledger, node):
    data = node.reading()
    assert resigned(data) != data
    ledger.append([entry_of(data)])
    assert ledger.append([entry_of(resigned(data))]) == [Duplicate(index=0)]
    assert ledger.entry(0).body == data


def test_same_record_twice_in_one_batch_is_logged_once(ledger, node):
    entry = entry_of(node.reading())
    assert ledger.append([entry, entry]) == [Receipt(index=0, size=1), Duplicate(index=0)]


def test_other_content_of_an_identity_is_kept_as_a_conflict(ledger, store, node):
    first, second = node.reading(), node.sealed(1, 999_000)
    ledger.append([entry_of(first)])
    assert ledger.append([entry_of(second)]) == [Conflict(index=1, first_index=0)]
    finding = parse_finding(ledger.entry(1).body)
    assert ledger.entry(1).kind == EntryKind.FINDING
    assert (finding.code, finding.kid, finding.ctx, finding.seq) == ("conflict", node.kid, 0, 1)
    assert finding.record == second
    assert ledger.entry(0).body == first
    (row,) = store.conflicts()
    assert (row.first_index, row.index, row.seq) == (0, 1, 1)
    assert row.content_digest == parse_record(second).content_digest


def test_conflict_is_kept_once_however_often_it_comes_back(ledger, node):
    second = entry_of(node.sealed(1, 999_000))
    ledger.append([entry_of(node.reading())])
    expected = Conflict(index=1, first_index=0)
    assert ledger.append([second, entry_of(resigned(second.body)), second]) == [expected] * 3
    assert ledger.append([second]) == [expected]
    assert [entry.kind for entry in ledger.entries()] == [1, 6, 8]
    dispute = parse_machine_dispute(ledger.entry(2).body)
    assert (dispute.kid, dispute.ctx, dispute.seq) == (node.kid, 0, 1)
    assert (dispute.first_index, dispute.finding_index) == (0, 1)
    third = entry_of(node.sealed(1, 111_000))
    assert ledger.append([third]) == [Conflict(index=3, first_index=0)]


def test_record_that_fills_a_gap_is_logged(ledger, node):
    one, two, three = (entry_of(node.sealed(seq, seq)) for seq in (1, 2, 3))
    ledger.append([one, three])
    assert ledger.append([two]) == [Receipt(index=2, size=3)]
    assert ledger.append([one, two, three]) == [Duplicate(index=i) for i in (0, 2, 1)]


def test_nodes_do_not_share_identities(ledger):
    entries = [entry_of(SampleNode(number).reading()) for number in (1, 2, 3)]
    assert ledger.append(entries) == [Receipt(index=i, size=3) for i in range(3)]


def test_ledger_goes_on_after_it_was_opened_again(ledger, store, node):
    fill(ledger, node, 300)
    again = Ledger(store, signer())
    assert (again.size, again.root()) == (ledger.size, ledger.root())
    assert again.append([entry_of(node.sealed(7, 7_000))])[0] == Conflict(index=301, first_index=7)
    again.append([entry_of(node.reading())])
    again.prove_consistency(301).verify(ledger.root(), again.root())


def test_ledger_of_another_key_is_refused(ledger, store):
    ledger.append([plain(1)])
    with pytest.raises(SignatureInvalid, match="expected a signature of wattest/test"):
        Ledger(store, signer(2))


def test_every_entry_proves_and_every_checkpoint_extends_the_one_before(ledger, store, node):
    fill(ledger, node, 700, batch=37)
    root = ledger.root()
    for index in (0, 1, 255, 256, 300, 511, 512, 700):
        ledger.prove_inclusion(index).verify(root)
    checkpoints = list(store.checkpoints())
    assert checkpoints[0].size == 1
    assert checkpoints[-1].size == 701
    for old, new in pairwise(checkpoints):
        ledger.prove_consistency(old.size, new.size).verify(old.root, new.root)
        ledger.prove_inclusion(old.size, new.size).verify(new.root)


def test_full_tiles_are_stored_and_the_edges_hold_the_rest(ledger, store):
    ledger.append([plain(i) for i in range(600)])
    assert [(t.level, t.number, len(t.hashes)) for t in store.tiles()] == [
        (0, 0, 8192),
        (0, 1, 8192),
    ]
    assert [(e.level, len(e.hashes) // 32) for e in store.head().edges] == [(0, 88), (1, 2)]
    assert store.tile(0, 1)[:32] == ledger.entry(256).leaf


def test_missing_tile_is_a_store_error(store):
    with pytest.raises(StoreError, match="tile 0/5 is missing"):
        store.tile(0, 5)


def test_view_reads_without_the_signing_key_and_follows_growth(ledger, store, node):
    fill(ledger, node, 10)
    view = LedgerView(store, signer().verifier)
    assert view.checkpoint() == ledger.checkpoint()
    view.prove_inclusion(4).verify(view.root())
    fill(ledger, SampleNode(2), 10)
    assert view.size == 11
    view.refresh()
    assert (view.size, view.root()) == (22, ledger.root())


def test_refused_batch_leaves_nothing_behind(ledger, store, node):
    fill(ledger, node, 3)
    before = store.head()
    row = store.find_record(node.kid, 0, 2)
    entry = replace(ledger.entry(1), index=4)
    batch = Batch(
        first_index=4,
        entries=[entry],
        records=[replace(row, index=4)],
        conflicts=(),
        tiles=(),
        edges=[StoredEdge(level=0, hashes=bytes(32))],
        checkpoint=replace(before.checkpoint, size=5),
    )
    with pytest.raises(StoreError, match=r"logged already|schema refuses"):
        store.commit(batch)
    assert store.head() == before
    assert len(list(store.entries())) == 4


def test_append_of_nothing_changes_nothing(ledger):
    assert ledger.append([]) == []
    assert ledger.checkpoint() is None


def test_tree_that_does_not_extend_the_last_checkpoint_is_not_signed(ledger, monkeypatch):
    """Memory goes bad between two appends: the check before signing must notice."""
    ledger.append([plain(i) for i in range(10)])
    tile = ledger._view.tree.tile(0, 0)
    tile._rows[0][3] = bytes(32)
    tile._rows[1][1] = bytes(32)
    tile._rows[2][0] = bytes(32)
    tile._rows[3][0] = bytes(32)
    with pytest.raises(CheckpointInconsistent, match="refused to sign a checkpoint"):
        ledger.append([plain(10)])
    assert ledger.append([plain(10)]) == [Receipt(index=10, size=11)]


def test_tampered_newest_checkpoint_is_refused_at_opening(ledger, store):
    ledger.append([plain(0)])
    head = store.head()
    view = LedgerView(_HeadOnly(head), signer().verifier)
    assert view.size == 1
    other = Ledger(MemoryStore(), signer())
    other.append([plain(5)])
    forged = replace(head, checkpoint=replace(head.checkpoint, note=other.checkpoint().note))
    with pytest.raises(CheckpointInconsistent, match="newest checkpoint: expected root"):
        LedgerView(_HeadOnly(forged), signer().verifier)
    with pytest.raises(CheckpointInconsistent, match="expected size 1, got 0"):
        LedgerView(_HeadOnly(replace(head, checkpoint=None)), signer().verifier)
    with pytest.raises(StoreError, match="edges are damaged"):
        LedgerView(_HeadOnly(replace(head, edges=())), signer().verifier)


def test_entry_beyond_the_ledger_is_a_wrong_argument(ledger):
    ledger.append([plain(0)])
    with pytest.raises(ValueError, match="index below the size 1, got 1"):
        ledger.entry(1)
    with pytest.raises(ValueError, match="size of at most 1, got 2"):
        ledger.prove_inclusion(0, 2)


def test_register_too_large_for_a_column_is_logged_all_the_same(ledger, store, node):
    record = parse_record(node.reading())
    register = replace(record.registers[0], mantissa=2**62, scale=6)
    huge = replace(record, registers=(register, *record.registers[1:]))
    ledger.append([record_entry(huge)])
    assert store.find_record(node.kid, 0, 1).facts.import_milliwh is None


def test_entry_without_facts_is_never_a_duplicate(ledger):
    entry = NewEntry(kind=EntryKind.TERMS, body=b"same")
    assert ledger.append([entry, entry]) == [Receipt(index=i, size=2) for i in range(2)]


class _HeadOnly:
    """A reader whose head is given."""

    def __init__(self, head):
        self._head = head

    def head(self):
        return self._head

    def tile(self, level, number):
        raise AssertionError("no full tiles here")
