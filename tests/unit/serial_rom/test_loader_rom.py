"""The ROM's own dialect: what it answers, what it refuses, what its registers hold."""

from __future__ import annotations

import struct
import zlib

import pytest
from loader_tool import MAC, RefusedError, Tool, checksum, frame

from wattest.boards.esp_fuses import mac_crc8
from wattest.emulator.flash import NorFlash
from wattest.emulator.serial_rom import SYNC_FRAME, Leave, LoaderFaults, SerialRom, chip_model

CHIPS = ["esp32", "esp32s3", "esp32c3"]
SPI = {"esp32": 0x3FF42000, "esp32s3": 0x60002000, "esp32c3": 0x60002000}
IMAGE = bytes(range(256)) * 40 + b"the end"


def flash_command(tool: Tool, chip: str, opcode: int, address: int | None = None) -> int:
    """Run a command of the flash chip through the SPI controller, as a tool does."""
    base, newer = SPI[chip], chip != "esp32"
    usr, usr1, usr2, data = (0x18, 0x1C, 0x20, 0x58) if newer else (0x1C, 0x20, 0x24, 0x80)
    flags = 1 << 31 | 1 << 28
    if address is not None:
        flags |= 1 << 30 | 1 << 29
        tool.write_register(base + usr1, 23 << 26 | 7)
        tool.write_register(base + 4, address if newer else address << 8)
    tool.write_register(base + usr, flags)
    tool.write_register(base + usr2, 7 << 28 | opcode)
    tool.write_register(base + data, 0)
    tool.write_register(base, 1 << 18)
    assert tool.read_register(base) & 1 << 18 == 0
    return tool.read_register(base + data)


def test_the_sync_frame_is_what_tools_send() -> None:
    assert (
        frame(bytes.fromhex("0008240000000000") + b"\x07\x07\x12\x20" + b"\x55" * 32) == SYNC_FRAME
    )
    assert len(SYNC_FRAME) == 46


@pytest.mark.parametrize("chip", CHIPS)
def test_sync_is_answered_eight_times_with_a_value_that_is_not_zero(chip: str) -> None:
    answers = Tool(chip).send(SYNC_FRAME)
    assert len(answers) == 8
    assert len(set(answers)) == 1
    assert struct.unpack_from("<BBHI", answers[0])[:3] == (1, 8, 4)
    assert struct.unpack_from("<I", answers[0], 4)[0] != 0


@pytest.mark.parametrize(
    ("chip", "low", "high"),
    [
        ("esp32", 0x3FF5A004, 0x3FF5A008),
        ("esp32s3", 0x60007044, 0x60007048),
        ("esp32c3", 0x60008844, 0x60008848),
    ],
)
def test_the_fuses_hold_the_mac_of_the_board(chip: str, low: int, high: int) -> None:
    tool = Tool(chip)
    words = tool.read_register(high), tool.read_register(low)
    assert struct.pack(">II", *words)[2:] == MAC


def test_the_mac_of_an_esp32_carries_its_crc() -> None:
    # Dallas/Maxim CRC-8, check value of "123456789" from the catalogue of CRC algorithms.
    assert mac_crc8(b"123456789") == 0xA1
    assert Tool("esp32").read_register(0x3FF5A008) >> 16 == mac_crc8(MAC)


def test_only_the_newer_chips_tell_their_number() -> None:
    for chip, number in (("esp32s3", 9), ("esp32c3", 5)):
        _, info = Tool(chip).command(0x14)
        assert struct.unpack("<IB7sII", info)[3] == number
    assert Tool("esp32").read_register(0x40001000) == 0x00F01D83
    refusals = Tool("esp32").ask(0x14)
    assert len(refusals) == 8
    assert refusals[0][1] == 0
    assert refusals[0][8:] == b"\x01\x05\0\0"


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize(("megabytes", "code"), [(2, 0x15), (4, 0x16), (16, 0x18)])
def test_the_flash_chip_says_how_large_the_boards_flash_is(
    chip: str, megabytes: int, code: int
) -> None:
    tool = Tool(chip, NorFlash(megabytes << 20))
    assert flash_command(tool, chip, 0x9F) == 0xC8 | 0x40 << 8 | code << 16


