"""Non-volatile storage of small values, as ``esp32.NVS`` offers it, in the board's own flash.

The partition keeps two append logs of half its sectors each; one is current. A log starts with a
header (magic, generation), then entries, each with a CRC-32. ``commit`` appends the changed
values and then one commit mark; what has no commit mark behind it never happened. When the
current log is full the live values are copied to the other log with a higher generation, and
its header is programmed last. So power may go at any flash operation: a reader finds the values
of the last complete commit.

This is NOT Espressif's on-flash layout; an image of a real board's NVS partition cannot be read.
"""

from __future__ import annotations

import struct
import zlib

from wattest.emulator.flash import SECTOR_SIZE_BYTES, Partition
from wattest.emulator.guest import StopGuest

_HEADER = struct.Struct("<8sII")  # magic, generation, CRC-32 of both
_MAGIC = b"wattNVS1"
_ENTRY = struct.Struct("<BBH")  # kind, length of "namespace\0key", length of value
_KIND_I32 = 0x11
_KIND_BLOB = 0x12
_KIND_ERASED = 0x13
_KIND_COMMIT = 0x14
_KIND_BLANK = 0xFF
_NAME_MAX_BYTES = 15  # ESP-IDF: NVS_KEY_NAME_MAX_SIZE - 1
BLOB_MAX_BYTES = 4000  # ESP-IDF: a blob chunk of one page

Key = tuple[str, str]
Value = int | bytes


class NvsFull(OSError):
    """There is no room for the value even in a fresh log."""


class NvsStore:
    """All namespaces of one NVS partition.

    Args:
        partition: at least two sectors; what it holds is read at once.
    """

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self._log_size = partition.sectors // 2 * SECTOR_SIZE_BYTES
        if not self._log_size:
            raise ValueError("an NVS partition needs at least two sectors")
        self._committed: dict[Key, Value] = {}
        self._start = -1
        self._end = 0
        self._generation = 0
        self._load()

    def namespace(self, name: str) -> Nvs:
        """Open a namespace; its uncommitted changes are its own.

        Raises:
            ValueError: the name is empty or longer than 15 bytes.
        """
        _check_name(name)
        return Nvs(self, name)

    def get(self, key: Key) -> Value | None:
        """Return the committed value, or None."""
        return self._committed.get(key)

    def commit(self, changes: dict[Key, Value | None]) -> None:
        """Make ``changes`` durable, all of them or none; None erases.

        Raises:
            NvsFull: they do not fit; nothing changed.
            StopGuest: power failed; after restart either all or none of them is there.
        """
        changes = {key: value for key, value in changes.items() if self._differs(key, value)}
        if not changes:
            return
        after = dict(self._committed)
        for key, value in changes.items():
            if value is None:
                after.pop(key, None)
            else:
                after[key] = value
        batch = b"".join(_encode(key, value) for key, value in changes.items()) + _COMMIT
        if self._start < 0 or self._end + len(batch) > self._log_size:
            self._rotate(after)
        else:
            self._program(self._start + self._end, batch)
            self._end += len(batch)
        self._committed = after

    def _differs(self, key: Key, value: Value | None) -> bool:
        old = self._committed.get(key)
        return old != value or type(old) is not type(value)

    # ---- reading -----------------------------------------------------------------------------

    def _load(self) -> None:
        logs = []
        for start in (0, self._log_size):
            magic, generation, crc = _HEADER.unpack(self._partition.read(start, _HEADER.size))
            if magic == _MAGIC and crc == zlib.crc32(struct.pack("<8sI", magic, generation)):
                logs.append((generation, start))
        if logs:
            self._generation, self._start = max(logs)
            self._committed, self._end = self._replay(self._start)

    def _replay(self, start: int) -> tuple[dict[Key, Value], int]:
        """Return the values of the last complete commit and the offset where to append.

        A torn batch leaves programmed cells behind: the append point is then the end of the log,
        so that the next commit rotates to a fresh one.
        """
        log = self._partition.read(start, self._log_size)
        values: dict[Key, Value] = {}
        pending: dict[Key, Value | None] = {}
        at = _HEADER.size
        while at + _ENTRY.size <= len(log) and log[at] != _KIND_BLANK:
            entry = _decode(log, at)
            if entry is None:
                return values, len(log)
            kind, key, value, at = entry
            if kind != _KIND_COMMIT:
                pending[key] = value
                continue
            for changed, new in pending.items():
                if new is None:
                    values.pop(changed, None)
                else:
                    values[changed] = new
            pending.clear()
        clean = not pending and log.count(0xFF, at) == len(log) - at
        return values, at if clean else len(log)

    # ---- writing -----------------------------------------------------------------------------

    def _rotate(self, values: dict[Key, Value]) -> None:
        body = b"".join(_encode(key, value) for key, value in values.items()) + _COMMIT
        if _HEADER.size + len(body) > self._log_size:
            raise NvsFull(28, "NVS: not enough space")  # ENOSPC
        start = self._log_size if self._start == 0 else 0
        for offset in range(start, start + self._log_size, SECTOR_SIZE_BYTES):
            if self._partition.read(offset, SECTOR_SIZE_BYTES).count(0xFF) == SECTOR_SIZE_BYTES:
                continue
            if not self._partition.erase(offset):
                raise StopGuest("power cut")
        generation = self._generation + 1
        self._program(start + _HEADER.size, body)
        head = struct.pack("<8sI", _MAGIC, generation)
        self._program(start, head + struct.pack("<I", zlib.crc32(head)))
        self._start, self._generation = start, generation
        self._end = _HEADER.size + len(body)

    def _program(self, offset: int, data: bytes) -> None:
        for at in range(0, len(data), 256):  # a page at a time: each page is one flash operation
            if not self._partition.program(offset + at, data[at : at + 256]):
                raise StopGuest("power cut")


