"""MicroPython's combined image: fetched when asked for, checked, and split for a board.

The ``.bin`` files of micropython.org hold bootloader, partition table and application with the gap
between filled up. Written whole they would erase the NVS partition, and with it the node's key.
"""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Final

from wattest.boards import Board, MicroPythonImage
from wattest.boards.esp_image import (
    PARTITION_TABLE_OFFSET,
    SUBTYPE_NVS,
    TYPE_DATA,
    PartitionRow,
    Segment,
    check_application,
    parse_partition_table,
    split_combined,
)
from wattest.errors import ConfigError, DecodeError, FlashError

_SIZE_MAX: Final = 16 << 20
_CHUNK_BYTES: Final = 64 * 1024
_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MicroPython:
    """An image that fits a board.

    Args:
        name: of the file, for people.
        version: what the image itself says, or ``""``.
        sha256: digest of the whole file, hex.
        segments: bootloader, partition table and application, without the gaps.
    """

    name: str
    version: str
    sha256: str
    segments: tuple[Segment, ...]


def read_micropython(path: Path, board: Board) -> MicroPython:
    """Read a file and check that it fits a board.

    Args:
        path: a combined image.
        board: what it must fit. If the file has the name of the release that the board file
            knows, it must have that digest too.

    Raises:
        ConfigError: it cannot be read, is damaged, or is for another chip or layout.
    """
    where = os.fspath(path)
    try:
        if path.stat().st_size > _SIZE_MAX:
            raise ConfigError("a MicroPython image expected, got a file over 16 MiB", path=where)
        data = path.read_bytes()
    except OSError as exc:
        raise ConfigError(f"cannot be read: {(exc.strerror or '').lower()}", path=where) from exc
    known = board.micropython
    if path.name == known.file_name and known.sha256:
        check_digest(data, known, where=where)
    return check_micropython(data, board, where=where)


def check_digest(data: bytes, known: MicroPythonImage, *, where: str) -> None:
    """Compare a file with the digest the board file knows.

    Raises:
        ConfigError: it is another.
    """
    found = hashlib.sha256(data).hexdigest()
    if found != known.sha256:
        raise ConfigError(
            f"SHA-256 {known.sha256} expected, got {found}",
            path=where,
            hint=f"delete it and get it again from {known.url}",
        )


def check_micropython(data: bytes, board: Board, *, where: str) -> MicroPython:
    """Check that an image fits a board, and split it.

    Args:
        data: a combined image.
        board: what it must fit.
        where: what errors call it.

    Raises:
        ConfigError: it is damaged, for another chip, or lays the flash out in another way.
    """
    flash = board.flash
    hint = f"{board.name} needs {board.micropython.board} from {board.micropython.url}"
    try:
        check_application(data, board.chip)
        segments = split_combined(data, firmware_offset=flash.firmware_offset)
        rows = parse_partition_table(
            next(part.data for part in segments if part.offset == PARTITION_TABLE_OFFSET)
        )
        application = next(row for row in rows if row.bootable)
        info = check_application(
            next(part.data for part in segments if part.offset == application.offset), board.chip
        )
    except DecodeError as exc:
        raise ConfigError(f"no sound MicroPython image: {exc}", path=where, hint=hint) from exc
    except StopIteration:
        raise ConfigError("no application in it", path=where, hint=hint) from None
    _check_layout(board, rows, segments, where)
    return MicroPython(
        name=Path(where).name,
        version=info.version,
        sha256=hashlib.sha256(data).hexdigest(),
        segments=segments,
    )


def _check_layout(
    board: Board, rows: tuple[PartitionRow, ...], segments: tuple[Segment, ...], where: str
) -> None:
    """Refuse an image whose partitions are not where the board file says.

    MicroPython's file system is the partition `vfs`; without one it begins where the last ends.
    """
    flash = board.flash
    named = [row.offset for row in rows if row.label == "vfs"]
    vfs = named[0] if named else max(row.offset + row.size_bytes for row in rows)
    if vfs != flash.vfs_offset:
        raise ConfigError(
            f"a file system at {flash.vfs_offset:#x} expected, got {vfs:#x}",
            path=where,
            hint="take the plain variant of the image, or a board file with that vfs_offset",
        )
    nvs = [(row.offset, row.size_bytes) for row in rows if _is_nvs(row)]
    if nvs[:1] != [(flash.nvs_offset, flash.nvs_bytes)]:
        found = f"{nvs[0][0]:#x}+{nvs[0][1]:#x}" if nvs else "none"
        raise ConfigError(
            f"NVS at {flash.nvs_offset:#x}+{flash.nvs_bytes:#x} expected, got {found}",
            path=where,
            hint="take the plain variant of the image, or a board file with that NVS",
        )
    for part in segments:
        end = part.offset + len(part.data)
        if end > flash.vfs_offset:
            raise ConfigError(
                f"an image that ends before {flash.vfs_offset:#x} expected, got {end:#x}",
                path=where,
            )
        if part.offset < flash.nvs_offset + flash.nvs_bytes and end > flash.nvs_offset:
            raise ConfigError(
                f"nothing in NVS expected, got {len(part.data)} bytes at {part.offset:#x}",
                path=where,
            )


def _is_nvs(row: PartitionRow) -> bool:
    return (row.type, row.subtype) == (TYPE_DATA, SUBTYPE_NVS)


def download_micropython(known: MicroPythonImage, folder: Path) -> Iterator[tuple[int, int]]:
    """Fetch an image, check its digest, and keep it under its own name.

    Args:
        known: where it is and what its digest must be.
        folder: where to keep it; it exists.

    Yields:
        Bytes that have come, and how many there will be, or 0 if the server does not say.

    Raises:
        ConfigError: no digest is recorded, or another file came; nothing is kept.
        FlashError: it cannot be fetched or kept.
    """
    if not known.sha256:
        raise ConfigError(
            f"{known.board}: no SHA-256 is recorded, so nothing is downloaded",
            path="--download",
            hint=f"get {known.url} yourself and give --micropython FILE, "
            "or add its digest as micropython.sha256 to the board file",
        )
    data = bytearray()
    try:
        with urllib.request.urlopen(known.url, timeout=_TIMEOUT_S) as reply:  # noqa: S310
            total = int(reply.headers.get("Content-Length") or 0)
            while chunk := reply.read(_CHUNK_BYTES):
                data += chunk
                if len(data) > _SIZE_MAX:
                    raise FlashError(f"{known.url}: more than 16 MiB came, nothing is kept")
                yield len(data), total
    except (OSError, HTTPException, ValueError) as exc:
        if isinstance(exc, urllib.error.HTTPError):
            exc.close()
        reason = exc.reason if isinstance(exc, urllib.error.URLError) else exc
        raise FlashError(
            f"{known.url}: cannot be downloaded: {str(reason).lower() or type(exc).__name__}",
            hint="get it another way and give --micropython FILE",
        ) from exc
    check_digest(bytes(data), known, where=known.url)
    target = folder / known.file_name
    partial = target.with_name(target.name + ".partial")
    try:
        partial.write_bytes(data)
        partial.replace(target)
    except OSError as exc:
        raise FlashError(f"{target}: cannot be written: {(exc.strerror or '').lower()}") from exc
