"""Images an ESP32 boots from, and the partition table that says where they lie.

Pure: bytes in, values out. The emulated boot ROM decides with it whether a board can start, the
flasher whether a file is for the chip at hand. Nothing here knows of files, ports or boards.

Source: ESP-IDF programming guide, "App Image Format" and "Partition Tables" (binary format: rows
of 32 bytes with magic ``AA 50``, an MD5 row with magic ``EB EB``).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from wattest.errors import DecodeError

CHIP_IDS = {"esp32": 0, "esp32s2": 2, "esp32c3": 5, "esp32s3": 9, "esp32c6": 13}
"""Number in the extended header of an image, by chip."""

PARTITION_TABLE_OFFSET = 0x8000
PARTITION_TABLE_BYTES = 0xC00
TYPE_APP, TYPE_DATA = 0x00, 0x01
SUBTYPE_FACTORY, SUBTYPE_OTA_FIRST, SUBTYPE_OTA_LAST = 0x00, 0x10, 0x1F
SUBTYPE_NVS = 0x02

IMAGE_MAGIC = 0xE9
_CHECKSUM_START = 0xEF
_HEADER = struct.Struct("<BBBBI")  # magic, segments, SPI mode, size and speed, entry point
_EXTENDED = struct.Struct("<B3sHBHH4sB")  # see ImageInfo; last byte: a SHA-256 follows
_SEGMENT = struct.Struct("<II")  # load address, length
_SEGMENTS_MAX = 16
_SEGMENT_BYTES_MAX = 16 << 20
_SHA256_BYTES = 32
_ROW = struct.Struct("<2sBBII16sI")  # magic, type, subtype, offset, size, label, flags
_ROW_MAGIC = b"\xaa\x50"
_MD5_MAGIC = b"\xeb\xeb" + b"\xff" * 14
_SECTOR_BYTES = 4096


class ImageError(DecodeError):
    """Not an image that this chip boots.

    Args:
        rule: the rule that broke.
        offset: byte offset of the first offending byte.
        detail: expected and got, or ``""``.
        expected: the number that should be there, where there is one.
        found: the number that is.
    """

    code = "decode-image"
    what = "image"

    def __init__(
        self, rule: str, offset: int, detail: str = "", *, expected: int = 0, found: int = 0
    ) -> None:
        super().__init__(rule, offset, detail)
        self.detail = detail
        self.expected = expected
        self.found = found


class PartitionError(ImageError):
    """Not a partition table."""

    code = "decode-partition-table"
    what = "partition table"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInfo:
    """What the header of a sound image says.

    Args:
        chip: name of the chip, or ``"chip 99"`` for an unknown number.
        segments: ``(load address, length)`` each.
        entry: address of the first instruction.
        length_bytes: the whole image, checksum and digest included.
        sha256: the appended digest, or None if the image has none.
        version: version string of the application's descriptor, ``""`` without one.
    """

    chip: str
    segments: tuple[tuple[int, int], ...]
    entry: int
    length_bytes: int
    sha256: bytes | None
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionRow:
    """One row of the table; offsets and sizes in bytes."""

    label: str
    type: int
    subtype: int
    offset: int
    size_bytes: int
    flags: int = 0

    @property
    def bootable(self) -> bool:
        """It holds an application that the bootloader may start."""
        ota = SUBTYPE_OTA_FIRST <= self.subtype <= SUBTYPE_OTA_LAST
        return self.type == TYPE_APP and (self.subtype == SUBTYPE_FACTORY or ota)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Bytes and the flash offset they belong to."""

    offset: int
    data: bytes


def chip_of(number: int) -> str:
    """Return the name of a chip number, or ``"chip N"``."""
    return next((name for name, known in CHIP_IDS.items() if known == number), f"chip {number}")


def xor_bytes(data: bytes) -> int:
    """Return all bytes XORed together; folds halves, so that 2 MB take milliseconds."""
    while len(data) > 64:
        half = len(data) // 2
        low, high, rest = data[:half], data[half : 2 * half], data[2 * half :]
        folded = int.from_bytes(low, "little") ^ int.from_bytes(high, "little")
        data = folded.to_bytes(half, "little") + rest
    value = 0
    for byte in data:
        value ^= byte
    return value


