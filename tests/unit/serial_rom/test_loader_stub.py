"""The dialect of the stub that tools upload, and the faults of wire and parts."""

from __future__ import annotations

import struct

import pytest
from loader_tool import RefusedError, Tool, checksum

from wattest.emulator.flash import NorFlash
from wattest.emulator.serial_rom import SYNC_FRAME, Leave, LoaderFaults

IMAGE = b"".join(index.to_bytes(4, "little") * (1 + index % 5) for index in range(9000))


def stub(chip: str = "esp32", flash: NorFlash | None = None) -> Tool:
    """Return a tool whose stub runs."""
    tool = Tool(chip, flash)
    assert tool.run_stub() == b"OHAI"
    return tool


@pytest.mark.parametrize("chip", ["esp32", "esp32s3", "esp32c3"])
def test_the_stub_greets_and_answers_sync_with_zero(chip: str) -> None:
    tool = stub(chip)
    answers = tool.send(SYNC_FRAME)
    assert len(answers) == 8
    assert answers[0] == struct.pack("<BBHI", 1, 8, 2, 0) + b"\0\0"
    assert tool.rom.in_stub


def test_code_that_is_no_stub_leaves_the_chip_silent_until_a_reset() -> None:
    tool = Tool("esp32")
    code = bytes(64)
    tool.command(0x05, struct.pack("<IIII", 64, 1, 64, 0x40080000))
    tool.command(0x07, struct.pack("<IIII", 64, 0, 0, 0) + code, check=checksum(code))
    tool.command(0x06, struct.pack("<II", 0, 0x40080000))
    assert tool.send(SYNC_FRAME) == []
    assert tool.left == []


def test_an_upload_without_an_entry_point_starts_nothing() -> None:
    tool = Tool("esp32")
    assert len(tool.ask(0x06, struct.pack("<II", 1, 0))) == 1
    assert len(tool.send(SYNC_FRAME)) == 8
    assert not tool.rom.in_stub


@pytest.mark.parametrize("compressed", [True, False])
def test_the_stub_writes_verifies_and_reads_back(compressed: bool) -> None:
    tool = stub()
    tool.write(0x10000, IMAGE, compressed=compressed)
    assert tool.flash.read(0x10000, len(IMAGE)) == IMAGE
    assert tool.read(0x10000, len(IMAGE)) == IMAGE


def test_the_stub_erases_only_as_far_as_it_has_written() -> None:
    tool = stub()
    tool.command(0x02, struct.pack("<IIII", 0x5000, 2, 0x4000, 0x10000))
    assert tool.flash.wear == {}
    block = b"\x5a" * 0x4000
    tool.command(0x03, struct.pack("<IIII", len(block), 0, 0, 0) + block, check=checksum(block))
    assert sorted(tool.flash.wear) == [16, 17, 18, 19]
    tool.command(0x04, struct.pack("<I", 1))
    assert sorted(tool.flash.wear) == [16, 17, 18, 19, 20]


@pytest.mark.parametrize("window", [1, 2, 64])
def test_a_read_never_has_more_under_way_than_its_window(window: int) -> None:
    tool = stub()
    answers = tool.ask(0xD2, struct.pack("<IIII", 0, 0x20000, 0x1000, window))
    assert len(answers) - 1 == min(window, 32)
    assert tool.send(b"\xc0\x00\x10\x00\x00\xc0") == [b"\xff" * 0x1000] * min(1, 32 - window + 1)


def test_reading_nothing_gives_the_digest_of_nothing() -> None:
    assert stub().read(0, 0) == b""


def test_erasing_the_chip_and_a_region() -> None:
    tool = stub(flash=NorFlash(0x10000))
    for at in range(0, 0x10000, 0x1000):
        tool.flash.program(at, b"used")
    tool.command(0xD1, struct.pack("<II", 0x2000, 0x3000))
    assert [tool.flash.read(at, 1) for at in (0x1000, 0x2000, 0x4000, 0x5000)] == [
        b"u",
        b"\xff",
        b"\xff",
        b"u",
    ]
    tool.command(0xD0)
    assert tool.flash.used_sectors == 0
    with pytest.raises(RefusedError, match="c400"):
        tool.command(0xD1, struct.pack("<II", 0xF000, 0x2000))


