"""A node's journal as files: which key it belongs to and how far it goes. Nothing is changed.

The firmware makes a new key when its journal is gone, so a board's journal is carried over when
its file system is written anew. Where there are two copies, the one that goes further is the one
to carry: a board that was cut off while it was flashed holds an older or a torn one.

Source: the layout of an entry stands in ``firmware/node/journal.py``; the size of the state in it
is not needed here, because an entry ends where the next one begins.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

_MAGIC: Final = b"WJ"
_HEAD: Final = struct.Struct("<2sHI")  # magic, size of the record, position
_KID_BYTES: Final = 8
_CRC_BYTES: Final = 4
_SEGMENT: Final = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalHead:
    """Where a journal ends.

    Args:
        kid: key identifier of its newest entry, 8 bytes.
        last_position: position of that entry.
        entries: how many sound entries there are.
    """

    kid: bytes
    last_position: int
    entries: int


def journal_head(files: Mapping[str, bytes]) -> JournalHead | None:
    """Return where a journal ends, or None if it holds no sound entry.

    Args:
        files: name in the journal's folder -> content.
    """
    last: tuple[int, bytes] | None = None
    entries = 0
    for name in sorted(files):
        if not _SEGMENT.fullmatch(name):
            continue
        for position, kid in _entries(files[name], int(name, 16)):
            entries += 1
            if last is None or position > last[0]:
                last = (position, kid)
    if last is None:
        return None
    return JournalHead(kid=last[1], last_position=last[0], entries=entries)


def goes_further(rescued: Mapping[str, bytes], found: Mapping[str, bytes]) -> bool:
    """Tell whether a kept copy of a journal is to be preferred to the one on the board.

    Args:
        rescued: the copy that was kept before an earlier attempt.
        found: what the board holds now.

    A journal of another key is not older: the board was given a new one since.
    """
    ours, theirs = journal_head(rescued), journal_head(found)
    if ours is None or theirs is None:
        return ours is not None
    if ours.kid != theirs.kid:
        return False
    return (ours.last_position, ours.entries) > (theirs.last_position, theirs.entries)


def _entries(segment: bytes, first: int) -> Iterator[tuple[int, bytes]]:
    """Yield position and key of the sound entries at the start of a segment."""
    at, position = 0, first
    while _is_head(segment, at, position):
        end = next((e for e in _ends(segment, at, position) if _is_whole(segment[at:e])), None)
        if end is None:
            return
        kid_at = at + _HEAD.size
        yield position, segment[kid_at : kid_at + _KID_BYTES]
        at, position = end, position + 1


def _ends(segment: bytes, at: int, position: int) -> Iterator[int]:
    """Yield where an entry may end: before what looks like the next one, or at the end."""
    end = at + _HEAD.size
    while (end := segment.find(_MAGIC, end + 1)) >= 0:
        if _is_head(segment, end, position + 1):
            yield end
    yield len(segment)


def _is_whole(entry: bytes) -> bool:
    crc = int.from_bytes(entry[-_CRC_BYTES:], "little")
    return zlib.crc32(entry[:-_CRC_BYTES]) == crc


def _is_head(segment: bytes, at: int, position: int) -> bool:
    if at + _HEAD.size > len(segment):
        return False
    magic, _size, found = _HEAD.unpack_from(segment, at)
    return bool(magic == _MAGIC and found == position)
