"""The audit: a sound ledger passes; each kind of damage is named, and only that."""

from dataclasses import replace

import pytest

from ledger_samples import SampleNode, entry_of, fill, moved, plain, signer
from wattest.errors import StoreError
from wattest.ledger import EntryKind, Ledger, NewEntry
from wattest.ledger.audit import AuditProgress, AuditReport, audit, audit_report
from wattest.ledger.evidence import EvidenceChecks
from wattest.ledger.tree import leaf_hash
from wattest.store import MemoryStore
from wattest.verify import FindingCode
from wattest.wire.enrolment import KeptFinding


@pytest.fixture
def store():
    """Two nodes, 300 readings, a conflict, terms; more than one tile, several checkpoints."""
    filled = MemoryStore()
    ledger = Ledger(filled, signer())
    node = SampleNode()
    fill(ledger, node, 260, batch=50)
    fill(ledger, SampleNode(2), 40)
    ledger.append([plain(1), entry_of(node.sealed(9, 5))])
    return filled


def lines(store, checks=None):
    report = audit_report(store, signer().verifier, checks)
    return [finding.line() for finding in report.findings]


def put(store, index, **changes):
    store._entries[index] = moved(store._entries[index], **changes)


def flipped(data, place=0):
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def test_sound_ledger_has_no_findings(store):
    evidence = EvidenceChecks()
    report = audit_report(store, signer().verifier, evidence.checks)
    assert report.sound
    assert (report.size, report.entries_checked) == (305, 305)
    assert report.checkpoints_checked == len(list(store.checkpoints()))
    assert evidence.findings == []


def test_empty_ledger_is_sound():
    assert audit_report(MemoryStore(), signer().verifier).sound


def test_audit_tells_its_progress_and_ends_with_its_report():
    store = MemoryStore()
    Ledger(store, signer()).append([plain(i) for i in range(2500)])
    events = list(audit(store, signer().verifier))
    progress = [event.done for event in events if isinstance(event, AuditProgress)]
    assert progress == [1024, 2048, 2500]
    assert isinstance(events[-1], AuditReport)


def test_ledger_of_another_key_is_named(store):
    found = lines_of(audit_report(store, signer(2).verifier))
    assert "checkpoint 1: checkpoint: expected a signature of wattest/test" in found
    assert "entry 0: no sound checkpoint covers the entries from here to 304" in found


def lines_of(report):
    return "\n".join(finding.line() for finding in report.findings)


def test_changed_body_is_named_once_and_hides_nothing_else(store):
    put(store, 17, body=flipped(store._entries[17].body, 60))
    put(store, 280, body=flipped(store._entries[280].body, 60))
    assert lines(store) == [
        "entry 17: kind or body does not match the leaf hash",
        "entry 280: kind or body does not match the leaf hash",
    ]


def test_changed_kind_is_named(store):
    put(store, 17, kind=2)
    assert lines(store) == ["entry 17: kind or body does not match the leaf hash"]


def test_changed_leaf_is_named(store):
    put(store, 17, leaf=flipped(store._entries[17].leaf))
    assert lines(store) == ["entry 17: the leaf hash does not match kind and body"]


def test_body_replaced_with_its_leaf_hash_is_told_by_the_signed_root(store):
    body = store._entries[18].body
    put(store, 17, body=body, leaf=leaf_hash(1, body))
    found = lines(store)
    assert found[0] == "tile 0/0: the hash of entry 17 is not the leaf hash of that entry"
    assert (
        "entry 17: replaced with its leaf hash: the signed root covers another entry here" in found
    )
    assert not any(line.startswith("checkpoint") for line in found)


def test_body_replaced_up_to_the_tiles_is_told_by_the_signed_root(store):
    body = flipped(store._entries[17].body, 60)
    leaf = leaf_hash(1, body)
    put(store, 17, body=body, leaf=leaf)
    tile = store._tiles[0, 0]
    store._tiles[0, 0] = tile[: 17 * 32] + leaf + tile[18 * 32 :]
    found = lines(store)
    message = "the signed root is not that of the tree: an entry from 1 to 50 was replaced"
    assert f"checkpoint 51: {message}" in found
    assert any("later signed roots differ" in line for line in found)


def test_removed_tail_is_told_by_the_checkpoints_beyond_it(store):
    del store._entries[-1]
    found = lines(store)
    assert any(line.startswith("checkpoint 305: expected at most the size 304") for line in found)


def test_removed_tail_with_its_checkpoint_is_uncovered(store):
    del store._checkpoints[305]
    found = lines(store)
    assert found == ["entry 302: no sound checkpoint covers the entries from here to 304"]


