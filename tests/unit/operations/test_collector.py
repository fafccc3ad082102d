"""The collector alone: verify, commit, and only then acknowledge; who is enrolled, who is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from talking_node import Talk, TalkingNode, codes, readings, record_frame

from ledger_samples import resigned, signer
from wattest.errors import StoreError
from wattest.ledger import EntryKind, LedgerView
from wattest.ledger.store import Batch
from wattest.operations.collector import BATCH_RECORDS_MAX, FLUSH_DELAY_MS
from wattest.operations.events import (
    CheckpointSigned,
    FrameLost,
    NodeChanged,
    RecordLogged,
)
from wattest.operations.live.restore import restored_verifier
from wattest.store import MemoryStore, SqliteStore
from wattest.wire.message import WINDOW_RECORDS

# ---- commit, then acknowledge ----


def test_nothing_is_acknowledged_before_it_is_committed() -> None:
    talk = Talk()
    node = talk.enrol(TalkingNode())
    before = node.acknowledged
    for _ in range(3):
        node.seal()
    talk.step(5)
    assert talk.collector.pending_records == 3
    assert talk.collector.flush_at_ms is not None
    assert talk.collector.flush_at_ms - talk.now_ms <= FLUSH_DELAY_MS
    assert node.acknowledged == before
    seen = talk.flush()
    assert [type(event) for event in seen] == [*[RecordLogged] * 3, CheckpointSigned]
    talk.step(2)
    assert node.acknowledged == before + 3
    assert talk.collector.flush_at_ms is None
    assert talk.flush() == []


def test_copy_of_a_pending_record_is_not_acknowledged_before_the_commit() -> None:
    talk = Talk()
    node = talk.enrol(TalkingNode())
    data, before = node.seal(), node.acknowledged
    talk.step()
    assert talk.arrive(record_frame(before, data)) == []  # the node was quick to send it again
    talk.step(2)
    assert node.acknowledged == before
    talk.flush()
    talk.step(2)
    assert node.acknowledged == before + 1
    assert readings(talk).count(data) == 1


def test_committed_record_that_comes_again_is_acknowledged_again_and_logged_once() -> None:
    talk = Talk()
    node = talk.enrol(TalkingNode())
    node.seal()
    talk.step()
    talk.flush()
    size = talk.ledger.size
    talk.collector.outgoing("turbine", talk.now_ms)  # the acknowledgement is lost
    node.say_hello()
    assert codes(talk.step(4)) == []
    assert node.acknowledged == len(node.journal)
    assert talk.flush() == []
    assert talk.ledger.size == size


def test_replay_of_an_acknowledged_record_is_refused_and_never_acknowledged() -> None:
    talk = Talk()
    node = talk.enrol(TalkingNode())
    node.seal()
    talk.step()
    talk.flush()
    talk.step(3)
    size = talk.ledger.size
    old = node.journal[0]
    for position in (0, len(node.journal)):
        assert codes(talk.arrive(record_frame(position, old))) == ["replay"]
        assert talk.collector.outgoing("turbine", talk.now_ms) == b""
    assert talk.flush() == []
    assert talk.ledger.size == size


def test_same_record_under_the_other_signature_is_a_replay_too() -> None:
    talk = Talk()
    node = talk.enrol(TalkingNode())
    data = node.seal()
    talk.step()
    talk.flush()
    talk.step(3)
    assert codes(talk.arrive(record_frame(node.acknowledged, resigned(data)))) == ["replay"]
    assert talk.flush() == []


def test_batch_that_is_full_is_committed_at_once() -> None:
    """A window is eight records, so it takes many nodes to fill one."""
    talk = Talk()
    lanes = [f"turbine-{number}" for number in range(BATCH_RECORDS_MAX // WINDOW_RECORDS)]
    for number, lane in enumerate(lanes, 1):
        node = talk.attach(TalkingNode(number, serial="demo-0001"), lane)
        talk.step(3, lane=lane)
        talk.flush()
        talk.step(2, lane=lane)
        for _ in range(WINDOW_RECORDS):
            node.seal()
    before = talk.ledger.size
    for lane in lanes[:-1]:
        talk.step(lane=lane)
    assert talk.ledger.size == before
    assert talk.collector.pending_records == BATCH_RECORDS_MAX - WINDOW_RECORDS
    seen = talk.step(lane=lanes[-1])
    assert talk.collector.pending_records == 0
    assert talk.ledger.size == before + BATCH_RECORDS_MAX
    assert sum(isinstance(event, RecordLogged) for event in seen) == BATCH_RECORDS_MAX
    assert sum(isinstance(event, CheckpointSigned) for event in seen) == 1


class FullStore(MemoryStore):
    """A store that is full while it is told to be."""

    full = False

    def commit(self, batch: Batch) -> None:
        if self.full:
            raise StoreError("the disk is full")
        super().commit(batch)


def test_full_disk_acknowledges_nothing_and_loses_nothing() -> None:
    store = FullStore()
    talk = Talk(store=store)
    node = talk.enrol(TalkingNode())
    before, size = node.acknowledged, talk.ledger.size
    node.seal()
    store.full = True
    talk.step()
    with pytest.raises(StoreError, match="the disk is full"):
        talk.flush()
    assert talk.ledger.size == size
    talk.arrive(record_frame(before, node.journal[-1]))
    talk.step(2)
    assert node.acknowledged == before
    store.full = False
    talk.flush()
    talk.step(2)
    assert node.acknowledged == before + 1
    assert readings(talk) == node.journal


# ---- evidence ----


def test_second_content_for_a_number_is_kept_as_evidence_and_acknowledged() -> None:
    talk = Talk()
    node = talk.enrol(TalkingNode())
    node.seal()
    talk.step()
    talk.flush()
    talk.step(2)
    first = node.journal[-1]
    node.seqs[0] -= 1
    second = node.seal()
    assert second != first
    talk.step()
    seen = talk.flush()
    assert "fork" in codes(seen)
    talk.step(2)
    assert node.acknowledged == len(node.journal)
    assert readings(talk).count(first) == 1
    assert second not in readings(talk)
    (kept,) = [entry for entry in talk.ledger.entries() if entry.kind == EntryKind.FINDING]
    assert second in kept.body


def test_record_with_a_wrong_signature_changes_nothing() -> None:
    talk = Talk()
    node = talk.enrol(TalkingNode())
    data = node.seal()
    forged = data[:-1] + bytes((data[-1] ^ 1,))
    before = node.acknowledged
    assert codes(talk.arrive(record_frame(before, forged))) == ["bad-signature"]
    assert talk.flush() == []
    talk.step()
    talk.flush()
    talk.step(2)
    assert readings(talk)[-1] == data
    assert node.acknowledged == before + 1


def test_damaged_frame_is_told_and_its_record_comes_again() -> None:
    talk = Talk()
    node = talk.enrol(TalkingNode())
    data, before = node.seal(), node.acknowledged
    frame = bytearray(record_frame(before, data))
    frame[50] ^= 4
    (lost,) = [e for e in talk.arrive(bytes(frame)) if isinstance(e, FrameLost)]
    assert lost.rule
    talk.step()
    talk.flush()
    assert readings(talk)[-1] == data


def test_collector_that_died_goes_on_from_the_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with SqliteStore(path) as store:
        talk = Talk(store=store)
        node = talk.enrol(TalkingNode())
        for _ in range(5):
            node.seal()
        talk.step(2)
        talk.flush()  # committed, and the acknowledgements never left
    with SqliteStore(path) as store:
        again = Talk(store=store)
        again.verifier = restored_verifier(LedgerView(store, signer().verifier), store)
        again.collector._verifier = again.verifier
        again.attach(node)
        node.seal()
        for _ in range(3):
            again.step(3)
            again.flush()
        assert again.enrolled == []
        assert codes(again.events) == []
        assert [e.state for e in again.events if isinstance(e, NodeChanged)] == ["connected"]
        assert readings(again) == node.journal
        assert node.acknowledged == len(node.journal)


def test_lane_that_is_closed_tells_nothing_more() -> None:
    talk = Talk()
    talk.enrol(TalkingNode())
    talk.collector.detach("turbine")
    with pytest.raises(KeyError):
        talk.collector.receive("turbine", b"", talk.now_ms)
