"""Bodies of frames and lines (docs/formats.md sections 2 and 3).

    frame 01 record    position (u32) | record
    frame 02 hello     CBOR {1: kid, 2: serial, 3: first, 4: next, 5: unacknowledged, 6: counter,
                             7: protocol, 8: public key}
    frame 03 reply     CBOR {1: command counter, 2: 0 or refusal reason}
    frame 04 taken     bytes consumed since hello (u32)
    frame 05 shown     record, out of turn
    line 10 hello      empty
    line 11 ack        position (u32) | 8 bytes of the record's digest | MAC of 8 bytes
    line 12 command    CBOR {1: counter, 2: op, ?3: argument, ?4: another} | MAC of 16 bytes

Numbers are big-endian; the MAC is HMAC-SHA-256 under the node's command key over kind and body
before it, truncated.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from wattest.errors import CborError, FrameError
from wattest.wire import cbor
from wattest.wire.cose import KID_BYTES
from wattest.wire.frame import encode_line
from wattest.wire.keys import KEY_BYTES, kid_of, spki_der

COMMAND_KEY_BYTES: Final = 32
PROTOCOL: Final = 1
ACK_DIGEST_BYTES: Final = 8
ACK_MAC_BYTES: Final = 8
COMMAND_MAC_BYTES: Final = 16
WINDOW_RECORDS: Final = 8
CREDIT_BYTES: Final = 200
INTERVAL_MS_MIN: Final = 1000
INTERVAL_MS_MAX: Final = 3_600_000
RENEW_INPUT_MS: Final = 20_000
"""How often an injected power is sent again; without it a node returns to its sensor in 60 s."""
_U32_BYTES = 4
_U32_LIMIT = 1 << 32


class FrameKind(IntEnum):
    """First byte of a frame."""

    RECORD = 0x01
    HELLO = 0x02
    REPLY = 0x03
    TAKEN = 0x04
    SHOWN = 0x05


class LineKind(IntEnum):
    """First byte of a line to the node."""

    HELLO = 0x10
    ACK = 0x11
    COMMAND = 0x12


class Op(IntEnum):
    """Operations of a command."""

    SET_TIME = 1
    SET_INTERVAL = 2
    RELAY = 3
    BEGIN = 4
    END = 5
    SYNC = 6
    IDENTIFY = 7
    TEST_INPUT = 8


class Refusal(IntEnum):
    """Why a node refused a command; `ACCEPTED` means it did not."""

    ACCEPTED = 0
    AUTHENTICATION = 1
    COUNTER = 2
    MALFORMED = 3
    UNKNOWN_OPERATION = 4
    ARGUMENT = 5
    STATE = 6


def refusal_name(code: int) -> str:
    """Return the name of a reason in lower case; of one that is not known here, its number."""
    try:
        return Refusal(code).name.lower()
    except ValueError:
        return str(code)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFrame:
    """A record with its place in the node's journal; the place is a hint and is not signed."""

    position: int
    record: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """What a node says of itself; nothing of it is signed.

    Args:
        kid: key identifier; belongs to ``public_key``.
        serial: serial of the node.
        first_position: first record the journal still holds.
        next_position: where the next record will stand.
        unacknowledged_position: first record not yet acknowledged.
        command_counter: last command counter accepted.
        public_key: x and y, 64 bytes.
        answers: hello lines answered since boot, this one too; 0: nobody asked, it has booted.
    """

    kid: bytes
    serial: str
    first_position: int
    next_position: int
    unacknowledged_position: int
    command_counter: int
    public_key: bytes
    answers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A node's answer to a command."""

    counter: int
    refusal: int


def encode_record_frame(frame: RecordFrame) -> bytes:
    """Encode the body of a record frame."""
    return frame.position.to_bytes(_U32_BYTES) + frame.record


def parse_record_frame(body: bytes) -> RecordFrame:
    """Split position and record; the record is not looked at.

    Raises:
        FrameError: rule ``record``.
    """
    if len(body) <= _U32_BYTES:
        raise FrameError("record", 0, f"{len(body)} bytes, at least {_U32_BYTES + 1}")
    return RecordFrame(position=int.from_bytes(body[:_U32_BYTES]), record=body[_U32_BYTES:])


def encode_taken(total_bytes: int) -> bytes:
    """Encode the body of a taken frame."""
    return total_bytes.to_bytes(_U32_BYTES)


def parse_taken(body: bytes) -> int:
    """Return the bytes of input consumed since hello.

    Raises:
        FrameError: rule ``taken``.
    """
    if len(body) != _U32_BYTES:
        raise FrameError("taken", 0, f"expected {_U32_BYTES} bytes, got {len(body)}")
    return int.from_bytes(body)


def encode_hello(hello: Hello) -> bytes:
    """Encode the body of a hello frame."""
    return cbor.encode(
        {
            1: hello.kid,
            2: hello.serial,
            3: hello.first_position,
            4: hello.next_position,
            5: hello.unacknowledged_position,
            6: hello.command_counter,
            7: PROTOCOL,
            8: hello.public_key,
            9: hello.answers,
        }
    )