def test_missing_entry_is_named(store):
    reader = _Reader(store, entries=store._entries[:17] + store._entries[18:])
    report = audit_report(reader, signer().verifier)
    assert "entry 17: the entry is missing" in lines_of(report)
    assert not any(f.table == "checkpoint" for f in report.findings)


def test_unreadable_entries_are_named_and_the_rest_is_audited(store):
    put(store, 280, body=flipped(store._entries[280].body, 60))
    report = audit_report(_Reader(store, unreadable={17, 18}), signer().verifier)
    found = lines_of(report)
    assert "entry 17: page is gone" in found
    assert "entry 18: page is gone" in found
    assert "entry 280: kind or body" in found
    assert report.entries_checked == 303


def test_changed_tile_is_named(store):
    store._tiles[0, 0] = flipped(store._tiles[0, 0], 5 * 32 + 3)
    assert lines(store) == ["tile 0/0: the hash of entry 5 is not the leaf hash of that entry"]


def test_missing_and_unexpected_tiles_are_named(store):
    store._tiles[0, 7] = store._tiles.pop((0, 0))
    assert lines(store) == [
        "tile 0/0: tile 0/0 is missing",
        "tile 0/7: a ledger of 305 entries has no such tile",
    ]


def test_changed_edges_are_named(store):
    store._edges[0] = flipped(store._edges[0], 3 * 32)
    store._edges[1] = flipped(store._edges[1], 3)
    assert lines(store) == [
        "edge 0: the hash of entry 259 is not the leaf hash of that entry",
        "edge 1: hash 0 is not the root of the tile below",
    ]


def test_edges_of_another_shape_are_named(store):
    store._edges[0] += bytes(32)
    store._edges[4] = b""
    del store._edges[1]
    assert lines(store) == [
        "edge 0: expected 1568 bytes, got 1600",
        "edge 1: the edge is missing",
        "edge 4: a ledger of 305 entries has no such level",
    ]


def test_changed_tile_above_the_leaves_is_named():
    store = MemoryStore()
    Ledger(store, signer()).append([plain(i) for i in range(256 * 256)])
    assert lines(store) == []
    store._tiles[1, 0] = flipped(store._tiles[1, 0], 9 * 32)
    assert lines(store) == ["tile 1/0: hash 9 is not the root of the tile below"]


def test_changed_checkpoint_is_named(store):
    sizes = sorted(store._checkpoints)
    note, root = sizes[2], sizes[3]
    changed = store._checkpoints[note]
    store._checkpoints[note] = replace(changed, note=flipped(changed.note, 150))
    changed = store._checkpoints[root]
    store._checkpoints[root] = replace(changed, root=flipped(changed.root))
    found = lines(store)
    assert len(found) == 2
    assert found[0].startswith(f"checkpoint {note}: ")
    assert found[1].startswith(f"checkpoint {root}: the signed note states size {root}, root ")


def test_changed_record_row_is_named_with_the_column(store):
    identity = (SampleNode().kid, 0, 7)
    row = store._records[identity]
    store._records[identity] = replace(row, facts=replace(row.facts, import_milliwh=7_001))
    name = f"{identity[0].hex()}/0/7"
    assert lines(store) == [
        f"record {name}: import_milliwh of entry 7: expected 7000, got 7001",
    ]


def test_moved_record_row_is_named_on_both_ends(store):
    identity = (SampleNode().kid, 0, 7)
    store._records[identity] = replace(store._records[identity], index=302)
    name = f"{identity[0].hex()}/0/7"
    assert lines(store) == [
        f"record {name}: the row of entry 7 is missing",
        f"record {name}: entry 302 is not a record",
    ]


def test_removed_record_row_is_named(store):
    del store._records[SampleNode().kid, 0, 7]
    assert lines(store) == [f"record {SampleNode().kid.hex()}/0/7: the row of entry 7 is missing"]


def test_row_beyond_the_ledger_is_named(store):
    row = store._records[SampleNode().kid, 0, 7]
    facts = replace(row.facts, seq=999)
    store._records[facts.kid, 0, 999] = replace(row, index=999, facts=facts)
    assert lines(store) == [f"record {facts.kid.hex()}/0/999: no record in entry 999"]


def test_conflict_rows_are_compared_with_their_findings(store):
    name = f"{SampleNode().kid.hex()}/0/9"
    (key,) = store._conflicts
    row = store._conflicts[key]
    store._conflicts[key] = replace(row, first_index=10)
    assert lines(store) == [f"conflict {name}: the row does not match entry 303"]
    store._conflicts[key] = replace(row, index=302)
    assert lines(store) == [
        f"conflict {name}: entry 302 keeps no conflicting record",
        f"conflict {name}: the row of this conflict is missing",
    ]
    del store._conflicts[key]
    assert lines(store) == [f"conflict {name}: the row of this conflict is missing"]
    store._conflicts[key] = replace(row, index=999)
    assert f"conflict {name}: no such conflict entry" in lines(store)


