"""Images and partition tables: one broken rule at a time, and esptool's own opinion."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from wattest.boards.esp_image import (
    CHIP_IDS,
    ImageError,
    PartitionError,
    build_partition_table,
    check_application,
    parse_image,
    parse_partition_table,
    split_combined,
    xor_bytes,
)
from wattest.boards.esp_synthetic import FIRMWARE_OFFSETS, synthetic_micropython

CHIPS = sorted(FIRMWARE_OFFSETS)


def application(chip: str = "esp32") -> bytes:
    """Return the application of a synthetic image."""
    combined = synthetic_micropython(chip)
    return split_combined(combined, firmware_offset=FIRMWARE_OFFSETS[chip])[-1].data


def table() -> bytes:
    """Return the partition table of a synthetic image."""
    return split_combined(synthetic_micropython("esp32"), firmware_offset=0x1000)[1].data


@pytest.mark.parametrize("chip", CHIPS)
def test_a_synthetic_image_is_sound_and_for_its_chip_only(chip: str) -> None:
    info = check_application(application(chip), chip)
    assert (info.chip, info.version) == (chip, "v1.27.0-emulated")
    other = next(name for name in CHIPS if name != chip)
    with pytest.raises(ImageError, match=f"the image is for {chip}, not for {other}"):
        check_application(application(chip), other)


def test_a_synthetic_image_is_the_same_each_time_and_differs_by_version() -> None:
    assert synthetic_micropython("esp32") == synthetic_micropython("esp32")
    assert synthetic_micropython("esp32", version="v2") != synthetic_micropython("esp32")


def test_an_unknown_chip_has_no_synthetic_image() -> None:
    with pytest.raises(ValueError, match="chip 'esp8266' is unknown"):
        synthetic_micropython("esp8266")


@pytest.mark.parametrize("chip", CHIPS)
def test_a_combined_image_is_split_without_its_gaps_and_without_nvs(chip: str) -> None:
    base = FIRMWARE_OFFSETS[chip]
    combined = bytearray(synthetic_micropython(chip))
    combined[0x9000 - base : 0x9010 - base] = b"someone's values"
    segments = split_combined(bytes(combined), firmware_offset=base)
    assert [segment.offset for segment in segments] == [base, 0x8000, 0x10000]
    assert not any(
        segment.offset <= at < segment.offset + len(segment.data)
        for segment in segments
        for at in range(0x9000, 0x10000, 0x100)
    )
    assert parse_image(segments[0].data).length_bytes == len(segments[0].data)
    assert parse_image(segments[2].data).length_bytes == len(segments[2].data)
    assert [row.label for row in parse_partition_table(segments[1].data)] == [
        "nvs",
        "phy_init",
        "factory",
    ]


def test_a_combined_image_of_another_offset_is_refused() -> None:
    with pytest.raises(PartitionError, match="magic"):
        split_combined(synthetic_micropython("esp32c3"), firmware_offset=0x1000)


def test_a_combined_image_without_an_application_is_refused() -> None:
    with pytest.raises(ImageError, match="there is none behind the partition table"):
        split_combined(synthetic_micropython("esp32")[: 0x9000 - 0x1000], firmware_offset=0x1000)


def test_a_bootloader_alone_is_no_combined_image() -> None:
    with pytest.raises(PartitionError, match="magic"):
        split_combined(application(), firmware_offset=-0x1000)


def test_every_cut_of_an_image_is_noticed() -> None:
    image = application()
    for size in (0, 1, 23, 24, 31, 100, len(image) // 2, len(image) - 33, len(image) - 1):
        with pytest.raises(ImageError, match="cut off"):
            parse_image(image[:size])


@pytest.mark.parametrize(
    ("at", "rule"),
    [
        (0, "magic"),
        (1, "segment"),
        (12, "sha256"),
        (28, "segment"),
        (100, "checksum"),
        (-33, "checksum"),
        (-1, "sha256"),
    ],
)
def test_one_changed_byte_breaks_the_rule_it_belongs_to(at: int, rule: str) -> None:
    image = bytearray(application())
    image[at] ^= 0x10
    with pytest.raises(ImageError, match=rf"^image: {rule}"):
        parse_image(bytes(image))


def test_two_changes_that_cancel_in_the_checksum_fail_the_digest() -> None:
    image = bytearray(application())
    image[100] ^= 0x10
    image[101] ^= 0x10
    with pytest.raises(ImageError, match="sha256"):
        parse_image(bytes(image))


def test_an_image_without_a_digest_is_taken_by_its_checksum() -> None:
    image = bytearray(application())
    image[23] = 0
    info = parse_image(bytes(image))
    assert info.sha256 is None
    assert info.length_bytes == len(image) - 32


def test_an_unknown_chip_number_is_named_in_the_error() -> None:
    image = bytearray(application())
    image[12], image[23] = 99, 0
    with pytest.raises(ImageError, match="the image is for chip 99, not for esp32"):
        check_application(bytes(image), "esp32")


def test_a_partition_table_survives_the_round_trip() -> None:
    rows = parse_partition_table(table())
    assert build_partition_table(rows) == table()
    assert [row.bootable for row in rows] == [False, False, True]
    assert replace(rows[2], subtype=0x10).bootable
    assert not replace(rows[2], subtype=0x20).bootable


def test_a_changed_row_fails_the_md5_of_the_table() -> None:
    damaged = bytearray(table())
    damaged[40] ^= 1
    with pytest.raises(PartitionError, match="md5"):
        parse_partition_table(bytes(damaged))


@pytest.mark.parametrize("data", [b"", b"\xff" * 3072, bytes(3072)])
def test_what_is_no_table_is_refused(data: bytes) -> None:
    with pytest.raises(PartitionError, match=r"partition table: magic at byte 0"):
        parse_partition_table(data)


def test_a_table_without_md5_ends_at_the_first_blank_row() -> None:
    rows = parse_partition_table(table()[:96] + b"\xff" * 64)
    assert len(rows) == 3


def test_the_fast_xor_is_the_slow_one() -> None:
    for size in (0, 1, 63, 64, 65, 129, 1000):
        data = bytes(index * 7 & 0xFF for index in range(size))
        slow = 0
        for byte in data:
            slow ^= byte
        assert xor_bytes(data) == slow


@pytest.mark.parametrize("chip", ["esp32", "esp32c3"])
def test_esptool_calls_the_synthetic_application_valid(chip: str, tmp_path: Path) -> None:
    file = tmp_path / "application.bin"
    file.write_bytes(application(chip))
    shown = subprocess.run(
        [sys.executable, "-m", "esptool", "image-info", str(file)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert shown.count("(valid)") == 2
    assert "App version: v1.27.0-emulated" in shown
    assert f"Chip ID: {CHIP_IDS[chip]} " in shown
