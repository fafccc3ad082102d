"""Finds out what bytes are, and takes them apart into named values for `decode` to show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from wattest.cli.second_look import SecondLook, look_again
from wattest.errors import CborError, DecodeError
from wattest.ledger import EntryKind
from wattest.wire import (
    Frame,
    FrameFault,
    FrameScanner,
    Record,
    Register,
    Text,
    cbor,
    parse_act,
    parse_line,
    parse_record,
)
from wattest.wire.act import ACT_TYPE
from wattest.wire.describe import (
    REGISTER_NAMES,
    UNITS,
    Line,
    decimal_text,
    describe_record,
)
from wattest.wire.message import parse_hello, parse_reply
from wattest.wire.note import parse_checkpoint, parse_note

_DEPTH_MAX = 16
_COSE_START = b"\xd2"
_NOTE_MARK = "\n\n\u2014 ".encode()
_FRAME_NAMES = {1: "record", 2: "hello", 3: "reply", 4: "taken", 5: "shown"}
_LINE_NAMES = {0x10: "hello", 0x11: "ack", 0x12: "command"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What some bytes turned out to be.

    Args:
        what: one word or two, such as ``record``.
        fields: names and values, in the order to show them.
        data: the bytes.
        lines: the same for people, where there is a better form than the fields.
        parts: what is inside: frames of a stream, the record of an entry.
        look: what a second implementation made of a record, or None.
        fault: why these bytes are not right, or ``""``.
    """

    what: str
    fields: tuple[tuple[str, Any], ...]
    data: bytes
    lines: tuple[Line, ...] = ()
    parts: tuple[Explained, ...] = ()
    look: SecondLook | None = None
    fault: str = ""

    @property
    def sound(self) -> bool:
        """Whether everything decoded and nothing that was checked is wrong."""
        return (
            not self.fault
            and (self.look is None or self.look.holds)
            and all(part.sound for part in self.parts)
        )

    def as_json(self) -> dict[str, Any]:
        """Return plain values; byte strings become hexadecimal text."""
        values: dict[str, Any] = {"what": self.what, "sound": self.sound}
        values.update((name, plain(value)) for name, value in self.fields)
        if self.fault:
            values["fault"] = self.fault
        if self.look is not None:
            values["second_opinion"] = self.look.as_json()
        if self.parts:
            values["parts"] = [part.as_json() for part in self.parts]
        values["hex"] = self.data.hex()
        return values