@pytest.mark.parametrize(
    ("command", "data", "code"),
    [
        (0x7F, b"", "ff00"),
        (0x0E, struct.pack("<II", 0, 64), "ff00"),
        (0x14, b"", "ff00"),
        (0x0A, b"abc", "c000"),
        (0x03, bytes(16), "c600"),
        (0x13, struct.pack("<IIII", 0, 5 << 20, 0, 0), "c400"),
        (0xD2, struct.pack("<IIII", 0, 5 << 20, 0x1000, 64), "c400"),
    ],
)
def test_the_stub_refuses_with_codes_of_its_own(command: int, data: bytes, code: str) -> None:
    with pytest.raises(RefusedError, match=code):
        stub().command(command, data, check=0xEF)


def test_the_stub_refuses_a_wrong_checksum() -> None:
    tool = stub()
    tool.command(0x02, struct.pack("<IIII", 4, 1, 0x4000, 0))
    with pytest.raises(RefusedError, match="c100"):
        tool.command(0x03, struct.pack("<IIII", 4, 0, 0, 0) + b"data", check=0)


def test_ending_with_stay_keeps_the_stub_and_without_hands_over_to_the_rom() -> None:
    tool = stub()
    tool.command(0x04, struct.pack("<I", 1))
    assert tool.rom.in_stub
    assert not tool.rom.kept
    tool.command(0x02, struct.pack("<IIII", 0, 0, 0x4000, 0))
    tool.command(0x04, struct.pack("<I", 0))
    tool.in_stub = False
    assert tool.rom.kept
    assert not tool.rom.in_stub
    assert tool.left == []
    assert struct.unpack_from("<I", tool.send(SYNC_FRAME)[0], 4)[0] != 0
    assert not tool.rom.kept


def test_the_speed_a_tool_asks_for_is_remembered() -> None:
    tool = stub()
    tool.command(0x0F, struct.pack("<II", 921_600, 115_200))
    assert tool.rom.baud == 921_600


def test_user_code_can_be_started_from_the_stub() -> None:
    tool = stub()
    assert tool.ask(0xD3) == []
    assert tool.left == [Leave.RUN]


# ---- faults -------------------------------------------------------------------------------------


def test_every_nth_data_packet_arrives_corrupted() -> None:
    tool = Tool(faults=LoaderFaults(wrong_checksum_every=3))
    tool.command(0x02, struct.pack("<IIII", 0x1800, 6, 0x400, 0))
    refused = []
    for index in range(6):
        block = bytes([index]) * 0x400
        try:
            tool.command(
                0x03, struct.pack("<IIII", 0x400, index, 0, 0) + block, check=checksum(block)
            )
        except RefusedError:
            refused.append(index)
    assert refused == [2, 5]
    assert tool.flash.read(0, 0xC00) == b"\0" * 0x400 + b"\1" * 0x400 + b"\3" * 0x400


def test_a_lost_byte_makes_the_packet_too_short() -> None:
    tool = Tool(faults=LoaderFaults(lose_byte_every=60))
    assert len(tool.send(SYNC_FRAME)) == 8
    (answer,) = tool.send(SYNC_FRAME)
    assert answer[8:10] == b"\x01\x05"


def test_a_flash_chip_of_another_size_says_so() -> None:
    tool = Tool(faults=LoaderFaults(flash_id=0x1740C8))
    tool.write_register(0x3FF42024, 7 << 28 | 0x9F)
    tool.write_register(0x3FF42000, 1 << 18)
    assert tool.read_register(0x3FF42080) == 0x1740C8


def test_a_wrong_chip_answers_as_that_chip() -> None:
    tool = Tool("esp32", faults=LoaderFaults(chip="esp32c3"))
    assert struct.unpack("<IB7sII", tool.command(0x14)[1])[3] == 5
