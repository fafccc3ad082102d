"""The append-only store of sealed records, on littlefs.

A segment is a file named by the position of its first entry, eight hexadecimal digits. An entry:

    "WJ" | record size u16 | position u32 | state | record | CRC-32 of all before    little-endian

The state holds what the next record depends on (registers, counters), so that recovery needs no
more than the last entry. Appending is one open, write, close; littlefs makes it all or nothing,
and it is what persists the sequence numbers. What was acknowledged is remembered by deleting
whole segments; the last one always stays, because it holds the head.

When the journal is full it holds: no fiscal record is appended until room is made, a reserve of
two segments is kept for events, and the registers go to the file `hold`, which is replaced as a
whole.

Recovery tells apart
- a torn entry: shorter than it says it is. It never left the node; its bytes are dropped;
- a corrupt entry: complete but wrong. It may have left the node, so as many numbers as could have
  been used are burnt, and the caller explains that with a break event.
"""

import os
from binascii import crc32
from errno import EIO
from hashlib import sha256
from struct import pack_into, unpack_from

from micropython import const

_MAGIC = b"WJ"
_HEAD_BYTES = const(8)
_CRC_BYTES = const(4)
_NAME_DIGITS = const(8)
_RESERVE_SEGMENTS = const(2)
_HOLD = "hold"
# The largest record this firmware makes: a boot event of a serial of 32 and a UEID of 33 bytes.
RECORD_MAX = const(592)
# No sealed record is shorter: header, signature and the required claims.
_RECORD_MIN = const(200)
_SIZE_ATTRIBUTE = const(6)


