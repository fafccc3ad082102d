"""A whole flash chip in a file, and the fuses beside it: what an emulator is given to run."""

from __future__ import annotations

import struct

import pytest
from littlefs import LittleFS, UserContext

from wattest.boards import load_board
from wattest.boards.esp_fuses import esp32_fuses, mac_crc8
from wattest.boards.esp_image import (
    PARTITION_TABLE_OFFSET,
    check_application,
    parse_partition_table,
)
from wattest.boards.esp_synthetic import synthetic_micropython
from wattest.emulator.serial_rom import chip_model
from wattest.flashing import FlashImage, build_image
from wattest.flashing.micropython import MicroPython, check_micropython
from wattest.flashing.whole import whole_flash

BOARD = load_board("esp32-qemu")
MAC = bytes.fromhex("021a2b3c4d5e")
# Espressif's "QEMU for ESP32": the fuse file of a chip of revision 3 without a MAC.
REVISION_3 = bytes.fromhex(
    "000000000000000000000000008000000000000000001000000000000000" + "00" * 94
)


@pytest.fixture(scope="module")
def image() -> FlashImage:
    return build_image(BOARD, interval_ms=10_000)


@pytest.fixture(scope="module")
def micropython() -> MicroPython:
    data = synthetic_micropython(BOARD.chip, application_bytes=1 << 20)
    return check_micropython(data, BOARD, where="synthetic.bin")


@pytest.fixture(scope="module")
def cells(micropython: MicroPython, image: FlashImage) -> bytes:
    return whole_flash(micropython, image)


def crc8_by_division(data: bytes) -> int:
    """CRC-8 of Dallas/Maxim as the remainder by x^8 + x^5 + x^4 + 1, bits reflected."""
    bits = "".join(f"{byte:08b}"[::-1] for byte in data) + "0" * 8
    rest = int(bits, 2)
    for place in range(len(bits) - 9, -1, -1):
        if rest >> (place + 8) & 1:
            rest ^= 0b1_0011_0001 << place
    return int(f"{rest:08b}"[::-1], 2)


def test_the_chip_has_the_size_of_the_board(cells: bytes) -> None:
    assert len(cells) == BOARD.flash.size_bytes == 4 << 20


def test_bootloader_table_and_application_are_where_the_chip_looks_for_them(
    cells: bytes, micropython: MicroPython
) -> None:
    assert check_application(cells[0x1000:PARTITION_TABLE_OFFSET], "esp32")
    rows = {row.label: row for row in parse_partition_table(cells[PARTITION_TABLE_OFFSET:])}
    assert (rows["nvs"].offset, rows["nvs"].size_bytes) == (0x9000, 0x6000)
    factory = rows["factory"]
    info = check_application(cells[factory.offset :], "esp32")
    assert info.length_bytes > 1 << 20
    assert info.version == micropython.version


def test_nvs_is_erased_so_the_node_makes_its_own_key(cells: bytes) -> None:
    start = BOARD.flash.nvs_offset
    assert set(cells[start : start + BOARD.flash.nvs_bytes]) == {0xFF}


def test_littlefs_mounts_the_file_system_and_finds_every_file(
    cells: bytes, image: FlashImage
) -> None:
    context = UserContext(BOARD.flash.vfs_bytes)
    context.buffer = bytearray(cells[BOARD.flash.vfs_offset :])
    disk = LittleFS(context=context, mount=True, block_size=4096, block_count=512)
    for path, content in image.files.items():
        with disk.open(path, "rb") as file:
            assert file.read() == content, path
    assert disk.fs_stat().disk_version == 0x00020000


def test_fuses_without_a_mac_are_those_that_espressif_documents() -> None:
    assert esp32_fuses(bytes(6)) == REVISION_3


@pytest.mark.parametrize("mac", [MAC, bytes.fromhex("240ac4000001"), b"\xff" * 6])
def test_fuses_hold_the_mac_and_its_checksum(mac: bytes) -> None:
    fuses = esp32_fuses(mac)
    # ESP-IDF's table: MAC_FACTORY is bits 72, 64, 56, 48, 40 and 32 of block 0, then the CRC.
    assert bytes(fuses[bit // 8] for bit in (72, 64, 56, 48, 40, 32)) == mac
    assert fuses[80 // 8] == crc8_by_division(mac)
    rest = bytearray(fuses)
    rest[4:11] = bytes(7)
    assert bytes(rest) == REVISION_3


def test_checksum_is_that_of_the_published_catalogue() -> None:
    assert mac_crc8(b"123456789") == crc8_by_division(b"123456789") == 0xA1  # CRC-8/MAXIM-DOW


def test_fuses_are_those_that_the_emulated_boot_rom_shows() -> None:
    registers = chip_model("esp32").registers(MAC, 4 << 20)
    words = struct.unpack("<31I", esp32_fuses(MAC))
    base = 0x3FF5A000  # EFUSE_BLK0_RDATA0
    assert registers[base + 4] == words[1]
    assert registers[base + 8] == words[2]


def test_a_mac_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="a MAC of 6 bytes expected, got 8"):
        esp32_fuses(bytes(8))
