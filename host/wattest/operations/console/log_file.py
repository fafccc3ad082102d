"""The recorder's log on disk: what the port said, with times, in files that only grow.

A folder holds segments `00000001.wlog`, `00000002.wlog` and so on; each begins with one line of
text and goes on with chunks, see `chunk`. A program that is killed leaves at most one unfinished
chunk at the end of its segment; a new recorder begins a new segment.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wattest.errors import ConfigError, StoreError
from wattest.operations.console.chunk import (
    HEAD_BYTES,
    Chunk,
    ChunkKind,
    encode_chunk,
    split_chunks,
    utc_ms_of,
)

SEGMENT_BYTES_MAX: Final = 16 * 1024 * 1024
LOG_BYTES_MAX: Final = 512 * 1024 * 1024
HEADER: Final = b"wattest console log, format 1: chunks as docs/console.md says\n"
_READ_BYTES = 1024 * 1024
_NAME = re.compile(r"\d{8}\.wlog")


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place in a log: segment number and offset in its file."""

    segment: int
    offset: int


class LogWriter:
    """Appends chunks; what was appended is readable by other programs at once.

    Args:
        folder: made if it is not there, for its owner alone.
        segment_bytes_max: a new segment begins beyond it.
        log_bytes_max: the oldest segments go when all of them together hold more.

    Raises:
        StoreError: the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        segment_bytes_max: int = SEGMENT_BYTES_MAX,
        log_bytes_max: int = LOG_BYTES_MAX,
    ) -> None:
        self.folder = folder
        self._segment_bytes_max = segment_bytes_max
        self._log_bytes_max = log_bytes_max
        self._file = -1
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise StoreError(
                f"{folder}: cannot make the folder: {(exc.strerror or '').lower()}",
                hint="choose another home with --home",
            ) from exc
        self._begin(max(segments(folder), default=0) + 1)

    @property
    def position(self) -> Position:
        """The end of the log."""
        return Position(segment=self._number, offset=self._size)

    def append(self, kind: ChunkKind, data: bytes, *, utc_ms: int, mono_ns: int) -> None:
        """Append one chunk.

        Raises:
            StoreError: the disk is full.
        """
        if self._size >= self._segment_bytes_max:
            number = self._number + 1
            self.close()
            self._begin(number)
            self._forget()
        self._write(encode_chunk(kind, data, utc_ms=utc_ms, mono_ns=mono_ns))

    def close(self) -> None:
        """Close the segment."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _begin(self, number: int) -> None:
        path = _path(self.folder, number)
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        except OSError as exc:
            raise StoreError(f"{path}: cannot be made: {exc.strerror}") from exc
        self._number = number
        self._size = 0
        self._write(HEADER)

    def _write(self, data: bytes) -> None:
        rest = data
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as exc:
            reason = (exc.strerror or "").lower()
            raise StoreError(
                f"{self.folder}: what the port says cannot be kept: {reason}",
                hint="free some space, then start the recorder again",
            ) from exc
        self._size += len(data)

    def _forget(self) -> None:
        """Remove the oldest segments, never the one that is written."""
        numbers = segments(self.folder)
        sizes = {number: _path(self.folder, number).stat().st_size for number in numbers}
        for number in numbers[:-1]:
            if sum(sizes.values()) <= self._log_bytes_max:
                return
            _path(self.folder, number).unlink()
            del sizes[number]


class LogReader:
    """Reads a log from a place on, also while it grows.

    Args:
        folder: of the log.
        at: where to begin; the beginning when None.
    """

    def __init__(self, folder: Path, at: Position | None = None) -> None:
        self._folder = folder
        self._number = at.segment if at is not None else min(segments(folder), default=1)
        self._offset = at.offset if at is not None else 0
        self._last = Chunk(kind=ChunkKind.DAMAGED, utc_ms=0, mono_ns=0, data=b"")

    def read(self) -> list[Chunk]:
        """Return the next chunks, at most about a MiB; none at the present end of the log.

        Raises:
            StoreError: the log cannot be read.
        """
        while True:
            newer = [number for number in segments(self._folder) if number > self._number]
            data = self._bytes()
            chunks, used = split_chunks(data, whole=bool(newer) and len(data) < _READ_BYTES)
            self._offset += used
            if chunks:
                return self._dated(chunks)
            if not newer or used:
                return []
            self._number, self._offset = newer[0], 0

    def _bytes(self) -> bytes:
        path = _path(self._folder, self._number)
        try:
            with path.open("rb") as file:
                if self._offset == 0:
                    _check_header(path, file.read(len(HEADER)))
                    self._offset = len(HEADER)
                file.seek(self._offset)
                return file.read(_READ_BYTES)
        except FileNotFoundError:  # the oldest go when there are too many
            return b""
        except OSError as exc:
            raise StoreError(f"{path}: cannot be read: {exc.strerror}") from exc

    def _dated(self, chunks: list[Chunk]) -> list[Chunk]:
        """Give damaged bytes the time of what stands before them."""
        dated = []
        for chunk in chunks:
            if chunk.kind is ChunkKind.DAMAGED:
                self._last = Chunk(
                    kind=chunk.kind,
                    utc_ms=self._last.utc_ms,
                    mono_ns=self._last.mono_ns,
                    data=chunk.data,
                )
            else:
                self._last = chunk
            dated.append(self._last)
        return dated


def segments(folder: Path) -> list[int]:
    """Return the numbers of a log's segments, oldest first; none if there is no folder."""
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:
        return []
    return sorted(int(name[:8]) for name in names if _NAME.fullmatch(name))


def newest_segment(folder: Path) -> Position:
    """Return where the newest segment begins."""
    return Position(segment=max(segments(folder), default=1), offset=0)


def read_log(path: Path, *, since_ms: int | None = None) -> Iterator[Chunk]:
    """Yield everything a log holds now.

    Args:
        path: the folder of a log, or one segment.
        since_ms: segments that ended before this moment may be passed over, UTC ms since 1970.

    Raises:
        ConfigError: it is not a log.
        StoreError: it cannot be read.
    """
    if path.is_file():
        yield from _one_segment(path)
        return
    if not segments(path):
        raise ConfigError(
            "holds no console log" if path.is_dir() else "no such console log",
            path=str(path),
            hint="`wattest console --port P` keeps one",
        )
    reader = LogReader(path, _before(path, since_ms))
    while chunks := reader.read():
        yield from chunks


def _before(folder: Path, since_ms: int | None) -> Position | None:
    """Return where to begin to see everything since a moment, and the segment before it.

    A frame may begin in one segment and end in the next.
    """
    if since_ms is None:
        return None
    numbers = segments(folder)
    later = 0
    while later < len(numbers) and _begun_ms(_path(folder, numbers[later])) < since_ms:
        later += 1
    return Position(segment=numbers[max(0, later - 2)], offset=0)


def _begun_ms(path: Path) -> int:
    """Return when a segment begins, or the end of time if nothing in it tells."""
    with suppress(OSError), path.open("rb") as file:
        file.seek(len(HEADER))
        begun_ms = utc_ms_of(file.read(HEAD_BYTES))
        if begun_ms is not None:
            return begun_ms
    return sys.maxsize


def _one_segment(path: Path) -> Iterator[Chunk]:
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise StoreError(f"{path}: cannot be read: {exc.strerror}") from exc
    _check_header(path, data[: len(HEADER)])
    chunks, _ = split_chunks(data[len(HEADER) :], whole=True)
    yield from chunks


def _check_header(path: Path, header: bytes) -> None:
    if not HEADER.startswith(header):
        raise ConfigError("is no console log", path=str(path))


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:08d}.wlog"