class Journal:
    """Records in order of their position, from 0 for a key's first.

    Attributes:
        next_position: position of the next record.
        acknowledged: position of the first record not acknowledged.
        head_state: state of the last entry, or the held one; None if there is no entry.
        head_digest: SHA-256 of the last record, zeros if there is none.
        torn_bytes, burnt: what the last recovery dropped, see above.
        dirty: an append failed; recover before the next one.

    Args:
        folder: where the segments are, made if missing.
        max_bytes, segment_bytes: size of all segments and of one.
        state_bytes: size of the state.
    """

    def __init__(
        self, folder: str, *, max_bytes: int, segment_bytes: int, state_bytes: int
    ) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._segments_max = max_bytes // segment_bytes
        self._state_bytes = state_bytes
        self._overhead = _HEAD_BYTES + state_bytes + _CRC_BYTES
        self._entry_min = self._overhead + _RECORD_MIN
        self._entry = bytearray(self._overhead + RECORD_MAX)
        self._segments: list = []
        self._tail_bytes = 0
        self._clear()

    def _clear(self) -> None:
        self.next_position = 0
        self.acknowledged = 0
        self.head_state: bytes | None = None
        self.head_digest = bytes(32)
        self.torn_bytes = 0
        self.burnt = 0
        self.dirty = False

    # ---- recovery ----

    def recover(self) -> None:
        """Find the head again. May be cut at any point and run again."""
        self._clear()
        self._segments = self._list_segments()
        self._tail_bytes = self._segment_bytes  # the next append opens a segment
        useless = []
        for index in range(len(self._segments) - 1, -1, -1):
            first = self._segments[index]
            end, rest = self._scan(first)
            self._judge(rest)
            if end:
                if not rest and index == len(self._segments) - 1:
                    self._tail_bytes = end
                break
            if rest < self._entry_min:
                useless.append(first)
        for first in useless:
            os.remove(self._path(first))
            self._segments.remove(first)
        self.next_position += self.burnt
        self._take_held_state()
        if self._segments:
            self.acknowledged = self._segments[0]

    def erase(self) -> None:
        """Delete everything: a new key begins at position 0."""
        for first in self._list_segments():
            os.remove(self._path(first))
        self.recover()

    def _list_segments(self) -> list:
        try:
            names = os.listdir(self._folder)
        except OSError:
            os.mkdir(self._folder)
            return []
        found = []
        for name in names:
            try:
                if len(name) == _NAME_DIGITS:
                    found.append(int(name, 16))
            except ValueError:
                pass
        found.sort()
        return found

    def _scan(self, first: int) -> tuple:
        """Walk a segment and keep its last good entry as the head.

        Returns:
            Where the good entries end, and how many bytes follow.
        """
        path = self._path(first)
        offset = 0
        last = 0
        position = first
        with open(path, "rb") as file:
            size = self._read_entry(file, position)
            while size >= 0:
                last = offset
                offset += self._overhead + size
                position += 1
                size = self._read_entry(file, position)
            if offset:
                file.seek(last)
                self._keep_head(self._read_entry(file, position - 1), position)
        return offset, os.stat(path)[_SIZE_ATTRIBUTE] - offset

    def _keep_head(self, size: int, next_position: int) -> None:
        entry = memoryview(self._entry)
        start = _HEAD_BYTES + self._state_bytes
        self.head_state = bytes(entry[_HEAD_BYTES:start])
        self.head_digest = sha256(entry[start : start + size]).digest()
        self.next_position = next_position

    def _read_entry(self, file, position: int) -> int:
        """Read one entry into the buffer; size of its record, -1 at the end or if it is bad."""
        entry = memoryview(self._entry)
        if file.readinto(entry[:_HEAD_BYTES]) != _HEAD_BYTES:
            return -1
        if bytes(entry[:2]) != _MAGIC:
            return -1
        size, found = unpack_from("<HI", entry, 2)
        if found != position or not _RECORD_MIN <= size <= RECORD_MAX:
            return -1
        end = self._overhead + size
        rest = end - _HEAD_BYTES
        if file.readinto(entry[_HEAD_BYTES:end]) != rest:
            return -1
        crc = unpack_from("<I", entry, end - _CRC_BYTES)[0]
        if crc32(entry[: end - _CRC_BYTES]) != crc:
            return -1
        return size

    def _judge(self, rest: int) -> None:
        """Count the bytes behind the good entries as torn or as burnt.

        By size alone: what is too short for any entry was never sent, whatever it says; what is
        longer may have been a whole entry whose head is damaged.
        """
        if rest < self._entry_min:
            self.torn_bytes += rest
        else:
            self.burnt += 1 + rest // self._entry_min

    def _take_held_state(self) -> None:
        """Prefer the state of `hold` if it was written after the last entry."""
        held = bytearray(4 + self._state_bytes + _CRC_BYTES)
        try:
            with open(self._folder + "/" + _HOLD, "rb") as file:
                if file.readinto(held) != len(held):
                    return
        except OSError:
            return
        end = len(held) - _CRC_BYTES
        position, crc = unpack_from("<I", held, 0)[0], unpack_from("<I", held, end)[0]
        if self.head_state and position == self.next_position and crc == crc32(held[:end]):
            self.head_state = bytes(held[4:end])

    # ---- appending ----

    def room(self, event: bool) -> bool:
        """Is there room for one more record of the largest size? Events may use the reserve."""
        limit = self._segments_max
        if not event:
            limit -= _RESERVE_SEGMENTS
        used = len(self._segments)
        if self._tail_bytes + self._overhead + RECORD_MAX > self._segment_bytes:
            used += 1
        return used <= limit

    def space(self) -> memoryview:
        """Where the next record may be written, RECORD_MAX bytes; any other call spoils it."""
        start = _HEAD_BYTES + self._state_bytes
        return memoryview(self._entry)[start : start + RECORD_MAX]

    def append(self, size: int, state: bytearray) -> None:
        """Append the record that is in the space; on return it and its number are on flash.

        Raises:
            OSError: the file system refused; `dirty` is set and nothing may be assumed.
        """
        end = self._overhead + size
        entry = memoryview(self._entry)[:end]
        start = _HEAD_BYTES + self._state_bytes
        entry[:2] = _MAGIC
        pack_into("<HI", entry, 2, size, self.next_position)
        entry[_HEAD_BYTES:start] = state
        pack_into("<I", entry, end - _CRC_BYTES, crc32(entry[: end - _CRC_BYTES]))
        self.dirty = True
        if not self._segments or self._tail_bytes + end > self._segment_bytes:
            self._segments.append(self.next_position)
            self._tail_bytes = 0
        with open(self._path(self._segments[-1]), "ab") as file:
            if file.write(entry) != end:
                raise OSError(EIO)
        self.dirty = False
        self._tail_bytes += end
        self.next_position += 1
        self.head_digest = sha256(entry[start : start + size]).digest()

    def hold(self, state: bytearray) -> None:
        """Keep the registers while no record can be appended."""
        held = bytearray(4 + self._state_bytes + _CRC_BYTES)
        end = len(held) - _CRC_BYTES
        pack_into("<I", held, 0, self.next_position)
        held[4:end] = state
        pack_into("<I", held, end, crc32(memoryview(held)[:end]))
        with open(self._folder + "/" + _HOLD, "wb") as file:
            file.write(held)

    # ---- acknowledging ----

    def acknowledge(self, position: int) -> None:
        """Records up to and including this position are safe elsewhere: prune."""
        if position >= self.acknowledged:
            self.acknowledged = position + 1
        while len(self._segments) > 1 and self._segments[1] <= self.acknowledged:
            os.remove(self._path(self._segments[0]))
            self._segments.pop(0)

    def first_retained(self) -> int:
        """Position of the first record that can still be read."""
        return self._segments[0] if self._segments else self.next_position

    # ---- reading ----

    def segment_of(self, position: int) -> int:
        """Index of the segment a position is in."""
        index = max(len(self._segments) - 1, 0)
        while index > 0 and self._segments[index] > position:
            index -= 1
        return index

    def segment_start(self, index: int) -> int:
        """First position of a segment, or the next position behind the last one."""
        if index < len(self._segments):
            return self._segments[index]
        return self.next_position

    def read_at(self, index: int, offset: int, position: int) -> memoryview | None:
        """The record at an offset of a segment; None at the end or if the entry is bad.

        The view is valid until the next call of any method.
        """
        with open(self._path(self._segments[index]), "rb") as file:
            file.seek(offset)
            size = self._read_entry(file, position)
        if size < 0:
            return None
        start = _HEAD_BYTES + self._state_bytes
        return memoryview(self._entry)[start : start + size]

    def entry_bytes(self, record: memoryview) -> int:
        """What a record takes in its segment."""
        return self._overhead + len(record)

    def _path(self, first: int) -> str:
        return "%s/%08x" % (self._folder, first)


