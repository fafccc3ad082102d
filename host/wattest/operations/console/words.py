"""Frames, lines to a node and the recorder's notes, each in one line for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from wattest.errors import DecodeError, FrameError
from wattest.wire import Frame, Record, parse_line, parse_record
from wattest.wire.describe import REGISTER_NAMES, UNITS, decimal_text
from wattest.wire.message import (
    FrameKind,
    LineKind,
    Refusal,
    parse_hello,
    parse_record_frame,
    parse_reply,
    parse_taken,
    refusal_name,
)
from wattest.wire.record import Ctx
from wattest.wire.record_schema import EVENTS

_POSITION_BYTES = 4
_SHORT: Final = {"active energy import": "import", "active energy export": "export"}
_TEXT_CHARS_MAX = 60


def record_of(frame: Frame) -> Record | None:
    """Return the record in a frame; None if it holds none, or a damaged one."""
    try:
        if frame.kind == FrameKind.RECORD:
            return parse_record(parse_record_frame(frame.body).record)
        if frame.kind == FrameKind.SHOWN:
            return parse_record(frame.body)
    except DecodeError:
        return None
    return None


def frame_line(frame: Frame) -> str:
    """Say what a frame holds: kind, record and its number, registers, status."""
    try:
        known = _FRAMES.get(frame.kind)
        if known is not None:
            return known(frame.body)
    except DecodeError as exc:
        return f"{_frame_name(frame.kind)}, {len(frame.body)} bytes: {exc}"
    return f"{_frame_name(frame.kind)}, {len(frame.body)} bytes"


def record_line(record: Record) -> str:
    """Say what a record holds; nothing here says whether its signature holds."""
    words = [f"{_CTX[record.ctx]} {record.seq}"]
    if record.event is not None:
        words[0] += f" {record.event.kind.name.lower().replace('_', '-')}"
        for key, value in record.event.fields.items():
            words.append(f"{EVENTS[record.event.kind][key][0]} {value}")
    else:
        for register in record.registers:
            number = decimal_text(register.mantissa, register.scale)
            name = REGISTER_NAMES.get(register.obis, register.obis.hex())
            unit = UNITS.get(register.unit, f"unit {register.unit}")
            words.append(f"{_SHORT.get(name, name)} {number} {unit}".rstrip())
    words.append(f"status {record.status}{f' err {record.err}' if record.err else ''}")
    if record.input:
        words.append(f"input {record.input.name.lower()}")
    return ", ".join(words)


def line_to_node(data: bytes) -> str:
    """Say what a line to a node asks; ``""`` if it is none."""
    try:
        kind, body = parse_line(data)
    except FrameError:
        return ""
    if kind == LineKind.ACK:
        return f"ack of position {int.from_bytes(body[:_POSITION_BYTES])}"
    name = LineKind(kind).name.lower() if kind in set(LineKind) else f"line {kind:02x}"
    return name if kind == LineKind.HELLO else f"{name}, {len(body)} bytes"


def note_line(note: Mapping[str, Any]) -> str:
    """Say what happened to the port."""
    event = str(note.get("event", ""))
    why = str(note.get("why", ""))
    match event:
        case "started":
            return f"recording {note.get('port')}, process {note.get('pid')}"
        case "opened":
            return "port open"
        case "lost":
            return f"port lost: {why}"
        case "lent":
            return (
                f"lent to {note.get('holder')}: what the board says until it is back is not here"
            )
        case "back":
            return f"given back by {note.get('holder')} after {_seconds(note.get('lent_ms'))} s"
        case "reset":
            return "board reset by the control lines"
        case "not-reset":
            return f"board not reset: {note.get('error')}"
        case "stopped":
            return "recording ended"
        case "boot-loop":
            return (
                f"BOOT LOOP: {note.get('starts')} starts in {note.get('seconds')} s; "
                f"last words before each: {_before(note)}; try: {note.get('try')}"
            )
        case "flapping":
            return (
                f"PORT COMES AND GOES: {note.get('times')} times in {note.get('seconds')} s; "
                f"try: {note.get('try')}"
            )
        case _:
            return f"{event} {why}".strip()


def is_alarm(note: Mapping[str, Any]) -> bool:
    """Tell whether a note is something a person must not miss."""
    return note.get("event") in {"boot-loop", "flapping"}


def _before(note: Mapping[str, Any]) -> str:
    starts = note.get("before", ())
    said = [f"{_cut(start['said']) or 'nothing'} ({start['cause']})" for start in starts]
    return " | ".join(dict.fromkeys(said))


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT_CHARS_MAX else f"{text[: _TEXT_CHARS_MAX - 1]}…"


def _seconds(milliseconds: object) -> str:
    return f"{milliseconds / 1000:.1f}" if isinstance(milliseconds, int) else "?"


def _frame_name(kind: int) -> str:
    return FrameKind(kind).name.lower() if kind in set(FrameKind) else f"frame {kind:02x}"


def _record(body: bytes) -> str:
    frame = parse_record_frame(body)
    return f"record at {frame.position}: {record_line(parse_record(frame.record))}"


def _shown(body: bytes) -> str:
    return f"record out of turn: {record_line(parse_record(body))}"


def _hello(body: bytes) -> str:
    hello = parse_hello(body)
    return (
        f"hello of {hello.serial}, key {hello.kid.hex()}, records {hello.first_position} to "
        f"{hello.next_position}, not acknowledged from {hello.unacknowledged_position}"
    )


def _reply(body: bytes) -> str:
    reply = parse_reply(body)
    if reply.refusal == Refusal.ACCEPTED:
        return f"reply: command {reply.counter} accepted"
    return f"reply: command {reply.counter} refused: {refusal_name(reply.refusal)}"


def _taken(body: bytes) -> str:
    return f"taken: {parse_taken(body)} bytes since hello"


_CTX: Final = {Ctx.FISCAL: "reading", Ctx.TRANSACTION: "transaction", Ctx.EVENT: "event"}
_FRAMES: Final[Mapping[int, Callable[[bytes], str]]] = {
    FrameKind.RECORD: _record,
    FrameKind.HELLO: _hello,
    FrameKind.REPLY: _reply,
    FrameKind.TAKEN: _taken,
    FrameKind.SHOWN: _shown,
}