def test_identity_logged_twice_is_named():
    """A writer that skips the idempotency check leaves a ledger the audit refuses."""
    store = MemoryStore()
    ledger = Ledger(store, signer())
    node = SampleNode()
    fill(ledger, node, 3)
    again = entry_of(node.sealed(2, 5))
    ledger.append([replace(again, facts=None)])
    assert "entry 4: its identity is that of entry 2" in lines(store)


def test_record_under_the_wrong_kind_is_named():
    store = MemoryStore()
    entry = entry_of(SampleNode().reading())
    Ledger(store, signer()).append([replace(entry, kind=EntryKind.EVENT)])
    assert lines(store) == ["entry 0: expected kind 1 for ctx 0, got 2"]


def test_entry_that_is_no_record_is_named():
    store = MemoryStore()
    Ledger(store, signer()).append([NewEntry(kind=EntryKind.READING, body=b"junk")])
    (line,) = lines(store)
    assert line.startswith("entry 0: cose: tag at byte 0")


def test_unknown_kind_is_named():
    store = MemoryStore()
    Ledger(store, signer()).append([plain(0)])
    put(store, 0, kind=9)
    found = lines(store)
    assert found == ["entry 0: kind or body does not match the leaf hash"]
    put(store, 0, kind=-1)
    assert lines(store) == found


def test_record_of_a_key_that_was_never_enrolled_is_named():
    store = MemoryStore()
    node = SampleNode()
    Ledger(store, signer()).append([entry_of(node.reading())])
    assert lines(store, EvidenceChecks().checks) == [
        f"entry 0: unknown-key: key {node.kid.hex()} is not enrolled"
    ]


def test_logged_record_with_a_bad_signature_is_named():
    store = MemoryStore()
    ledger, node = Ledger(store, signer()), SampleNode()
    data = node.reading()
    ledger.append([node.enrolment(), entry_of(flipped(data, len(data) - 1))])
    (line,) = lines(store, EvidenceChecks().checks)
    assert line.startswith("entry 1: bad-signature: ")


def test_forged_accusation_is_named():
    store = MemoryStore()
    ledger, node = Ledger(store, signer()), SampleNode()
    fill(ledger, node, 3)
    forged = flipped(node.sealed(2, 5), 250)
    finding = KeptFinding(code="conflict", kid=node.kid, ctx=0, seq=2, message="", record=forged)
    ledger.append([NewEntry(kind=EntryKind.FINDING, body=finding.to_cbor())])
    found = "\n".join(lines(store, EvidenceChecks().checks))
    assert "entry 4: the record it keeps accuses nobody: signature" in found


@pytest.mark.parametrize(
    ("kind", "message"),
    [(EntryKind.ENROLMENT, "enrolment"), (EntryKind.FINDING, "finding")],
)
def test_malformed_enrolment_or_finding_is_named(kind, message):
    store = MemoryStore()
    Ledger(store, signer()).append([NewEntry(kind=kind, body=b"\xa0")])
    (line,) = lines(store, EvidenceChecks().checks)
    assert line.startswith(f"entry 0: record: {message}")


def test_properties_of_the_evidence_are_kept_apart_from_damage():
    store = MemoryStore()
    ledger, node = Ledger(store, signer()), SampleNode()
    ledger.append([node.enrolment(), entry_of(node.sealed(1, 5)), entry_of(node.sealed(4, 6))])
    evidence = EvidenceChecks()
    assert audit_report(store, signer().verifier, evidence.checks).sound
    assert FindingCode.GAP in {finding.code for _, finding in evidence.findings}


def test_check_of_the_caller_names_its_entry(store):
    report = audit_report(
        store, signer().verifier, {EntryKind.TERMS: lambda _: ["price is not a number"]}
    )
    assert lines_of(report) == "entry 302: price is not a number"


def test_storage_that_cannot_be_read_is_a_finding(store):
    class Dead(_Reader):
        def head(self):
            raise StoreError("disk reports an error")

    report = audit_report(Dead(store), signer().verifier)
    assert lines_of(report) == "file: disk reports an error"


class _Reader:
    """A store whose entries are damaged while reading."""

    def __init__(self, store, *, entries=None, unreadable=()):
        self._store = store
        self._entries = store._entries if entries is None else entries
        self._unreadable = unreadable

    def __getattr__(self, name):
        return getattr(self._store, name)

    def entries(self, start=0, stop=None):
        for entry in self._entries:
            if start <= entry.index < stop:
                if entry.index in self._unreadable:
                    raise StoreError("page is gone")
                yield entry
