"""A small image of our own that a board's ROM and bootloader accept, for boards that emulate.

It holds no instructions a chip could run: the emulator brings its own interpreter and only asks
whether the image is sound and for the right chip. Its bytes depend on the arguments alone.
"""

from __future__ import annotations

import hashlib
import struct

from wattest.boards.esp_image import (
    CHIP_IDS,
    PARTITION_TABLE_OFFSET,
    SUBTYPE_FACTORY,
    SUBTYPE_NVS,
    TYPE_APP,
    TYPE_DATA,
    PartitionRow,
    build_partition_table,
    xor_bytes,
)

FIRMWARE_OFFSETS = {"esp32": 0x1000, "esp32s3": 0x0, "esp32c3": 0x0, "esp32c6": 0x0}
"""Where the ROM looks for the bootloader, by chip."""

APPLICATION_OFFSET = 0x10000
_LOAD_ADDRESSES = {  # data seen through the cache, instruction RAM
    "esp32": (0x3F400020, 0x40080000),
    "esp32s3": (0x3C000020, 0x40374000),
    "esp32c3": (0x3C000020, 0x40380000),
    "esp32c6": (0x42000020, 0x40800000),
}
_SUBTYPE_PHY = 0x01
_TABLE = (
    PartitionRow(
        label="nvs", type=TYPE_DATA, subtype=SUBTYPE_NVS, offset=0x9000, size_bytes=0x6000
    ),
    PartitionRow(
        label="phy_init", type=TYPE_DATA, subtype=_SUBTYPE_PHY, offset=0xF000, size_bytes=0x1000
    ),
    PartitionRow(
        label="factory",
        type=TYPE_APP,
        subtype=SUBTYPE_FACTORY,
        offset=APPLICATION_OFFSET,
        size_bytes=0x1F0000,
    ),
)


def synthetic_micropython(
    chip: str, *, version: str = "v1.27.0-emulated", application_bytes: int = 0x6000
) -> bytes:
    """Return a combined image as MicroPython's ``.bin`` for that chip: from its firmware offset.

    Args:
        chip: one of ``FIRMWARE_OFFSETS``.
        version: version string in the application's descriptor, at most 31 ASCII characters.
        application_bytes: about how long the application is.

    Raises:
        ValueError: the chip is unknown.
    """
    if chip not in FIRMWARE_OFFSETS:
        raise ValueError(f"chip {chip!r} is unknown, expected one of {sorted(FIRMWARE_OFFSETS)}")
    rodata, code = _LOAD_ADDRESSES[chip]
    base = FIRMWARE_OFFSETS[chip]
    bootloader = _image(chip, [(code, _filler(f"bootloader {chip}", 0x800))])
    description = _description(version, f"application {chip} {version} {application_bytes}")
    application = _image(
        chip,
        [
            (rodata, description + _filler(f"constants {chip} {version}", application_bytes // 4)),
            (code, _filler(f"code {chip} {version}", application_bytes * 3 // 4)),
        ],
    )
    combined = bootloader.ljust(PARTITION_TABLE_OFFSET - base, b"\xff")
    combined += build_partition_table(_TABLE)
    return combined.ljust(APPLICATION_OFFSET - base, b"\xff") + application


def _image(chip: str, segments: list[tuple[int, bytes]]) -> bytes:
    """Return an image with checksum and SHA-256."""
    entry = segments[-1][0]
    # DIO mode, 4 MB at the chip's slowest speed: what the ROM reads before it knows better.
    head = struct.pack("<BBBBI", 0xE9, len(segments), 2, 0x20, entry)
    head += struct.pack("<B3sHBHH4sB", 0xEE, bytes(3), CHIP_IDS[chip], 0, 0, 0xFFFF, bytes(4), 1)
    body = bytearray(head)
    for address, data in segments:
        body += struct.pack("<II", address, len(data)) + data
    body += bytes(15 - len(body) % 16)
    body.append(xor_bytes(b"\xef" + b"".join(data for _, data in segments)))
    return bytes(body) + hashlib.sha256(body).digest()


def _description(version: str, seed: str) -> bytes:
    """Return an application descriptor, ``esp_app_desc_t`` of ESP-IDF."""
    return struct.pack(
        "<II8s32s32s16s16s32s32s80s",
        0xABCD5432,
        0,
        bytes(8),
        version.encode("ascii")[:31],
        b"micropython",
        b"00:00:00",
        b"Jan  1 2000",
        b"v5.5",
        hashlib.sha256(seed.encode()).digest(),
        bytes(80),
    )


def _filler(seed: str, size_bytes: int) -> bytes:
    """Return bytes that look like code to a compressor: half noise, half repetition."""
    blocks = []
    for index in range(-(-size_bytes // 64)):
        digest = hashlib.sha256(f"{seed}/{index}".encode()).digest()
        blocks.append(digest + digest[:8] * 4)
    return b"".join(blocks)[: size_bytes // 4 * 4]
