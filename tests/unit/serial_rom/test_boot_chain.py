"""What a chip starts from, and what it says when it cannot."""

from __future__ import annotations

import hashlib

import pytest

from wattest.boards.esp_image import PartitionRow, build_partition_table, split_combined
from wattest.boards.esp_synthetic import FIRMWARE_OFFSETS, synthetic_micropython
from wattest.emulator.flash import NorFlash
from wattest.emulator.serial_rom.boot_chain import BootFailure, boot_failure

CHIPS = ["esp32", "esp32s3", "esp32c3"]
APPLICATION = 0x10000


def flashed(chip: str = "esp32") -> NorFlash:
    """Return a flash chip with a synthetic image as a tool writes it."""
    flash = NorFlash(4 << 20)
    image = synthetic_micropython(chip)
    for segment in split_combined(image, firmware_offset=FIRMWARE_OFFSETS[chip]):
        flash.program(segment.offset, segment.data)
    return flash


def failure(flash: NorFlash, chip: str = "esp32") -> BootFailure:
    found = boot_failure(chip, flash)
    assert found is not None
    return found


def replaced(flash: NorFlash, at: int, data: bytes) -> NorFlash:
    """Return the flash with some bytes replaced, whatever bits that takes."""
    twin = NorFlash(flash.size_bytes)
    content = bytearray(flash.read(0, flash.size_bytes))
    content[at : at + len(data)] = data
    twin.program(0, bytes(content))
    return twin


@pytest.mark.parametrize("chip", CHIPS)
def test_a_complete_chain_starts(chip: str) -> None:
    assert boot_failure(chip, flashed(chip)) is None


@pytest.mark.parametrize("chip", CHIPS)
def test_a_blank_flash_is_an_invalid_header_and_a_watchdog_reset(chip: str) -> None:
    found = failure(NorFlash(4 << 20), chip)
    assert found.text == b"invalid header: 0xffffffff\r\n" * 8
    assert found.by_watchdog


def test_what_is_no_bootloader_is_shown_as_the_rom_reads_it() -> None:
    found = failure(replaced(flashed(), 0x1000, b"\x12\x34\x56\x78"))
    assert found.text.startswith(b"invalid header: 0x78563412\r\n")


def test_a_damaged_bootloader_fails_its_checksum() -> None:
    found = failure(replaced(flashed(), 0x1100, b"\x12\x34\x56\x78"))
    assert found.text.startswith(b"csum err:0x")
    assert found.by_watchdog
    newer = failure(replaced(flashed("esp32c3"), 0x100, b"\x12\x34\x56\x78"), "esp32c3")
    assert newer.text.startswith(b"Checksum failure. Calculated 0x")


def test_the_rom_does_not_mind_a_bootloader_whose_digest_is_wrong() -> None:
    assert boot_failure("esp32", replaced(flashed(), 0x1000 + 2128 - 1, b"\x00")) is None


def test_a_bootloader_of_another_chip_does_not_start() -> None:
    flash = NorFlash(4 << 20)
    flash.program(0x0, synthetic_micropython("esp32s3"))
    assert boot_failure("esp32s3", flash) is None
    found = failure(flash, "esp32c3")
    assert b"the image is for esp32s3, not for esp32c3" in found.text
    assert found.by_watchdog


def test_without_a_partition_table_the_bootloader_resets() -> None:
    found = failure(replaced(flashed(), 0x8000, b"\xff" * 0xC00))
    assert found.text.decode().splitlines() == [
        "E (55) flash_parts: partition 0 invalid magic number 0xffff",
        "E (61) boot: Failed to verify partition table",
        "E (67) boot: load partition table error!",
    ]
    assert not found.by_watchdog


def test_a_damaged_partition_table_is_refused() -> None:
    assert b"Incorrect MD5 checksum" in failure(replaced(flashed(), 0x8009, b"\x00")).text
    second = failure(replaced(flashed(), 0x8020, b"\x34\x12")).text
    assert b"partition 1 invalid magic number 0x1234" in second


def test_a_table_for_a_larger_chip_is_refused() -> None:
    small = NorFlash(1 << 20)
    small.program(0, flashed().read(0, 1 << 20))
    text = b"partition 2 invalid - offset 0x10000 size 0x1f0000 exceeds flash chip size 0x100000"
    assert text in failure(small).text


@pytest.mark.parametrize(
    ("at", "data", "text"),
    [
        (0, b"\xff", "esp_image: image at 0x10000 has invalid magic byte (nothing flashed here?)"),
        (0x1C, b"\x13\x37", "esp_image: invalid segment length 0x3713"),
        (0x200, b"\x00\x01\x02\x03", "esp_image: Checksum failed. Calculated 0x"),
        (-1, b"\x00\x00", "esp_image: Image hash failed - image is corrupt"),
        (1, b"\x63", "esp_image: image: segment-count"),
    ],
)
def test_a_damaged_application_is_refused_with_the_bootloaders_words(
    at: int, data: bytes, text: str
) -> None:
    application = split_combined(synthetic_micropython("esp32"), firmware_offset=0x1000)[-1]
    place = APPLICATION + (at if at >= 0 else len(application.data) - 2)
    lines = failure(replaced(flashed(), place, data)).text.decode().splitlines()
    assert text in lines[0]
    assert lines[1].endswith("boot: Factory app partition is not bootable")
    assert lines[2].endswith("boot: No bootable app partitions in the partition table")


def test_an_application_of_another_chip_is_refused_by_its_number() -> None:
    other = split_combined(synthetic_micropython("esp32c3"), firmware_offset=0)[-1]
    found = failure(replaced(flashed(), APPLICATION, other.data))
    assert b"boot_comm: mismatch chip ID, expected 0, found 5" in found.text


def test_the_next_slot_is_tried_when_the_first_is_unsound() -> None:
    rows = (
        PartitionRow(label="ota_0", type=0, subtype=0x10, offset=0x10000, size_bytes=0x10000),
        PartitionRow(label="ota_1", type=0, subtype=0x11, offset=0x20000, size_bytes=0x10000),
    )
    flash = replaced(flashed(), 0x8000, build_partition_table(rows))
    assert boot_failure("esp32", flash) is None
    moved = flash.read(0x10000, 0x10000)
    broken = replaced(flash, 0x10000, hashlib.sha256(b"").digest())
    assert b"OTA app partition slot 0 is not bootable" in failure(broken).text
    assert boot_failure("esp32", replaced(broken, 0x20000, moved)) is None