@pytest.mark.parametrize("chip", CHIPS)
def test_the_flash_chip_describes_itself(chip: str) -> None:
    tool = Tool(chip)
    assert flash_command(tool, chip, 0x5A, 0).to_bytes(4, "little") == b"SFDP"
    table_at = flash_command(tool, chip, 0x5A, 12) & 0xFFFFFF
    assert flash_command(tool, chip, 0x5A, table_at + 4) + 1 == (4 << 20) * 8
    assert flash_command(tool, chip, 0x05) == 0


def test_registers_keep_what_is_written_under_the_mask() -> None:
    tool = Tool()
    tool.write_register(0x3FF48074, 0xFFFF0000)
    tool.write_register(0x3FF48074, 0x12345678, mask=0x00FFFF00)
    assert tool.read_register(0x3FF48074) == 0xFF345600
    assert tool.read_register(0x3FF4807C) == 0


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("chip", CHIPS)
def test_the_rom_writes_an_image_and_leaves_the_rest_alone(chip: str, compressed: bool) -> None:
    tool = Tool(chip)
    tool.flash.program(0x0FF0, b"before")
    tool.flash.program(0x4000, b"behind")
    tool.write(0x1000, IMAGE, compressed=compressed)
    assert tool.flash.read(0x1000, len(IMAGE)) == IMAGE
    assert tool.flash.read(0x0FF0, 6) == b"before"
    assert tool.flash.read(0x4000, 6) == b"behind"


def test_begin_erases_whole_sectors_at_once() -> None:
    tool = Tool()
    tool.flash.program(0x1000, bytes(0x3000))
    tool.command(0x02, struct.pack("<IIII", 0x1001, 5, 0x400, 0x1800))
    assert tool.flash.read(0x1000, 0x2000) == b"\xff" * 0x2000
    assert tool.flash.read(0x3000, 0x1000) == bytes(0x1000)
    assert tool.flash.wear == {1: 1, 2: 1}


def test_what_is_programmed_twice_is_the_and_of_both() -> None:
    tool = Tool()
    for value in (b"\xf0", b"\x3c"):
        block = value.ljust(0x400, b"\xff")
        tool.command(0x02, struct.pack("<IIII", 0x400, 1, 0x400, 0x1000))
        # The erase of the second BEGIN is undone, so that the old bits are still there.
        tool.flash.program(0x1000, b"\xf0")
        tool.command(
            0x03, struct.pack("<IIII", len(block), 0, 0, 0) + block, check=checksum(block)
        )
    assert tool.flash.read(0x1000, 1) == b"\x30"


def test_the_rom_reads_64_bytes_at_a_time() -> None:
    tool = Tool()
    tool.flash.program(0x8000, bytes(range(100)))
    _, data = tool.command(0x0E, struct.pack("<II", 0x8000, 64))
    assert data == bytes(range(64))
    _, data = tool.command(0x0E, struct.pack("<II", 0x8000, 10))
    assert data == bytes(range(10)) + bytes(54)


def test_a_packet_with_a_wrong_checksum_is_refused_and_changes_nothing() -> None:
    tool = Tool()
    tool.command(0x02, struct.pack("<IIII", 0x400, 1, 0x400, 0x1000))
    block = bytes(0x400)
    with pytest.raises(RefusedError, match="0107"):
        tool.command(0x03, struct.pack("<IIII", 0x400, 0, 0, 0) + block, check=0xEE)
    assert tool.flash.read(0x1000, 4) == b"\xff" * 4


def test_data_without_a_begin_is_refused() -> None:
    block = bytes(16)
    with pytest.raises(RefusedError, match="0106"):
        Tool().command(0x03, struct.pack("<IIII", 16, 0, 0, 0) + block, check=0xEF)


def test_a_damaged_compressed_stream_is_refused() -> None:
    tool = Tool()
    tool.command(0x10, struct.pack("<IIII", 0x400, 1, 0x400, 0x1000))
    with pytest.raises(RefusedError, match="010b"):
        tool.command(0x11, struct.pack("<IIII", 4, 0, 0, 0) + b"junk", check=checksum(b"junk"))