class Reader:
    """Reads records in order, from any position, over segments and holes.

    Attributes:
        position: of the next record to read.
        lost: records found missing since the last look; the caller resets it.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.position = 0
        self.lost = 0
        # Numbers burnt by the recovery are explained by it.
        self._explained = journal.next_position if journal.burnt else 0
        self._segment_first = -1
        self._offset = 0

    def seek(self, position: int) -> None:
        """Go on at this position; entries before it in its segment are walked over."""
        journal = self._journal
        self._segment_first = journal.segment_start(journal.segment_of(position))
        self._offset = 0
        self.position = self._segment_first
        while self.position < position and self._step() is not None:
            pass

    def read(self) -> memoryview | None:
        """The next record, or None if there is none; valid until the journal is used again."""
        if self._segment_first < 0:
            self.seek(self.position)
        return self._step()

    def _step(self) -> memoryview | None:
        journal = self._journal
        while self.position < journal.next_position:
            index = journal.segment_of(self.position)
            first = journal.segment_start(index)
            if first != self._segment_first:
                self._segment_first = first
                self._offset = 0
                self.position = max(self.position, first)
            record = journal.read_at(index, self._offset, self.position)
            if record is not None:
                self._offset += journal.entry_bytes(record)
                self.position += 1
                return record
            self._skip(journal.segment_start(index + 1))
        return None

    def _skip(self, position: int) -> None:
        """The rest of a segment cannot be read: count it once, go on behind it."""
        if position > self._explained:
            self.lost += position - self.position
            self._explained = position
        self.position = position
