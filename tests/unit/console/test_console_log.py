"""The log on disk: appended, cut short, damaged, bounded."""

from __future__ import annotations

from pathlib import Path

import pytest
from console_bench import chunk

from wattest.errors import ConfigError
from wattest.operations.console.chunk import Chunk, ChunkKind, encode_chunk
from wattest.operations.console.log_file import (
    HEADER,
    LogReader,
    LogWriter,
    Position,
    read_log,
    segments,
)


def write(folder: Path, chunks: list[Chunk], **bounds: int) -> None:
    log = LogWriter(folder, **bounds)
    for one in chunks:
        log.append(one.kind, one.data, utc_ms=one.utc_ms, mono_ns=one.mono_ns)
    log.close()


SOME = [
    chunk(b'{"event": "opened"}', ms=5, kind=ChunkKind.NOTE),
    chunk(b"hello\r\n", ms=10),
    chunk(b"\xffwc\xff\xffwc\xff", ms=20),
    chunk(b"\x03", ms=30, kind=ChunkKind.SENT),
    chunk(b"", ms=35),
    chunk(bytes(range(256)) * 5, ms=40),
]


def test_log_gives_back_what_was_appended(tmp_path: Path) -> None:
    write(tmp_path, SOME)
    assert list(read_log(tmp_path)) == SOME
    assert list(read_log(tmp_path / "00000001.wlog")) == SOME
    assert SOME[0].note == {"event": "opened"}


def test_chunk_is_laid_out_as_the_docs_say() -> None:
    data = encode_chunk(ChunkKind.RECEIVED, b"hi", utc_ms=1, mono_ns=2)
    assert data.hex() == "ff7763ff010000000200000000000000010000000000000002c627fb9c6869"


def test_log_cut_anywhere_gives_back_what_is_whole(tmp_path: Path) -> None:
    write(tmp_path, SOME)
    path = tmp_path / "00000001.wlog"
    whole = path.read_bytes()
    ends = [len(HEADER)]
    for one in SOME:
        ends.append(ends[-1] + 29 + len(one.data))
    assert ends[-1] == len(whole)
    for size in range(len(HEADER), len(whole) + 1):
        path.write_bytes(whole[:size])
        complete = sum(end <= size for end in ends) - 1
        assert list(read_log(tmp_path)) == SOME[:complete]
        cut = list(read_log(path))
        assert [c for c in cut if c.kind is not ChunkKind.DAMAGED] == SOME[:complete]
        assert sum(len(c.data) for c in cut[complete:]) == size - ends[complete]


def test_flipped_bit_costs_its_chunk_and_no_other(tmp_path: Path) -> None:
    write(tmp_path, SOME)
    path = tmp_path / "00000001.wlog"
    whole = path.read_bytes()
    begin = len(HEADER)
    for number, one in enumerate(SOME[:-1]):
        size = 29 + len(one.data)
        for offset in range(begin, begin + size):
            path.write_bytes(whole[:offset] + bytes((whole[offset] ^ 1,)) + whole[offset + 1 :])
            found = list(read_log(tmp_path))
            damaged = [c for c in found if c.kind is ChunkKind.DAMAGED]
            assert [c for c in found if c not in damaged] == SOME[:number] + SOME[number + 1 :]
            assert sum(len(c.data) for c in damaged) == size
            assert all(c.utc_ms == (SOME[number - 1].utc_ms if number else 0) for c in damaged)
        begin += size


def test_reader_follows_a_log_over_segments_and_recorders(tmp_path: Path) -> None:
    reader = LogReader(tmp_path)
    assert reader.read() == []
    seen: list[Chunk] = []
    for turn in range(3):
        log = LogWriter(tmp_path, segment_bytes_max=1000)
        for number in range(50):
            log.append(ChunkKind.RECEIVED, b"%d/%d " % (turn, number), utc_ms=0, mono_ns=number)
            if number % 7 == 0:
                seen += reader.read()
        log.close()
    while new := reader.read():
        seen += new
    assert len(segments(tmp_path)) > 3
    expected = b"".join(b"%d/%d " % (turn, n) for turn in range(3) for n in range(50))
    assert b"".join(c.data for c in seen) == expected


def test_oldest_segments_go_when_there_are_too_many(tmp_path: Path) -> None:
    reader = LogReader(tmp_path)
    write(tmp_path, [chunk(b"%4d" % n * 64) for n in range(400)],
          segment_bytes_max=4000, log_bytes_max=20_000)  # fmt: skip
    assert sum(p.stat().st_size for p in tmp_path.iterdir()) < 20_000 + 4300
    kept = list(read_log(tmp_path))
    assert kept[-1].data == b" 399" * 64
    numbers = [int(c.data[:4]) for c in kept]
    assert numbers == list(range(numbers[0], 400))
    assert reader.read()[0] == kept[0], "a reader that was too slow goes on at the oldest"


def test_reader_begins_where_it_is_told(tmp_path: Path) -> None:
    log = LogWriter(tmp_path)
    log.append(ChunkKind.RECEIVED, b"one", utc_ms=0, mono_ns=0)
    at = log.position
    log.append(ChunkKind.RECEIVED, b"two", utc_ms=0, mono_ns=0)
    log.close()
    assert [c.data for c in LogReader(tmp_path, at).read()] == [b"two"]
    assert at == Position(segment=1, offset=len(HEADER) + 32)


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such console log"):
        list(read_log(tmp_path / "nothing"))
    with pytest.raises(ConfigError, match="holds no console log"):
        list(read_log(tmp_path))
    other = tmp_path / "00000001.wlog"
    other.write_bytes(b"something else")
    with pytest.raises(ConfigError, match="is no console log"):
        list(read_log(other))
    with pytest.raises(ConfigError, match="is no console log"):
        list(read_log(tmp_path))
    with pytest.raises(ValueError, match="at most 262144"):
        encode_chunk(ChunkKind.RECEIVED, bytes(256 * 1024 + 1), utc_ms=0, mono_ns=0)


def test_old_segments_are_passed_over_when_only_new_chunks_are_wanted(tmp_path: Path) -> None:
    said = [chunk(b"%4d" % n * 64, ms=1000 + n) for n in range(400)]
    write(tmp_path, said, segment_bytes_max=4000)
    for since_ms in (0, 1000, 1001, 1200, 1399, 5000):
        kept = list(read_log(tmp_path, since_ms=since_ms))
        wanted = [c for c in said if c.utc_ms >= since_ms]
        assert [c for c in kept if c.utc_ms >= since_ms] == wanted
        assert len(kept) < len(wanted) + 3 * 4000 // 256