def parse_image(data: bytes, *, check_digest: bool = True) -> ImageInfo:
    """Read and check the image at the start of ``data``; what is behind it does not matter.

    Args:
        data: the image.
        check_digest: False to take a wrong SHA-256, as the ROM does of a bootloader.

    Raises:
        ImageError: magic, segments, checksum or SHA-256 are wrong, or it is cut off.
    """
    if len(data) < _HEADER.size + _EXTENDED.size:
        raise ImageError("header", len(data), "the image is cut off")
    magic, count, _mode, _speed, entry = _HEADER.unpack_from(data)
    if magic != IMAGE_MAGIC:
        raise ImageError("magic", 0, f"expected 0xe9, got {magic:#04x}")
    if not 0 < count <= _SEGMENTS_MAX:
        raise ImageError("segment-count", 1, f"expected 1 to {_SEGMENTS_MAX}, got {count}")
    _wp, _drive, chip_id, _old, _low, _high, _reserved, hashed = _EXTENDED.unpack_from(data, 8)
    at = _HEADER.size + _EXTENDED.size
    segments = []
    checksum = _CHECKSUM_START
    for index in range(count):
        if at + _SEGMENT.size > len(data):
            raise ImageError("segment", at, f"segment {index} is cut off")
        address, length = _SEGMENT.unpack_from(data, at)
        if length > _SEGMENT_BYTES_MAX or length % 4:
            raise ImageError(
                "segment-length", at + 4, f"segment {index}: {length:#x}", found=length
            )
        at += _SEGMENT.size
        if at + length > len(data):
            raise ImageError("segment", at, f"segment {index} is cut off")
        checksum ^= xor_bytes(data[at : at + length])
        segments.append((address, length))
        at += length
    at = _check_tail(data, at, checksum, hashed=hashed == 1, check_digest=check_digest)
    return ImageInfo(
        chip=chip_of(chip_id),
        segments=tuple(segments),
        entry=entry,
        length_bytes=at,
        sha256=data[at - _SHA256_BYTES : at] if hashed == 1 else None,
        version=_version(data),
    )


def _check_tail(data: bytes, at: int, checksum: int, *, hashed: bool, check_digest: bool) -> int:
    """Check what follows the segments; returns the length of the whole image."""
    at |= 15  # the checksum is the last byte of a row of 16
    end = at + 1 + (_SHA256_BYTES if hashed else 0)
    if end > len(data):
        raise ImageError("tail", len(data), "checksum or digest is cut off")
    if data[at] != checksum:
        detail = f"calculated {checksum:#04x}, read {data[at]:#04x}"
        raise ImageError("checksum", at, detail, expected=checksum, found=data[at])
    digest = hashlib.sha256(data[: at + 1]).digest() if hashed and check_digest else b""
    if digest and digest != data[at + 1 : end]:
        raise ImageError("sha256", at + 1, "the image is corrupt")
    return end


_DESCRIPTION_AT = _HEADER.size + _EXTENDED.size + _SEGMENT.size
_DESCRIPTION = struct.Struct("<II8s32s32s16s16s32s32s80s")  # esp_app_desc_t
_DESCRIPTION_MAGIC = 0xABCD5432


def _version(data: bytes) -> str:
    if len(data) < _DESCRIPTION_AT + _DESCRIPTION.size:
        return ""
    magic, _secure, _reserved, version, *_rest = _DESCRIPTION.unpack_from(data, _DESCRIPTION_AT)
    text: bytes = version.split(b"\0")[0] if magic == _DESCRIPTION_MAGIC else b""
    return text.decode("ascii", "replace")


def check_application(data: bytes, chip: str, *, check_digest: bool = True) -> ImageInfo:
    """Check that the image at the start of ``data`` is sound and for ``chip``.

    Args:
        data: the image.
        chip: one of ``CHIP_IDS``.
        check_digest: as for ``parse_image``.

    Raises:
        ImageError: it is not; one clear line.
    """
    info = parse_image(data, check_digest=check_digest)
    if info.chip != chip:
        raise ImageError(
            "chip",
            12,
            f"the image is for {info.chip}, not for {chip}",
            expected=CHIP_IDS[chip],
            found=int.from_bytes(data[12:14], "little"),
        )
    return info


