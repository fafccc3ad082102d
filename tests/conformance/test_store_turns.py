"""Turns to write: several writers to one store, what is seen and kept of a turn, cosignatures."""

from dataclasses import replace

import pytest

from ledger_samples import entry_of, fill, plain, signer
from wattest.errors import CheckpointInconsistent, StoreError
from wattest.ledger import Duplicate, Ledger, Receipt
from wattest.ledger.store import Batch, LedgerMoved, Rows, StoredEdge
from wattest.store import MemoryStore


def content(store):
    """Everything a store holds."""
    return [
        list(store.entries()),
        list(store.records()),
        list(store.conflicts()),
        list(store.tiles()),
        list(store.checkpoints()),
        list(store.cosigned()),
        store.head(),
    ]


class Swapped:
    """A store that can be exchanged underneath."""

    def __init__(self, store):
        self.store = store

    def __getattr__(self, name):
        return getattr(self.store, name)


def test_ledger_catches_up_with_another_writer_before_it_appends(ledger, store, node):
    record = entry_of(node.reading())
    ledger.append([plain(0), record])
    other = Ledger(store, signer())
    other.append([plain(i) for i in range(300)])
    assert ledger.append([plain(2), record]) == [Receipt(index=302, size=303), Duplicate(index=1)]
    assert other.append([plain(3)]) == [Receipt(index=303, size=304)]
    assert Ledger(store, signer()).root() == other.root()


def test_batch_for_another_size_is_refused(ledger, store):
    ledger.append([plain(0)])
    checkpoint = store.head().checkpoint
    batch = Batch(
        first_index=2,
        entries=[replace(ledger.entry(0), index=2)],
        records=(),
        conflicts=(),
        tiles=(),
        edges=(),
        checkpoint=replace(checkpoint, size=3),
    )
    with pytest.raises(LedgerMoved, match="expected 2 entries, got 1"):
        store.commit(batch)
    assert store.head().checkpoint == checkpoint


def test_what_a_turn_wrote_is_seen_in_it_and_gone_when_it_was_not_kept(ledger, store, node):
    fill(ledger, node, 3)
    before, rows = content(store), list(store.records())
    moved = [replace(row, index=4, facts=replace(row.facts, seq=9)) for row in rows[:1]]
    with store.turn() as size:
        assert size == 4
        entry = replace(ledger.entry(1), index=4)
        store.write(Rows(entries=[entry], records=moved))
        store.write(Rows(edges=[StoredEdge(level=0, hashes=bytes(32))]))
        store.write(Rows(checkpoints=[replace(before[-1].checkpoint, size=5)]))
        assert (store.last_seq(node.kid, 0), store.head().size) == (9, 5)
        assert list(store.entries(4)) == [entry]
        assert store.head().edges[0].hashes == bytes(32)
    assert content(store) == before
    assert store.last_seq(node.kid, 0) == 3


def test_what_a_turn_kept_stays(ledger, store):
    ledger.append([plain(0)])
    with store.turn():
        store.write(Rows(entries=[replace(ledger.entry(0), index=1)]))
        store.keep()
    assert store.head().size == 2


def test_ledger_that_went_back_is_not_written_to(store, node):
    """A copy from yesterday put in place of the ledger while a program appends to it."""
    swapped = Swapped(store)
    ledger = Ledger(swapped, signer())
    ledger.append([plain(0), plain(1)])
    yesterday = MemoryStore()
    Ledger(yesterday, signer()).append([plain(0)])
    swapped.store = yesterday
    with pytest.raises(CheckpointInconsistent, match="expected 2 entries or more, got 1"):
        ledger.append([plain(2)])
    with pytest.raises(CheckpointInconsistent, match="expected 2 entries or more, got 1"):
        ledger.root()
    Ledger(yesterday, signer()).append([plain(7), plain(8)])
    with pytest.raises(CheckpointInconsistent, match="not the one that was written to"):
        ledger.append([plain(2)])
    swapped.store = store
    assert ledger.append([plain(2)]) == [Receipt(index=2, size=3)]


def test_lines_of_witnesses_are_kept_once_under_their_checkpoint(ledger, store):
    ledger.append([plain(0)])
    ledger.append([plain(1)])
    store.add_cosignatures(2, [b"line b", b"line a"])
    store.add_cosignatures(2, [b"line a", b"line c"])
    store.add_cosignatures(1, [b"line a"])
    assert store.cosignatures(2) == [b"line a", b"line b", b"line c"]
    assert store.cosignatures(7) == []
    assert [(c.size, c.line[-1:]) for c in store.cosigned()] == [
        (1, b"a"),
        (2, b"a"),
        (2, b"b"),
        (2, b"c"),
    ]
    with pytest.raises(StoreError, match="no checkpoint of size 3 to cosign"):
        store.add_cosignatures(3, [b"line a"])


def test_walks_that_are_left_half_way_do_not_hold_the_ledger(ledger, store, node):
    fill(ledger, node, 40)
    for walk in (store.records(), store.checkpoints(), store.entries(), store.tiles()):
        next(walk, None)
    ledger.append([plain(1)])
    assert store.head().size == 42
