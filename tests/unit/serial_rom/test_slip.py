"""SLIP frames: what is lost when bytes are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattest.emulator.serial_rom.faults import LossyWire
from wattest.emulator.serial_rom.slip import SlipDecoder, encode

AWKWARD = b"\xc0\xdb\xdc\xdd\xc0"


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.integers(min_value=1, max_value=9)
)
def test_frames_come_back_however_the_stream_is_cut(payloads: list[bytes], step: int) -> None:
    stream = b"".join(map(encode, payloads))
    decoder = SlipDecoder()
    found = []
    for at in range(0, len(stream), step):
        found += decoder.feed(stream[at : at + step])
    assert found == payloads


def test_special_bytes_are_escaped() -> None:
    assert encode(AWKWARD) == b"\xc0\xdb\xdc\xdb\xdd\xdc\xdd\xdb\xdc\xc0"
    assert SlipDecoder().feed(encode(AWKWARD)) == [AWKWARD]


def test_noise_before_a_frame_is_dropped() -> None:
    assert SlipDecoder().feed(b"boot log\r\n" + encode(b"one")) == [b"one"]


@pytest.mark.parametrize("lost", range(10))
def test_one_lost_byte_costs_only_the_frames_around_it(lost: int) -> None:
    stream = bytearray(encode(b"one") + encode(b"two") + encode(b"three") + encode(b"four"))
    del stream[lost]
    found = SlipDecoder().feed(bytes(stream))
    assert found[-1] == b"four"
    assert b"one" in found or lost <= 4
    assert b"three" in found or lost == 9


def test_a_long_frame_in_small_pieces_is_not_searched_from_its_start_each_time() -> None:
    decoder = SlipDecoder()
    stream = encode(bytes(range(1, 192)) * 2000)
    found = [
        part for at in range(0, len(stream), 32) for part in decoder.feed(stream[at : at + 32])
    ]
    assert [len(part) for part in found] == [382_000]


def test_a_lossy_wire_drops_each_third_byte_across_pieces() -> None:
    wire = LossyWire(3)
    assert (
        wire.carry(b"ab") + wire.carry(b"cde") + wire.carry(b"f") + wire.carry(b"ghi") == b"abdegh"
    )
    assert LossyWire(0).carry(b"abc") == b"abc"
