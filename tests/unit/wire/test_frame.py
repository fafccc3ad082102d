"""Frames and lines: every byte comes back once, damage is named, memory stays bounded."""

from __future__ import annotations

import base64
import zlib

import pytest
from cobs import cobs
from hypothesis import given, settings
from hypothesis import strategies as st

from wattest.errors import FrameError
from wattest.wire import (
    Frame,
    FrameFault,
    FrameScanner,
    Text,
    encode_frame,
    encode_line,
    parse_line,
)
from wattest.wire.frame import cobs_decode, cobs_encode, decode_run

FRAME = encode_frame(1, bytes(range(40)))
RUN = FRAME[1:-1]
Found = Frame | Text | FrameFault


def scan(*chunks: bytes) -> list[Found]:
    """What a fresh scanner finds in chunks."""
    scanner = FrameScanner()
    return [item for chunk in chunks for item in scanner.feed(chunk)]


def merged(found: list[Found]) -> list[Found]:
    """Join texts that chunking cut."""
    out: list[Found] = []
    for item in found:
        if isinstance(item, Text) and out and isinstance(out[-1], Text):
            out[-1] = Text(data=out[-1].data + item.data, offset=out[-1].offset)
        else:
            out.append(item)
    return out


@given(st.binary(max_size=1200))
def test_cobs_is_what_the_cobs_package_writes(data: bytes) -> None:
    assert cobs_encode(data) == cobs.encode(data)
    assert cobs_decode(cobs.encode(data)) == data


@given(st.binary(max_size=600))
def test_cobs_decoder_refuses_and_reads_what_the_cobs_package_does(data: bytes) -> None:
    try:
        expected = cobs.decode(data)
    except cobs.DecodeError:
        with pytest.raises(FrameError, match=r"^frame: cobs at byte"):
            cobs_decode(data)
        return
    assert cobs_decode(data) == expected


def test_frame_is_made_of_zero_cobs_and_crc() -> None:
    content = b"\x02abc\x00d"
    content += zlib.crc32(content).to_bytes(4, "little")
    assert encode_frame(2, b"abc\x00d") == b"\x00" + cobs.encode(content) + b"\x00"


@given(st.integers(0, 255), st.binary(max_size=1180))
def test_frame_comes_back(kind: int, body: bytes) -> None:
    assert scan(encode_frame(kind, body)) == [Frame(kind=kind, body=body, offset=0)]


def test_frame_has_at_most_1200_bytes() -> None:
    body = bytes(range(1, 255)) * 5
    largest = max(
        size for size in range(1180, 1195) if len(cobs.encode(bytes(5) + body[:size])) <= 1198
    )
    assert len(encode_frame(1, body[:largest])) <= 1200
    with pytest.raises(ValueError, match=r"frame: 120\d bytes, at most 1200"):
        encode_frame(1, body[: largest + 3])


def test_frames_stand_among_text() -> None:
    found = scan(b"boot\r\n" + FRAME + b">>> " + FRAME)
    assert found == [
        Text(data=b"boot\r\n", offset=0),
        Frame(kind=1, body=bytes(range(40)), offset=6),
        Text(data=b">>> ", offset=6 + len(FRAME)),
        Frame(kind=1, body=bytes(range(40)), offset=10 + len(FRAME)),
    ]


def test_second_zero_of_a_fault_may_open_the_next_frame() -> None:
    found = scan(b"\x00" + b"text" + FRAME)
    assert found == [
        FrameFault(data=b"text", offset=0, rule="cobs"),
        Frame(kind=1, body=bytes(range(40)), offset=5),
    ]