def plain(value: Any) -> Any:
    """Return ``value`` with what JSON does not know as text."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def explain(data: bytes, *, key: bytes | None = None) -> Explained:
    """Find out what ``data`` is and take it apart.

    Args:
        data: any bytes.
        key: public key to check signatures of records with, x and y, 64 bytes.

    Raises:
        DecodeError: it is of a known kind but breaks a rule of it.
    """
    if not data:
        raise CborError("truncated", 0, "nothing to decode")
    if data.startswith(_COSE_START):
        return explain_act(data) if ACT_TYPE.encode() in data else explain_record(data, key=key)
    if _NOTE_MARK in data:
        return _explain_note(data)
    if data.startswith(b"~"):
        return _explain_lines(data)
    if b"\0" in data and (stream := _explain_stream(data, key)) is not None:
        return stream
    if data[0] in set(EntryKind) and len(data) > 1:
        entry = explain_entry(data[0], data[1:], key)
        if not entry.fault:
            return entry
    value = cbor.decode(data, max_depth=_DEPTH_MAX, max_bytes=len(data), allow_float=True)
    return Explained(what="cbor", fields=(("value", value),), data=data)


def explain_record(data: bytes, *, key: bytes | None = None) -> Explained:
    """Take a signed record apart.

    Raises:
        CoseError: not the envelope of a record.
        RecordError: the payload breaks the schema.
    """
    record = parse_record(data)
    fields = tuple(_record_fields(record))
    return Explained(
        what="record",
        fields=fields,
        data=data,
        lines=describe_record(record),
        look=look_again(record, key),
    )


def explain_act(data: bytes) -> Explained:
    """Take a signed act of a party apart; its signature is checked by an audit, not here.

    Raises:
        CoseError: not the envelope of an act.
        RecordError: the payload breaks the schema.
    """
    signed = parse_act(data)
    fields = {"act": signed.act.kind.name.lower(), "kid, not checked": signed.message.kid}
    fields.update(asdict(signed.act))
    return Explained(what="act", fields=tuple(fields.items()), data=data)


def _record_fields(record: Record) -> Iterator[tuple[str, Any]]:
    yield "kid", record.kid
    yield "serial", record.serial
    yield "ctx", f"{int(record.ctx)} {record.ctx.name.lower()}"
    yield "seq", record.seq
    yield "time_ms", record.time_ms
    yield "tsync", f"{int(record.tsync)} {record.tsync.name.lower()}"
    yield "mono_ms", record.mono_ms
    yield "registers", tuple(_register(register) for register in record.registers)
    yield "status", record.status
    yield "err", record.err
    if record.tx is not None:
        yield "tx", record.tx
    if record.event is not None:
        yield "event", record.event.kind.name.lower().replace("_", "-")
        yield "event_fields", dict(record.event.fields)
    yield "evt", record.evt
    yield "input", f"{int(record.input)} {record.input.name.lower()}"
    yield "bootcount", record.bootcount
    yield "bootseed", record.bootseed
    if record.nonce is not None:
        yield "nonce", record.nonce
    if record.boot is not None:
        yield "ueid", record.boot.ueid
        yield "software", [record.boot.software_name, *(record.boot.software_versions or ())]
    yield "cfg", record.cfg
    yield "prev", record.prev
    yield "digest", record.digest
    for number, value in (*record.extra_claims, *record.extra_body):
        yield f"extension {number}", value


def _register(register: Register) -> dict[str, Any]:
    return {
        "name": REGISTER_NAMES.get(register.obis, "unknown"),
        "obis": register.obis,
        "value": decimal_text(register.mantissa, register.scale),
        "unit": UNITS.get(register.unit, f"unit {register.unit}"),
    }


def _explain_note(data: bytes) -> Explained:
    note = parse_note(data)
    checkpoint = parse_checkpoint(note.text)
    signed_by = [f"{line.name} {line.key_id.hex()}" for line in note.signatures]
    fields = (
        ("origin", checkpoint.origin),
        ("size", checkpoint.size),
        ("root", checkpoint.root),
        ("signed by, not checked", signed_by),
    )
    return Explained(what="checkpoint", fields=fields, data=data)


def _explain_lines(data: bytes) -> Explained:
    parts = []
    for line in data.splitlines():
        kind, body = parse_line(line)
        fields = (("kind", f"{kind:02x} {_LINE_NAMES.get(kind, 'unknown')}"), ("body", body))
        parts.append(Explained(what="line", fields=fields, data=line))
    return Explained(what="lines to a node", fields=(), data=data, parts=tuple(parts))


def _explain_stream(data: bytes, key: bytes | None) -> Explained | None:
    """Return the parts of a frame stream, or None when it holds no frame at all."""
    scanner = FrameScanner()
    found = [*scanner.feed(data), *scanner.flush()]
    if not any(isinstance(item, Frame) for item in found):
        return None
    parts = tuple(explain_item(item, key) for item in found)
    frames = sum(isinstance(item, Frame) for item in found)
    fields = (("frames", frames), ("bytes", len(data)))
    return Explained(what="stream from a node", fields=fields, data=data, parts=parts)


def explain_item(item: Frame | Text | FrameFault, key: bytes | None) -> Explained:
    """Take one item of a frame stream apart."""
    if isinstance(item, Text):
        text = item.data.decode("utf-8", "replace")
        return Explained(
            what="text", fields=(("offset", item.offset), ("text", text)), data=item.data
        )
    if isinstance(item, FrameFault):
        return Explained(
            what="damaged frame",
            fields=(("offset", item.offset),),
            data=item.data,
            fault=f"frame: {item.rule} at byte {item.offset}",
        )
    name = _FRAME_NAMES.get(item.kind, "unknown")
    fields: list[tuple[str, Any]] = [("offset", item.offset), ("kind", f"{item.kind:02x} {name}")]
    parts: tuple[Explained, ...] = ()
    fault = ""
    try:
        if name == "record":
            fields.append(("position", int.from_bytes(item.body[:4])))
            parts = (explain_record(item.body[4:], key=key),)
        elif name == "shown":
            parts = (explain_record(item.body, key=key),)
        elif name == "hello":
            fields.extend(asdict(parse_hello(item.body)).items())
        elif name == "reply":
            fields.extend(asdict(parse_reply(item.body)).items())
        elif name == "taken":
            fields.append(("bytes", int.from_bytes(item.body)))
    except DecodeError as error:
        fault = str(error)
    return Explained(what="frame", fields=tuple(fields), data=item.body, parts=parts, fault=fault)


def explain_entry(kind: int, body: bytes, key: bytes | None = None) -> Explained:
    """Take a ledger entry apart; a body that does not decode is a fault of the entry."""
    name = EntryKind(kind).name.lower() if kind in set(EntryKind) else "unknown"
    fields: list[tuple[str, Any]] = [("kind", f"{kind} {name}")]
    parts: tuple[Explained, ...] = ()
    fault = ""
    try:
        if kind in {EntryKind.READING, EntryKind.EVENT}:
            parts = (explain_record(body, key=key),)
        elif body.startswith(_COSE_START):
            parts = (explain_act(body),)
        else:
            value = cbor.decode(body, max_depth=_DEPTH_MAX, max_bytes=len(body))
            fields.append(("value", value))
    except DecodeError as error:
        fault = str(error)
    data = bytes((kind,)) + body
    return Explained(
        what="ledger entry", fields=tuple(fields), data=data, parts=parts, fault=fault
    )
