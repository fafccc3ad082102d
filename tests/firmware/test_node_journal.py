"""The journal on a real littlefs: appending, pruning, holding, corruption, and power cuts."""

import random
from hashlib import sha256

import pytest
from cut_journal import STATE_BYTES, JournalBench, state_of
from node import journal as journal_module
from node.journal import RECORD_MAX, Reader

from wattest.emulator.flash import NorFlash


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> JournalBench:
    return JournalBench(monkeypatch)


def read_all(bench: JournalBench, position: int = 0) -> list[bytes]:
    reader = Reader(bench.journal)
    reader.seek(position)
    found = []
    while (record := reader.read()) is not None:
        found.append(bytes(record))
    return found


def test_empty_journal_has_no_head(bench: JournalBench) -> None:
    journal = bench.journal
    assert (journal.next_position, journal.head_state, journal.first_retained()) == (0, None, 0)
    assert journal.head_digest == bytes(32)
    assert read_all(bench) == []


def test_records_are_read_back_in_order_over_segments_and_restarts(bench: JournalBench) -> None:
    expected = [bench.append() for _ in range(25)]
    assert bench.segments() > 2
    assert read_all(bench) == expected
    bench.restart()
    assert read_all(bench) == expected
    assert read_all(bench, 13) == expected[13:]
    assert bench.journal.head_state == state_of(24)
    assert bench.journal.head_digest == sha256(expected[-1]).digest()


def test_append_needs_few_flash_operations(bench: JournalBench) -> None:
    bench.append()
    before = bench.flash.operations
    for _ in range(5):
        bench.append()
    assert (bench.flash.operations - before) / 5 < 16


def test_acknowledged_segments_are_pruned_and_the_head_stays(bench: JournalBench) -> None:
    expected = [bench.append() for _ in range(20)]
    bench.journal.acknowledge(10)
    assert 0 < bench.journal.first_retained() <= 11
    assert bench.journal.acknowledged == 11
    bench.journal.acknowledge(19)
    assert bench.segments() == 1
    first = bench.journal.first_retained()
    assert read_all(bench) == expected[first:]
    bench.restart()
    assert bench.journal.next_position == 20
    assert bench.journal.head_state == state_of(19)
    assert bench.journal.acknowledged == first


def test_full_journal_has_room_for_events_only_and_then_for_none(bench: JournalBench) -> None:
    while bench.journal.room(event=False):
        bench.append()
    assert bench.journal.room(event=True)
    assert bench.segments() <= 6
    events = 0
    while bench.journal.room(event=True):
        bench.append()
        events += 1
    assert events >= 5
    assert bench.segments() <= 8
    bench.journal.acknowledge(bench.journal.next_position - 1)
    assert bench.journal.room(event=False)


def test_held_state_is_taken_until_the_next_entry(bench: JournalBench) -> None:
    for _ in range(3):
        bench.append()
    bench.journal.hold(state_of(77))
    bench.restart()
    assert bench.journal.head_state == state_of(77)
    bench.append()
    bench.restart()
    assert bench.journal.head_state == state_of(3)


def test_damaged_held_state_is_not_taken(bench: JournalBench) -> None:
    bench.append()
    bench.journal.hold(state_of(77))
    data = bytearray(bench.fs.read_file("/journal/hold"))
    data[20] ^= 1
    bench.fs.write_file("/journal/hold", bytes(data))
    bench.restart()
    assert bench.journal.head_state == state_of(0)


def test_torn_tail_is_dropped_and_never_appended_to(bench: JournalBench) -> None:
    expected = [bench.append() for _ in range(3)]
    name = bench.last_segment()
    bench.fs.write_file(name, bench.fs.read_file(name) + b"WJ" + bytes(60))
    bench.restart()
    journal = bench.journal
    assert (journal.torn_bytes, journal.burnt, journal.next_position) == (62, 0, 3)
    expected.append(bench.append())
    bench.restart()
    assert read_all(bench) == expected


def test_torn_first_entry_of_a_segment_is_dropped(bench: JournalBench) -> None:
    expected = [bench.append()]
    bench.fs.write_file("/journal/00000001", b"WJ\x40")
    bench.restart()
    assert bench.journal.torn_bytes == 3
    expected.append(bench.append())
    bench.restart()
    assert read_all(bench) == expected


