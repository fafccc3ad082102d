"""Bodies of frames and lines: one form, MACs as the hmac module makes them."""

from __future__ import annotations

import base64
import hmac
import zlib
from typing import Any

import cbor2
import pytest
from wire_oracle import KID, PUBLIC

from wattest.errors import FrameError
from wattest.wire import message
from wattest.wire.message import Op

KEY = bytes(range(32))
HELLO = {1: KID, 2: "WIRE-0001", 3: 2, 4: 9, 5: 4, 6: 17, 7: 1, 8: PUBLIC, 9: 3}


def content_of(line: bytes) -> bytes:
    """Kind and body of a line, its check sum checked by hand."""
    raw = base64.b64decode(line[1:-1])
    assert zlib.crc32(raw[:-4]).to_bytes(4, "little") == raw[-4:]
    return raw[:-4]


def test_hello_comes_back_and_is_what_cbor2_writes() -> None:
    hello = message.parse_hello(cbor2.dumps(HELLO))
    assert (hello.kid, hello.serial, hello.public_key) == (KID, "WIRE-0001", PUBLIC)
    assert (hello.first_position, hello.next_position) == (2, 9)
    assert (hello.unacknowledged_position, hello.command_counter) == (4, 17)
    assert hello.answers == 3
    assert message.encode_hello(hello) == cbor2.dumps(HELLO)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({1: bytes(8)}, "the kid does not belong to the key"),
        ({1: KID[1:]}, "expected a kid of 8"),
        ({8: PUBLIC[1:]}, "key of 64 bytes"),
        ({7: 2}, "expected protocol 1, got 2"),
        ({3: 5}, "first <= unacknowledged <= next"),
        ({5: 10}, "first <= unacknowledged <= next"),
        ({3: -1}, "first <= unacknowledged <= next"),
        ({4: 2**32}, "first <= unacknowledged <= next"),
        ({6: -1}, "counts of 0 or more"),
        ({9: -1}, "counts of 0 or more"),
        ({2: b"x"}, "expected str"),
        ({6: True}, "expected int"),
        ({10: 1}, "expected a map with keys"),
        ({6: None}, "null"),
    ],
)
def test_bad_hello_is_refused(changes: dict[int, Any], expected: str) -> None:
    with pytest.raises(FrameError, match=rf"^frame: hello at byte \d+ \(.*{expected}"):
        message.parse_hello(cbor2.dumps({**HELLO, **changes}))


def test_reply_comes_back() -> None:
    reply = message.parse_reply(cbor2.dumps({1: 300, 2: 4}))
    assert (reply.counter, reply.refusal) == (300, message.Refusal.UNKNOWN_OPERATION)
    assert message.encode_reply(reply) == cbor2.dumps({1: 300, 2: 4})


@pytest.mark.parametrize("body", [b"", b"\x80", cbor2.dumps({1: 1}), cbor2.dumps({1: -1, 2: 0})])
def test_bad_reply_is_refused(body: bytes) -> None:
    with pytest.raises(FrameError, match=r"^frame: reply at byte \d"):
        message.parse_reply(body)


def test_record_frame_is_position_and_record() -> None:
    frame = message.parse_record_frame(b"\x00\x00\x01\x02rec")
    assert (frame.position, frame.record) == (258, b"rec")
    assert message.encode_record_frame(frame) == b"\x00\x00\x01\x02rec"
    with pytest.raises(FrameError, match=r"^frame: record at byte 0 \(4 bytes, at least 5\)"):
        message.parse_record_frame(bytes(4))


def test_taken_is_four_bytes() -> None:
    assert message.parse_taken(message.encode_taken(70_000)) == 70_000
    with pytest.raises(FrameError, match=r"^frame: taken at byte 0 \(expected 4 bytes, got 3\)"):
        message.parse_taken(bytes(3))


def test_hello_line_is_kind_10_and_nothing_else() -> None:
    assert content_of(message.hello_line()) == b"\x10"


def test_acknowledgement_names_position_and_digest_under_a_mac() -> None:
    content = content_of(message.ack_line(KEY, 258, bytes(range(32))))
    signed = b"\x11\x00\x00\x01\x02" + bytes(range(8))
    assert content == signed + hmac.new(KEY, signed, "sha256").digest()[:8]


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ((5, Op.END), {1: 5, 2: 5}),
        ((6, Op.BEGIN, "abc"), {1: 6, 2: 4, 3: "abc"}),
        ((7, Op.TEST_INPUT, 1, -500), {1: 7, 2: 8, 3: 1, 4: -500}),
    ],
)
def test_command_is_cbor_under_a_mac(arguments: Any, fields: dict[int, Any]) -> None:
    content = content_of(message.command_line(KEY, *arguments))
    assert content[:-16] == b"\x12" + cbor2.dumps(fields)
    assert content[-16:] == hmac.new(KEY, content[:-16], "sha256").digest()[:16]


def test_command_key_has_32_bytes() -> None:
    with pytest.raises(ValueError, match="command key: expected 32 bytes, got 31"):
        message.command_line(bytes(31), 1, Op.END)


@pytest.mark.parametrize(
    "arguments",
    [
        (Op.SET_TIME, 0),
        (Op.SET_INTERVAL, 1000),
        (Op.SET_INTERVAL, 3_600_000),
        (Op.RELAY, 1),
        (Op.BEGIN, ""),
        (Op.BEGIN, "x" * 20),
        (Op.END,),
        (Op.SYNC, 0),
        (Op.IDENTIFY, bytes(8)),
        (Op.IDENTIFY, bytes(64)),
        (Op.TEST_INPUT, 0),
        (Op.TEST_INPUT, 1, -5),
        (Op.TEST_INPUT, 2),
    ],
)
def test_arguments_in_range_pass_and_fit_a_line(arguments: Any) -> None:
    message.check_arguments(*arguments)
    assert len(message.command_line(KEY, 2**63 - 1, *arguments)) <= 200


@pytest.mark.parametrize(
    "arguments",
    [
        (Op.SET_TIME,),
        (Op.SET_TIME, -1),
        (Op.SET_TIME, "now"),
        (Op.SET_INTERVAL, 999),
        (Op.SET_INTERVAL, 3_600_001),
        (Op.RELAY, 2),
        (Op.RELAY, True),
        (Op.BEGIN, "x" * 21),
        (Op.BEGIN, "ä"),
        (Op.BEGIN,),
        (Op.END, 1),
        (Op.SYNC, -1),
        (Op.SYNC, 2**32),
        (Op.IDENTIFY, bytes(7)),
        (Op.IDENTIFY, bytes(65)),
        (Op.TEST_INPUT, 3),
        (Op.TEST_INPUT, 1),
        (Op.TEST_INPUT, 0, 5),
        (Op.TEST_INPUT, 1, "5"),
        (Op.RELAY, 1, 5),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: Any) -> None:
    with pytest.raises(ValueError, match=r"argument"):
        message.check_arguments(*arguments)