@pytest.mark.parametrize(
    ("run", "rule"),
    [
        (b"\x09abc", "cobs"),
        (cobs.encode(b"\x01abc"), "short"),
        (cobs.encode(b"\x01abcdefgh"), "crc"),
        (b"\x01" * 1199, "long"),
    ],
)
def test_bad_run_names_its_rule(run: bytes, rule: str) -> None:
    with pytest.raises(FrameError, match=rf"^frame: {rule} at byte \d+"):
        decode_run(run)


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.builds(encode_frame, st.integers(0, 255), st.binary(max_size=300)),
            st.just(b"\x00"),
            st.just(b"a" * 1300),
        ),
        max_size=12,
    ),
    st.lists(st.integers(1, 50), min_size=1, max_size=6),
)
def test_chunks_do_not_matter_and_every_byte_comes_back_once(
    pieces: list[bytes], sizes: list[int]
) -> None:
    stream = b"".join(pieces)
    scanner = FrameScanner()
    found: list[Found] = []
    at = turn = 0
    while at < len(stream):
        size = sizes[turn % len(sizes)]
        found += scanner.feed(stream[at : at + size])
        assert scanner.pending_bytes <= 1200
        at += size
        turn += 1
    whole = FrameScanner()
    assert merged(found) == merged(whole.feed(stream))
    found += scanner.flush()
    assert scanner.pending_bytes == 0
    given_back = 0
    for item in found:
        begin = item.offset if isinstance(item, Text) else item.offset + 1
        if isinstance(item, Frame):
            run = stream[begin : stream.index(0, begin)]
            assert cobs.decode(run)[:-4] == bytes((item.kind,)) + item.body
        else:
            run = item.data
            assert stream[begin : begin + len(run)] == run
        given_back += len(run)
    assert given_back == len(stream) - stream.count(0)


def test_one_flipped_bit_of_every_byte_never_gives_another_frame() -> None:
    for index in range(len(FRAME)):
        for bit in range(8):
            damaged = bytearray(FRAME)
            damaged[index] ^= 1 << bit
            frames = [item for item in scan(bytes(damaged)) if isinstance(item, Frame)]
            assert frames == []


def test_truncation_at_every_byte_gives_no_frame_and_the_next_frame_is_found() -> None:
    for size in range(1, len(FRAME)):
        frames = [item for item in scan(FRAME[:size] + FRAME) if isinstance(item, Frame)]
        assert [frame.body for frame in frames] == [bytes(range(40))]


def test_run_without_end_is_given_back_at_1198_bytes() -> None:
    scanner = FrameScanner()
    assert scanner.feed(b"\x00" + b"x" * 1198) == []
    found = scanner.feed(b"yz")
    assert found == [
        FrameFault(data=b"x" * 1198, offset=0, rule="long"),
        Text(data=b"yz", offset=1199),
    ]
    assert scanner.pending_bytes == 0


def test_silence_gives_an_unfinished_run_back() -> None:
    scanner = FrameScanner()
    scanner.feed(FRAME[:9])
    assert scanner.flush() == [FrameFault(data=FRAME[1:9], offset=0, rule="unfinished")]
    assert scanner.flush() == []
    assert scanner.feed(b"text") == [Text(data=b"text", offset=9)]


def test_line_is_printable_and_comes_back() -> None:
    line = encode_line(0x12, bytes(range(100)))
    assert line.startswith(b"~")
    assert line.endswith(b"\n")
    assert all(32 < byte < 127 for byte in line[:-1])
    assert parse_line(line) == parse_line(line[:-1]) == (0x12, bytes(range(100)))


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (b"~" + b"A" * 200, "long"),
        (b"AAAA\n", "mark"),
        (b"", "mark"),
        (b"~AAA\n", "base64"),
        (b"~AA-A\n", "base64"),
        (b"~AB==\n", "base64"),
        (b"~" + base64.b64encode(b"\x10abc") + b"\n", "short"),
        (b"~" + base64.b64encode(b"\x10abcd") + b"\n", "crc"),
    ],
)
def test_bad_line_names_its_rule(line: bytes, rule: str) -> None:
    with pytest.raises(FrameError, match=rf"^frame: {rule} at byte \d+"):
        parse_line(line)


def test_line_has_at_most_200_bytes() -> None:
    assert len(encode_line(0x12, bytes(142))) <= 200
    with pytest.raises(ValueError, match=r"line: 20\d bytes, at most 200"):
        encode_line(0x12, bytes(146))
