"""A log as lines: text as a terminal shows it, frames, notes, in the order they came."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from console_bench import chunk

from wattest.errors import UsageError
from wattest.operations.console.chunk import Chunk, ChunkKind
from wattest.operations.console.search import Query, find, pattern_of
from wattest.operations.console.text_line import LINE_CHARS_MAX, TextLine
from wattest.operations.console.view import Item, View, items
from wattest.wire.frame import encode_frame, encode_line
from wattest.wire.message import (
    RecordFrame,
    Reply,
    encode_record_frame,
    encode_reply,
    encode_taken,
    hello_line,
)

VECTORS = Path(__file__).parents[2] / "vectors" / "records.json"


def lines(data: bytes) -> list[str]:
    line = TextLine()
    return line.feed(data)


def shown(*chunks: Chunk) -> list[tuple[str, str]]:
    return [(item.kind.value, item.text) for item in items(chunks)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"plain\r\n", "plain"),
        (b">>> prnt\b\b\x1b[Kint(1)\r\n", ">>> print(1)"),
        (b"abc\x1b[2DX\r\n", "aXc"),
        (b"abc\x1b[3D\x1b[1CX\r\n", "aXc"),
        (b"10 %\r20 %\n", "20 %"),
        (b"\x1b[0;32mI (123) boot\x1b[0m\r\n", "I (123) boot"),
        (b"bell\x07 null\x00 esc\x1b]\n", "bell\\x07 null\\x00 esc"),
        ("µWh".encode() + b"\xff\n", "µWh\\xff"),
        (b"\x1b[2Kclean\n", "clean"),
        (b"tab\there\n", "tab here"),
    ],
)
def test_line_is_what_a_terminal_shows(data: bytes, expected: str) -> None:
    assert lines(data) == [expected]
    byte_by_byte = TextLine()
    assert [done for b in data for done in byte_by_byte.feed(bytes((b,)))] == [expected]


def test_no_control_character_of_a_board_passes() -> None:
    for first in range(256):
        for second in (0x1B, 0x5B, 0x9B, 0x41, first):
            for text in lines(bytes((first, second, first)) + b"x\n\n"):
                assert text.isprintable()


def test_line_without_end_is_cut_and_nothing_of_it_lost() -> None:
    data = b"x" * (3 * LINE_CHARS_MAX + 5) + b"\n"
    found = lines(data)
    assert "".join(found) == "x" * (3 * LINE_CHARS_MAX + 5)


def test_unfinished_line_and_its_cursor_are_known() -> None:
    view = View()
    assert list(view.take(chunk(b">>> abc\x1b[2D", ms=7))) == []
    assert (view.unfinished.text, view.unfinished.cursor) == (">>> abc", 5)
    assert view.unfinished_since_ms == 7


def test_text_and_frames_come_in_order_each_with_its_time() -> None:
    taken = encode_frame(4, encode_taken(200))
    stream = b"before\r\nhal" + taken + b"f\r\n" + encode_frame(
        3, encode_reply(Reply(counter=7, refusal=2))
    )  # fmt: skip
    chunks = [chunk(stream[at : at + 3], ms=at) for at in range(0, len(stream), 3)]
    found = list(items(chunks))
    assert [(item.kind.value, item.text) for item in found] == [
        ("text", "before"),
        ("frame", "taken: 200 bytes since hello"),
        ("text", "half"),
        ("frame", "reply: command 7 refused: counter"),
    ]
    half = found[2]
    assert half.utc_ms == stream.index(b"hal") // 3 * 3


def test_what_happens_to_the_port_ends_what_was_unfinished() -> None:
    lost = chunk(json.dumps({"event": "lost", "why": "it vanished"}).encode(), kind=ChunkKind.NOTE)
    assert shown(chunk(b"half a line\0\x05half a frame"), lost, chunk(b"new\n")) == [
        ("damaged", "damaged frame of 13 bytes: unfinished"),
        ("text", "half a line"),
        ("note", "port lost: it vanished"),
        ("text", "new"),
    ]


def test_stray_zero_does_not_hide_text_for_long() -> None:
    assert shown(chunk(b"noise\0one\r\n"), chunk(b"two\r\n", ms=1500)) == [
        ("text", "noiseone"),
        ("text", "two"),
    ]


def test_lines_to_the_node_and_keys_are_told_apart() -> None:
    sent = ChunkKind.SENT
    ack = encode_line(0x11, (17).to_bytes(4) + bytes(16))
    assert shown(chunk(hello_line() + ack, kind=sent), chunk(b"\x03", kind=sent)) == [
        ("sent", "hello"),
        ("sent", "ack of position 17"),
        ("sent", "typed '\\x03'"),
    ]


def test_frame_that_does_not_decode_says_which_rule() -> None:
    assert shown(chunk(encode_frame(1, b"\0\0\0\x01junk") + encode_frame(9, b"x"))) == [
        ("frame", "record, 8 bytes: cose: tag at byte 0 (expected tag 18)"),
        ("frame", "frame 09, 1 bytes"),
    ]


def vector_frames() -> list[bytes]:
    records = [bytes.fromhex(r["record"]) for r in json.loads(VECTORS.read_text())["records"]]
    return [
        encode_frame(1, encode_record_frame(RecordFrame(position=n, record=record)))
        for n, record in enumerate(records)
    ]


def test_records_are_said_in_one_line_each() -> None:
    said = [text for _, text in shown(*(chunk(frame) for frame in vector_frames()))]
    assert said[1] == (
        "record at 1: event 2 boot, cause 1, unmetered-ms 0, registers-from 0, torn-bytes 0, "
        "status G"
    )
    assert said[2] == (
        "record at 2: reading 1, import 1234.567 Wh, export 0.089 Wh, time in use 3600 s, "
        "active power 48.000 W, status G"
    )
    assert said[6].endswith("active power -150.250 W, status D err Et")
    assert said[9].endswith("status G, input injected")


def test_reading_is_found_by_its_number_and_other_records_with_it_are_not() -> None:
    log = [chunk(frame, ms=n) for n, frame in enumerate(vector_frames())]
    (found,) = find(log, Query(reading=2))
    assert "reading 2, import 1234.567 Wh" in found.text
    assert found.utc_ms == 4


SAID = [
    chunk(b"boot\r\nTraceback (most recent call last):\r\n", ms=1000),
    chunk(b"  OSError: 19\r\nboot\r\n", ms=2000),
]


def found(query: Query) -> list[Item]:
    return list(find(SAID, query))


def test_search_finds_words_expressions_and_times() -> None:
    assert [i.text for i in found(Query(pattern=pattern_of("traceback")))] == [
        "Traceback (most recent call last):"
    ]
    assert [i.utc_ms for i in found(Query(pattern=pattern_of("/^boot$/")))] == [1000, 2000]
    assert [i.text for i in found(Query(since_ms=2000))] == ["  OSError: 19", "boot"]
    assert [i.text for i in found(Query(until_ms=2000, pattern=pattern_of("boot")))] == ["boot"]
    assert found(Query(reading=1)) == []
    assert found(Query(pattern=pattern_of("(most"))) != []
    with pytest.raises(UsageError, match="unterminated"):
        pattern_of("/[/")