def test_a_compressed_stream_longer_than_announced_is_refused() -> None:
    tool = Tool()
    tool.command(0x10, struct.pack("<IIII", 0x400, 1, 0x400, 0x1000))
    bomb = zlib.compress(bytes(100_000))
    with pytest.raises(RefusedError, match="010b"):
        tool.command(0x11, struct.pack("<IIII", len(bomb), 0, 0, 0) + bomb, check=checksum(bomb))
    assert tool.flash.read(0x1000, 4) == b"\xff" * 4


def test_a_range_beyond_the_chip_is_refused_and_nothing_erased() -> None:
    tool = Tool(flash=NorFlash(0x10000))
    tool.flash.program(0xF000, b"kept")
    for command in (0x02, 0x10):
        with pytest.raises(RefusedError, match="0108"):
            tool.command(command, struct.pack("<IIII", 0x1001, 5, 0x400, 0xF000))
    assert tool.flash.read(0xF000, 4) == b"kept"


@pytest.mark.parametrize("command", [0x00, 0x7F, 0xD0, 0xD1, 0xD2, 0xFF])
def test_what_the_rom_does_not_know_it_refuses_eight_times(command: int) -> None:
    assert len(Tool().ask(command)) == 8


@pytest.mark.parametrize("payload", [b"", b"abc", bytes(5)])
def test_a_payload_of_the_wrong_length_is_refused(payload: bytes) -> None:
    tool = Tool()
    for command in (0x02, 0x03, 0x04, 0x05, 0x06, 0x0A, 0x0E, 0x0F, 0x10, 0x13):
        with pytest.raises(RefusedError):
            tool.command(command, payload, check=checksum(payload[16:]))


def test_noise_is_not_answered() -> None:
    tool = Tool()
    for junk in (b"", b"\x00", b"\x01\x08\x24\x00", bytes(7), b"\x01" + bytes(20)):
        assert tool.send(frame(junk)) == []
    assert tool.send(b"\xc0\x00\x08") == []  # half a frame waits for its end
    assert tool.flash.operations == 0


def test_a_shorter_packet_than_it_says_is_refused() -> None:
    (answer,) = Tool().send(frame(struct.pack("<BBHI", 0, 0x08, 36, 0) + bytes(35)))
    assert answer[8:10] == b"\x01\x05"


def test_the_end_of_a_flash_session_starts_the_application_once() -> None:
    tool = Tool()
    tool.command(0x02, struct.pack("<IIII", 0, 0, 0x400, 0))
    tool.command(0x04, struct.pack("<I", 1))
    assert tool.left == [Leave.RUN]
    assert tool.send(SYNC_FRAME) == []
    assert tool.left == [Leave.RUN]


@pytest.mark.parametrize(("chip", "base"), [("esp32s3", 0x60008098), ("esp32c3", 0x60008090)])
def test_the_rtc_watchdog_resets_when_it_is_armed_and_locked(chip: str, base: int) -> None:
    tool = Tool(chip)
    tool.write_register(base + 0x18, 0x50D83AA1)
    tool.write_register(base, 1 << 31 | 5 << 28)
    assert tool.left == []
    tool.write_register(base + 0x18, 0)
    assert tool.left == [Leave.WATCHDOG]


def test_a_disarmed_watchdog_does_not_reset() -> None:
    tool = Tool("esp32c3")
    tool.write_register(0x60008090, 0)
    tool.write_register(0x600080A8, 0)
    assert tool.left == []


def test_a_chip_without_a_model_is_refused() -> None:
    with pytest.raises(ValueError, match="no model of chip 'esp8266'"):
        chip_model("esp8266")
    with pytest.raises(ValueError, match="no model of chip 'esp99'"):
        SerialRom(
            "esp32",
            NorFlash(4096),
            mac=MAC,
            out=lambda _data: None,
            faults=LoaderFaults(chip="esp99"),
        )
