"""Which copy of a journal goes further: entries as the firmware writes them."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journal_samples import KEY_A, KEY_B, entry, segments

from wattest.flashing.journal import goes_further, journal_head


def test_the_head_is_the_newest_sound_entry():
    head = journal_head({**segments(range(3, 7), range(7, 12)), "hold": b"x" * 105})
    assert head is not None
    assert (head.kid, head.last_position, head.entries) == (KEY_A, 11, 9)


def test_a_torn_or_damaged_entry_ends_its_segment():
    files = segments(range(4), range(4, 9))
    files["00000004"] = files["00000004"][:-1]
    head = journal_head(files)
    assert head is not None
    assert (head.last_position, head.entries) == (7, 8)
    broken = bytearray(files["00000000"])
    broken[20] ^= 1
    head = journal_head({"00000000": bytes(broken)})
    assert head is None


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"hold": b"WJ"},
        {"00000000": b""},
        {"00000000": b"\xff" * 4096},
        {"00000005": entry(4)},
        {"nonsense": entry(0)},
    ],
)
def test_a_journal_without_a_sound_entry_has_no_head(files):
    assert journal_head(files) is None


@given(st.binary(max_size=400), st.integers(0, 2**32 - 3), st.integers(0, 2))
def test_bytes_that_look_like_a_head_inside_a_record_do_not_end_it(noise, position, ahead):
    tricky = noise + b"WJ" + struct.pack("<HI", 250, position + ahead) + noise
    files = {f"{position:08x}": entry(position, record=tricky) + entry(position + 1)}
    head = journal_head(files)
    assert head is not None
    assert (head.last_position, head.entries) == (position + 1, 2)


def test_the_copy_that_goes_further_is_preferred():
    short, long = segments(range(5)), segments(range(5), range(5, 9))
    assert goes_further(long, short)
    assert not goes_further(short, long)
    assert not goes_further(long, long)


def test_a_board_whose_file_system_is_torn_gets_its_journal_from_the_copy():
    assert goes_further(segments(range(5)), {})
    assert goes_further(segments(range(5)), {"00000000": b"\xff" * 4096})
    assert not goes_further({}, {})
    # Same end, but segments in the middle are missing: the copy has more.
    torn = segments(range(5, 9))
    assert goes_further(segments(range(5), range(5, 9)), torn)


def test_the_copy_of_another_key_is_not_preferred():
    assert not goes_further(segments(range(50)), segments(range(2), kid=KEY_B))