class Nvs:
    """One namespace, with the methods of ``esp32.NVS``; only ``commit`` makes changes durable."""

    def __init__(self, store: NvsStore, name: str) -> None:
        self._store = store
        self._name = name
        self._changes: dict[Key, Value | None] = {}

    def set_i32(self, key: str, value: int) -> None:
        """Set a signed 32-bit value.

        Raises:
            ValueError: out of range, or the key is empty or longer than 15 bytes.
        """
        if not -(1 << 31) <= value < 1 << 31:
            raise ValueError(f"i32 value out of range: {value}")
        self._changes[self._key(key)] = value

    def get_i32(self, key: str) -> int:
        """Return the value.

        Raises:
            KeyError: there is no i32 of that name.
        """
        value = self._get(key)
        if not isinstance(value, int):
            raise KeyError(key)
        return value

    def set_blob(self, key: str, value: bytes) -> None:
        """Set a value of 0..4000 bytes.

        Raises:
            ValueError: too long, or the key is empty or longer than 15 bytes.
        """
        if len(value) > BLOB_MAX_BYTES:
            raise ValueError(f"blob of {len(value)} bytes, at most {BLOB_MAX_BYTES}")
        self._changes[self._key(key)] = bytes(value)

    def get_blob(self, key: str) -> bytes:
        """Return the value.

        Raises:
            KeyError: there is no blob of that name.
        """
        value = self._get(key)
        if not isinstance(value, bytes):
            raise KeyError(key)
        return value

    def erase_key(self, key: str) -> None:
        """Remove a value of either kind.

        Raises:
            KeyError: there is none.
        """
        if self._get(key) is None:
            raise KeyError(key)
        self._changes[self._key(key)] = None

    def commit(self) -> None:
        """Make the changes durable, all or none; see :meth:`NvsStore.commit`."""
        self._store.commit(self._changes)
        self._changes = {}

    def _get(self, key: str) -> Value | None:
        full = self._key(key)
        return self._changes[full] if full in self._changes else self._store.get(full)

    def _key(self, key: str) -> Key:
        _check_name(key)
        return self._name, key


def _check_name(name: str) -> None:
    size = len(name.encode())
    if not 0 < size <= _NAME_MAX_BYTES or "\0" in name:
        raise ValueError(f"NVS name must have 1 to {_NAME_MAX_BYTES} bytes, got {name!r}")


def _encode(key: Key, value: Value | None) -> bytes:
    if value is None:
        return _pack(_KIND_ERASED, key, b"")
    if isinstance(value, int):
        return _pack(_KIND_I32, key, struct.pack("<i", value))
    return _pack(_KIND_BLOB, key, value)


def _pack(kind: int, key: Key, value: bytes) -> bytes:
    name = "\0".join(key).encode()
    entry = _ENTRY.pack(kind, len(name), len(value)) + name + value
    return entry + struct.pack("<I", zlib.crc32(entry))


_COMMIT = _pack(_KIND_COMMIT, ("", ""), b"")


def _decode(log: bytes, at: int) -> tuple[int, Key, Value | None, int] | None:
    """Return ``(kind, key, value, offset behind it)`` or None when the entry is torn."""
    kind, name_size, value_size = _ENTRY.unpack_from(log, at)
    end = at + _ENTRY.size + name_size + value_size
    if end + 4 > len(log) or zlib.crc32(log[at:end]) != int.from_bytes(
        log[end : end + 4], "little"
    ):
        return None
    namespace, _, key = log[at + _ENTRY.size : end - value_size].decode().partition("\0")
    raw = log[end - value_size : end]
    value: Value | None = None
    if kind == _KIND_I32:
        (value,) = struct.unpack("<i", raw)
    elif kind == _KIND_BLOB:
        value = raw
    return kind, (namespace, key), value, end + 4
