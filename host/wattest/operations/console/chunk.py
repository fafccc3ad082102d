"""Chunks of the recorder's log: bytes with a time and a check sum.

Big-endian:

    ff 77 63 ff | kind (u8) | length (u32) | UTC ms (i64) | monotonic ns (u64) | CRC-32 | data

The CRC covers kind to monotonic time and the data. Who meets damage goes on at the next chunk that
is whole, and gives the damaged bytes back as such.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

_MAGIC = b"\xffwc\xff"
_META = struct.Struct(">BIqQ")
_CRC_BYTES = 4
HEAD_BYTES: Final = len(_MAGIC) + _META.size + _CRC_BYTES
_DATA_BYTES_MAX = 256 * 1024


class ChunkKind(IntEnum):
    """What a chunk holds."""

    NOTE = 0
    """JSON of the recorder: `event` and what belongs to it."""
    RECEIVED = 1
    """Bytes from the board."""
    SENT = 2
    """Bytes to the board."""
    DAMAGED = 255
    """Never written: bytes of the log that are no chunk."""


_KINDS = frozenset(ChunkKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One thing the log holds.

    Args:
        kind: what it is.
        utc_ms: when it was read or written, UTC ms since 1970, by the recorder's machine.
        mono_ns: the same moment by that machine's clock that is never set, ns.
        data: its bytes.
    """

    kind: ChunkKind
    utc_ms: int
    mono_ns: int
    data: bytes

    @property
    def note(self) -> dict[str, Any]:
        """What the recorder says of itself; empty for other kinds."""
        if self.kind is not ChunkKind.NOTE:
            return {}
        values: dict[str, Any] = json.loads(self.data)
        return values


def encode_chunk(kind: ChunkKind, data: bytes, *, utc_ms: int, mono_ns: int) -> bytes:
    """Encode one chunk of up to 256 KiB."""
    if len(data) > _DATA_BYTES_MAX:
        raise ValueError(f"chunk: {len(data)} bytes, at most {_DATA_BYTES_MAX}")
    meta = _META.pack(kind, len(data), utc_ms, mono_ns)
    return _MAGIC + meta + zlib.crc32(meta + data).to_bytes(_CRC_BYTES) + data


def utc_ms_of(head: bytes) -> int | None:
    """Return the time of a chunk by its first `HEAD_BYTES` bytes; None if they begin none."""
    if len(head) != HEAD_BYTES or not head.startswith(_MAGIC):
        return None
    utc_ms: int = _META.unpack(head[len(_MAGIC) : -_CRC_BYTES])[2]
    return utc_ms


def split_chunks(data: bytes, *, whole: bool) -> tuple[list[Chunk], int]:
    """Split bytes into chunks.

    Args:
        data: from the beginning of a chunk on.
        whole: nothing will be appended any more, so what is unfinished is damage.

    Returns:
        The chunks, and how many bytes they took.
    """
    chunks: list[Chunk] = []
    pos = 0
    while pos < len(data):
        chunk, size = _chunk_at(data, pos)
        if chunk is None:
            following = _next_chunk(data, pos + 1)
            if following < 0 and not whole:
                break
            size = (following if following >= 0 else len(data)) - pos
            lost = data[pos : pos + size]
            chunk = Chunk(kind=ChunkKind.DAMAGED, utc_ms=0, mono_ns=0, data=lost)
        chunks.append(chunk)
        pos += size
    return chunks, pos


def _next_chunk(data: bytes, pos: int) -> int:
    """Return where the next whole chunk begins, or -1."""
    while (pos := data.find(_MAGIC, pos)) >= 0:
        if _chunk_at(data, pos)[0] is not None:
            return pos
        pos += 1
    return -1


def _chunk_at(data: bytes, pos: int) -> tuple[Chunk | None, int]:
    begin = pos + len(_MAGIC)
    body = pos + HEAD_BYTES
    if data[pos:begin] != _MAGIC or body > len(data):
        return None, 0
    meta = data[begin : begin + _META.size]
    kind, length, utc_ms, mono_ns = _META.unpack(meta)
    if length > _DATA_BYTES_MAX or body + length > len(data):
        return None, 0
    content = data[body : body + length]
    crc = int.from_bytes(data[body - _CRC_BYTES : body])
    if zlib.crc32(meta + content) != crc or kind not in _KINDS:
        return None, 0
    chunk = Chunk(kind=ChunkKind(kind), utc_ms=utc_ms, mono_ns=mono_ns, data=content)
    return chunk, HEAD_BYTES + length
