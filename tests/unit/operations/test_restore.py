"""What a collector knows after its death: as much, and as little, as before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ledger_samples import SampleNode, signer
from wattest.errors import CheckpointInconsistent
from wattest.ledger import Entry, Ledger, LedgerView, record_entry
from wattest.operations.live.restore import restored_verifier
from wattest.store import MemoryStore
from wattest.twin import Twin, TwinState
from wattest.verify import Verdict, Verifier
from wattest.wire import Enrolment, Record, parse_enrolment, parse_record


class Mirror:
    """Remembers records in a twin, as a live collection does."""

    def __init__(self) -> None:
        self.twin = Twin("turbine", asset="turbine")

    def enrolled(self, enrolment: Enrolment, index: int) -> None:
        """Take any key."""

    def logged(self, record: Record, index: int, verdict: Verdict) -> None:
        """Mirror what was logged."""
        self.twin.apply(record, index=index, verdict=verdict)


def collected(node: SampleNode, records: list[bytes]) -> tuple[MemoryStore, Verifier, TwinState]:
    """Verify, log and mirror records as a collector does while it lives."""
    store = MemoryStore()
    ledger = Ledger(store, signer())
    enrolment = node.enrolment()
    ledger.append([enrolment])
    verifier = Verifier([parse_enrolment(enrolment.body)])
    twin = Twin("turbine", asset="turbine")
    for index, data in enumerate(records, 1):
        verdict = verifier.check(data)
        assert verdict.accepted
        ledger.append([record_entry(parse_record(data))])
        twin.apply(parse_record(data), index=index, verdict=verdict)
    return store, verifier, twin.state


def restored(store: MemoryStore) -> tuple[Verifier, TwinState]:
    """Die and come back."""
    mirror = Mirror()
    view = LedgerView(store, signer().verifier)
    verifier = restored_verifier(view, store, mirror)
    return verifier, mirror.twin.state


class SwappedKey(MemoryStore):
    """A storage in which somebody enrolled another key without the ledger's."""

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        for entry in super().entries(start, stop):
            yield replace(entry, body=SampleNode(2).enrolment().body) if not entry.index else entry


def test_a_key_that_was_not_signed_into_the_ledger_is_not_collected_from() -> None:
    store = SwappedKey()
    Ledger(store, signer()).append([SampleNode(1).enrolment()])
    with pytest.raises(CheckpointInconsistent, match="the entries lead to size 1 root"):
        restored(store)


def codes(verdict: Verdict) -> list[str]:
    return [finding.code.value for finding in verdict.findings]


def test_record_in_doubt_is_no_more_verified_after_a_restart_than_before() -> None:
    node = SampleNode()
    good = [node.reading(), node.reading()]
    node.prev = parse_record(good[0]).digest  # a second branch, with a number of its own
    store, _, before = collected(node, [*good, node.sealed(3, 9_000)])
    assert before.refused == (("fork", 1),)
    assert before.energies is not None
    assert before.energies.proof.seq == 2
    assert restored(store)[1] == before


def test_register_that_ran_backwards_stays_in_doubt_after_a_restart() -> None:
    node = SampleNode()
    first = node.reading()
    store, _, before = collected(node, [first, node.sealed(2, 10)])
    assert not before.verified
    assert restored(store)[1] == before


def test_record_that_filled_a_gap_does_not_accuse_its_node_after_a_restart() -> None:
    node = SampleNode()
    first, late, third = node.reading(), node.reading(), node.reading()
    store, verifier, before = collected(node, [first, third, late])
    again, after = restored(store)
    assert after == before
    following = node.reading()
    assert codes(verifier.check(following)) == []
    assert codes(again.check(following)) == []