def test_corrupt_last_entry_burns_its_number(bench: JournalBench) -> None:
    expected = [bench.append() for _ in range(3)]
    bench.damage_last_entry()
    bench.restart()
    journal = bench.journal
    assert journal.burnt >= 1
    assert journal.next_position == 2 + journal.burnt > 2
    assert journal.head_state == state_of(1)
    assert journal.head_digest == sha256(expected[1]).digest()
    burnt = journal.burnt
    bench.restart()
    assert bench.journal.burnt == burnt
    later = bench.append()
    bench.restart()
    assert bench.journal.burnt == 0
    assert read_all(bench) == [*expected[:2], later]


def test_every_damaged_byte_of_the_last_entry_burns_or_drops_it(bench: JournalBench) -> None:
    """No damage may make the journal use a number again that could have left the node."""
    for _ in range(2):
        bench.append()
    name = bench.last_segment()
    good = bench.fs.read_file(name)
    start = len(good) // 2
    for offset in range(start, len(good), 7):
        bench.fs.write_file(
            name, good[:offset] + bytes([good[offset] ^ 0x40]) + good[offset + 1 :]
        )
        bench.restart()
        assert bench.journal.next_position >= 2, offset
        assert bench.journal.burnt >= 1, offset


def test_unreadable_records_in_the_middle_are_counted_once(bench: JournalBench) -> None:
    expected = [bench.append() for _ in range(20)]
    first, second = bench.segment_positions()[:2]
    name = f"/journal/{first:08x}"
    data = bytearray(bench.fs.read_file(name))
    data[-20] ^= 1
    bench.fs.write_file(name, bytes(data))
    bench.restart()
    reader = Reader(bench.journal)
    found = []
    while (record := reader.read()) is not None:
        found.append(bytes(record))
    assert found == expected[: second - 1] + expected[second:]
    assert reader.lost == 1
    reader.lost = 0
    reader.seek(0)
    while reader.read() is not None:
        pass
    assert reader.lost == 0
    assert bench.journal.next_position == 20


def test_erase_begins_at_position_0(bench: JournalBench) -> None:
    for _ in range(9):
        bench.append()
    bench.journal.erase()
    assert (bench.journal.next_position, bench.journal.head_state) == (0, None)
    assert bench.segments() == 0
    bench.restart()
    assert bench.journal.head_state is None


def test_failed_append_is_recovered_from_what_is_on_flash(
    bench: JournalBench,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = bench.append()
    opener = journal_module.open

    def failing(_path: str, mode: str):
        if mode == "ab":
            raise OSError(28, "no space")
        return opener(_path, mode)

    monkeypatch.setattr(journal_module, "open", failing, raising=False)
    with pytest.raises(OSError, match="no space"):
        bench.append()
    assert bench.journal.dirty
    monkeypatch.setattr(journal_module, "open", opener, raising=False)
    bench.journal.recover()
    assert bench.journal.next_position == 1
    bench.write_record(bench.journal.next_position)
    assert read_all(bench)[0] == first


def test_record_of_the_largest_size_fits(bench: JournalBench) -> None:
    space = bench.journal.space()
    assert len(space) == RECORD_MAX
    space[:] = bytes(RECORD_MAX)
    bench.journal.append(RECORD_MAX, bytearray(STATE_BYTES))
    assert read_all(bench) == [bytes(RECORD_MAX)]


# ---- power cuts ----


def test_power_cut_at_every_flash_operation_loses_and_doubles_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Goal: whatever was appended before the cut is there after it, and its number stays used.

    Method: a script of appends, acknowledgements and held states is run to its k-th flash
    operation for every k; then the journal is recovered and goes on. The tear of the last
    operation is drawn from a seed.
    """
    covered = 0
    bench = JournalBench(monkeypatch, flash=NorFlash(256 << 10))
    total = bench.run_script()
    for cut in range(1, total + 1):
        bench = JournalBench(monkeypatch, flash=NorFlash(256 << 10))
        bench.run_script(cut_after=cut, chance=random.Random(cut))
        bench.check_after_cut()
        covered += 1
    print(f"power cut at each of {covered} flash operations")
    assert covered == total > 150


def test_second_power_cut_during_recovery_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    covered = 0
    bench = JournalBench(monkeypatch, flash=NorFlash(256 << 10))
    total = bench.run_script()
    for cut in range(1, total + 1, 5):
        second = 1
        while True:
            bench = JournalBench(monkeypatch, flash=NorFlash(256 << 10))
            bench.run_script(cut_after=cut, chance=random.Random(cut))
            if not bench.recover_and_append(cut_after=second):
                break
            bench.check_after_cut()
            covered += 1
            second += 3
    print(f"second power cut at {covered} flash operations")
    assert covered > 200
