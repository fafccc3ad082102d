"""What a chip needs in its flash to start an application, and what it prints without.

The ROM wants a bootloader, the bootloader a partition table and a sound application for its chip.
Where one is missing the real texts come, then a watchdog or the bootloader resets the chip, and
all begins anew: a chip is never stuck here, and download mode is always within reach.

Source: logs of ESP32, ESP32-S3 and ESP32-C3 with blank or foreign flash; ESP-IDF
``bootloader_support`` for the bootloader's messages.
"""

from __future__ import annotations

from dataclasses import dataclass

from wattest.boards.esp_image import (
    PARTITION_TABLE_BYTES,
    PARTITION_TABLE_OFFSET,
    SUBTYPE_FACTORY,
    SUBTYPE_OTA_FIRST,
    ImageError,
    PartitionError,
    PartitionRow,
    check_application,
    parse_partition_table,
)
from wattest.boards.esp_synthetic import FIRMWARE_OFFSETS
from wattest.emulator.flash import NorFlash

_ROM_PERIOD_NS = 850_000_000  # 128000 cycles of the 150 kHz clock, reset value of the watchdog
_BOOTLOADER_PERIOD_NS = 30_000_000
_HEADER_LINES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class BootFailure:
    """Why the chip does not start.

    Args:
        text: what it prints behind the reset's own line.
        by_watchdog: the ROM's watchdog ends it, else the bootloader's own reset.
        period_ns: how long until that reset.
    """

    text: bytes
    by_watchdog: bool
    period_ns: int


def boot_failure(chip: str, flash: NorFlash) -> BootFailure | None:
    """Return why ``chip`` cannot start from ``flash``, or None if it can."""
    start = FIRMWARE_OFFSETS[chip]
    try:
        bootloader = flash.read(start, PARTITION_TABLE_OFFSET - start)
        check_application(bootloader, chip, check_digest=False)
    except ImageError as error:
        return _rom_failure(chip, error, int.from_bytes(flash.read(start, 4), "little"))
    try:
        table = parse_partition_table(flash.read(PARTITION_TABLE_OFFSET, PARTITION_TABLE_BYTES))
        _check_size(table, flash)
    except PartitionError as error:
        return _bootloader_failure(
            _table_message(error),
            "boot: Failed to verify partition table",
            "boot: load partition table error!",
        )
    messages = []
    for row in sorted((row for row in table if row.bootable), key=lambda row: row.subtype):
        try:
            check_application(flash.read(row.offset, row.size_bytes), chip)
        except ImageError as error:
            slot = f"OTA app partition slot {row.subtype - SUBTYPE_OTA_FIRST}"
            name = "Factory app partition" if row.subtype == SUBTYPE_FACTORY else slot
            messages += [_image_message(error, row), f"boot: {name} is not bootable"]
        else:
            return None
    return _bootloader_failure(
        *messages, "boot: No bootable app partitions in the partition table"
    )


def _check_size(table: tuple[PartitionRow, ...], flash: NorFlash) -> None:
    for index, row in enumerate(table):
        if row.offset + row.size_bytes > flash.size_bytes:
            raise PartitionError(
                "size",
                index * 32,
                f"offset {row.offset:#x} size {row.size_bytes:#x} "
                f"exceeds flash chip size {flash.size_bytes:#x}",
            )


def _rom_failure(chip: str, error: ImageError, word: int) -> BootFailure:
    lines = [f"invalid header: {word:#010x}"] * _HEADER_LINES
    if error.rule == "checksum" and chip == "esp32":
        lines = [f"csum err:{error.found:#x}!={error.expected:#x}", "ets_main.c 384 "]
    elif error.rule == "checksum":
        numbers = f"Calculated {error.expected:#04x} stored {error.found:#04x}"
        lines = [f"Checksum failure. {numbers}", "ets_main.c 333 "]
    elif error.rule != "magic":  # a real chip crashes in it, in ways that differ each time
        lines = [f"emulator: {error}"]
    return BootFailure(text=_text(lines), by_watchdog=True, period_ns=_ROM_PERIOD_NS)


def _bootloader_failure(*messages: str) -> BootFailure:
    lines = [f"E ({55 + 6 * index}) {message}" for index, message in enumerate(messages)]
    return BootFailure(text=_text(lines), by_watchdog=False, period_ns=_BOOTLOADER_PERIOD_NS)


def _text(lines: list[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()


def _table_message(error: PartitionError) -> str:
    number = error.offset // 32
    if error.rule == "magic":
        return f"flash_parts: partition {number} invalid magic number {error.found:#x}"
    if error.rule == "size":
        return f"flash_parts: partition {number} invalid - {error.detail}"
    return "flash_parts: Incorrect MD5 checksum"


def _image_message(error: ImageError, row: PartitionRow) -> str:
    if error.rule == "magic":
        at = f"image at {row.offset:#x}"
        return f"esp_image: {at} has invalid magic byte (nothing flashed here?)"
    if error.rule == "segment-length":
        return f"esp_image: invalid segment length {error.found:#x}"
    if error.rule == "checksum":
        numbers = f"Calculated {error.expected:#x} read {error.found:#x}"
        return f"esp_image: Checksum failed. {numbers}"
    if error.rule == "sha256":
        return "esp_image: Image hash failed - image is corrupt"
    if error.rule == "chip":
        return f"boot_comm: mismatch chip ID, expected {error.expected}, found {error.found}"
    return f"esp_image: {error}"