def parse_hello(body: bytes) -> Hello:
    """Read a hello; its kid must belong to its key.

    Raises:
        FrameError: rule ``hello``.
    """
    fields = _fields(body, "hello", _HELLO)
    if fields[7] != PROTOCOL:
        raise FrameError("hello", 0, f"expected protocol {PROTOCOL}, got {fields[7]}")
    if len(fields[1]) != KID_BYTES or len(fields[8]) != KEY_BYTES:
        raise FrameError("hello", 0, "expected a kid of 8 and a key of 64 bytes")
    if kid_of(spki_der(fields[8])) != fields[1]:
        raise FrameError("hello", 0, "the kid does not belong to the key")
    if not 0 <= fields[3] <= fields[5] <= fields[4] < _U32_LIMIT:
        raise FrameError("hello", 0, "expected first <= unacknowledged <= next position")
    if fields[6] < 0 or fields[9] < 0:
        raise FrameError("hello", 0, "expected counts of 0 or more")
    return Hello(
        kid=fields[1],
        serial=fields[2],
        first_position=fields[3],
        next_position=fields[4],
        unacknowledged_position=fields[5],
        command_counter=fields[6],
        public_key=fields[8],
        answers=fields[9],
    )


def encode_reply(reply: Reply) -> bytes:
    """Encode the body of a reply frame."""
    return cbor.encode({1: reply.counter, 2: int(reply.refusal)})


def parse_reply(body: bytes) -> Reply:
    """Read a reply.

    Raises:
        FrameError: rule ``reply``.
    """
    fields = _fields(body, "reply", {1: int, 2: int})
    if fields[1] < 0 or fields[2] < 0:
        raise FrameError("reply", 0, "expected unsigned integers")
    return Reply(counter=fields[1], refusal=fields[2])


_HELLO: Final[dict[int, type]] = {
    1: bytes,
    2: str,
    3: int,
    4: int,
    5: int,
    6: int,
    7: int,
    8: bytes,
    9: int,
}


def _fields(body: bytes, rule: str, types: dict[int, type]) -> dict[int, Any]:
    """Decode a map with exactly these keys and types."""
    try:
        fields = cbor.decode(body, max_depth=1, int_keys=True)
    except CborError as exc:
        raise FrameError(rule, exc.offset, exc.rule) from None
    if not isinstance(fields, dict) or set(fields) != set(types):
        raise FrameError(rule, 0, f"expected a map with keys {', '.join(map(str, types))}")
    for key, expected in types.items():
        if type(fields[key]) is not expected:
            raise FrameError(rule, cbor.offset_of(body, (key,)), f"expected {expected.__name__}")
    return fields


def _mac(key: bytes, kind: int, body: bytes, size: int) -> bytes:
    if len(key) != COMMAND_KEY_BYTES:
        raise ValueError(f"command key: expected {COMMAND_KEY_BYTES} bytes, got {len(key)}")
    return hmac.digest(key, bytes((kind,)) + body, "sha256")[:size]


def hello_line() -> bytes:
    """Encode the line that asks a node who it is."""
    return encode_line(LineKind.HELLO, b"")


def ack_line(key: bytes, position: int, digest: bytes) -> bytes:
    """Encode an acknowledgement of everything up to and including ``position``.

    Args:
        key: the node's command key, 32 bytes.
        position: journal position of the record.
        digest: SHA-256 of that record's bytes; its first 8 bytes go out.
    """
    body = position.to_bytes(_U32_BYTES) + digest[:ACK_DIGEST_BYTES]
    return encode_line(LineKind.ACK, body + _mac(key, LineKind.ACK, body, ACK_MAC_BYTES))


def command_line(
    key: bytes, counter: int, op: int, arg: Any = None, arg2: int | None = None
) -> bytes:
    """Encode a command.

    Args:
        key: the node's command key, 32 bytes.
        counter: above every counter the node accepted before.
        op: see `Op`.
        arg: first argument, or None where the operation has none.
        arg2: second argument, or None.

    Raises:
        ValueError: the line would pass 200 bytes.
    """
    fields: dict[int, Any] = {1: counter, 2: int(op)}
    if arg is not None:
        fields[3] = arg
    if arg2 is not None:
        fields[4] = arg2
    body = cbor.encode(fields)
    return encode_line(
        LineKind.COMMAND, body + _mac(key, LineKind.COMMAND, body, COMMAND_MAC_BYTES)
    )


def check_arguments(op: Op, arg: Any = None, arg2: int | None = None) -> None:
    """Check arguments against the table of operations before they are sent.

    Raises:
        ValueError: an argument the node would refuse, whatever its state.
    """
    if (arg2 is not None) != (op is Op.TEST_INPUT and arg == 1):
        raise ValueError("second argument: expected only with test input 1")
    if arg2 is not None and type(arg2) is not int:
        raise ValueError("second argument: expected an integer")
    if op is Op.END:
        valid, expected = arg is None, "none"
    elif op is Op.BEGIN:
        valid = isinstance(arg, str) and len(arg) <= 20 and all(" " <= c <= "~" for c in arg)
        expected = "0 to 20 printable ASCII characters"
    elif op is Op.IDENTIFY:
        valid, expected = isinstance(arg, bytes) and 8 <= len(arg) <= 64, "8 to 64 bytes"
    else:
        low, high = _INTEGER_ARGUMENTS[op]
        valid = type(arg) is int and low <= arg <= high
        expected = f"an integer from {low} to {high}"
    if not valid:
        raise ValueError(f"argument of {op.name.lower()}: expected {expected}, got {arg!r}")


_INTEGER_ARGUMENTS: Final = {
    Op.SET_TIME: (0, (1 << 63) - 1),
    Op.SET_INTERVAL: (INTERVAL_MS_MIN, INTERVAL_MS_MAX),
    Op.RELAY: (0, 1),
    Op.SYNC: (0, _U32_LIMIT - 1),
    Op.TEST_INPUT: (0, 2),
}