# ---- partition table ----------------------------------------------------------------------------


def parse_partition_table(data: bytes) -> tuple[PartitionRow, ...]:
    """Read a table from its first row on.

    Raises:
        PartitionError: a row's magic is wrong, the MD5 does not match, or there is no row.
    """
    rows: list[PartitionRow] = []
    for at in range(0, min(len(data), PARTITION_TABLE_BYTES) - _ROW.size + 1, _ROW.size):
        row = data[at : at + _ROW.size]
        if row == b"\xff" * _ROW.size:
            break
        if row.startswith(_MD5_MAGIC):
            if row[16:] != hashlib.md5(data[:at], usedforsecurity=False).digest():
                raise PartitionError("md5", at, "the table is corrupt")
            break
        magic, kind, subtype, offset, size, label, flags = _ROW.unpack(row)
        if magic != _ROW_MAGIC:
            number = int.from_bytes(magic, "little")
            detail = f"partition {len(rows)}: {number:#x}"
            raise PartitionError("magic", at, detail, expected=0x50AA, found=number)
        name = label.split(b"\0")[0].decode("utf-8", "replace")
        rows.append(
            PartitionRow(
                label=name, type=kind, subtype=subtype, offset=offset, size_bytes=size, flags=flags
            )
        )
    if not rows:
        raise PartitionError("magic", 0, "partition 0: 0xffff", expected=0x50AA, found=0xFFFF)
    return tuple(rows)


def build_partition_table(rows: Iterable[PartitionRow]) -> bytes:
    """Return the table with its MD5 row, padded to 3072 bytes."""
    body = b"".join(
        _ROW.pack(
            _ROW_MAGIC,
            row.type,
            row.subtype,
            row.offset,
            row.size_bytes,
            row.label.encode(),
            row.flags,
        )
        for row in rows
    )
    body += _MD5_MAGIC + hashlib.md5(body, usedforsecurity=False).digest()
    return body.ljust(PARTITION_TABLE_BYTES, b"\xff")


# ---- combined images ----------------------------------------------------------------------------


def split_combined(data: bytes, *, firmware_offset: int) -> tuple[Segment, ...]:
    """Split a combined image into what must be written, without the gaps between.

    MicroPython's ``.bin`` fills the gap from the partition table to the application with FF;
    written whole it erases the NVS partition and with it the node's key. What the table calls
    NVS is never part of the result.

    Args:
        data: as downloaded: bootloader, partition table, application(s).
        firmware_offset: flash offset of its first byte.

    Returns:
        Segments in ascending order: bootloader, partition table, then each partition that holds
        anything.

    Raises:
        ImageError: the bootloader or an application is unsound.
        PartitionError: the table is.
    """
    bootloader = parse_image(data)
    table_at = PARTITION_TABLE_OFFSET - firmware_offset
    if bootloader.length_bytes > table_at:
        raise ImageError("bootloader", table_at, "it reaches into the partition table")
    table = data[table_at : table_at + PARTITION_TABLE_BYTES]
    segments = [
        Segment(offset=firmware_offset, data=data[: bootloader.length_bytes]),
        Segment(offset=PARTITION_TABLE_OFFSET, data=table),
    ]
    for row in sorted(parse_partition_table(table), key=lambda row: row.offset):
        start = row.offset - firmware_offset
        content = data[start : start + row.size_bytes].rstrip(b"\xff") if start >= 0 else b""
        if not content or (row.type, row.subtype) == (TYPE_DATA, SUBTYPE_NVS):
            continue
        if row.bootable:
            length = parse_image(data[start:]).length_bytes
            if length > row.size_bytes:
                room = f"{length} bytes do not fit the partition of {row.size_bytes}"
                raise ImageError("application-length", start, room, found=length)
            content = data[start : start + max(length, len(content))]
        segments.append(Segment(offset=row.offset, data=content))
    if not any(segment.data[:1] == b"\xe9" for segment in segments[2:]):
        raise ImageError("application", len(data), "there is none behind the partition table")
    return tuple(segments)
