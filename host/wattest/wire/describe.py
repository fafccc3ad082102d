"""A record in words: lines of label, value and note, for whoever draws them.

Nothing here says whether a signature holds; that is a verdict, see `wattest.verify`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from wattest.wire.cose import parse_sign1
from wattest.wire.record import (
    OBIS_EXPORT,
    OBIS_IMPORT,
    OBIS_POWER,
    OBIS_USE,
    SESSION_SIGNATURE,
    ZERO_DIGEST,
    Ctx,
    Event,
    Record,
    Register,
    RegistersFrom,
)
from wattest.wire.record_schema import EVENTS

_HEX_COLUMNS = 16
_EXTENSIONS = {
    24: ("element", "has the key, says the node"),
    SESSION_SIGNATURE: ("session", "signature of the OCMF text of the session"),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

UNITS: Final = {
    7: "s",
    27: "W",
    28: "VA",
    29: "var",
    30: "Wh",
    31: "VAh",
    32: "varh",
    33: "A",
    35: "V",
    44: "Hz",
    255: "",
}
"""DLMS unit codes (IEC 62056-6-2, table of physical units)."""
REGISTER_NAMES: Final = {
    OBIS_IMPORT: "active energy import",
    OBIS_EXPORT: "active energy export",
    OBIS_USE: "time in use",
    OBIS_POWER: "active power",
}
STATUS_WORDS: Final = {
    "G": "good",
    "T": "timeout: bus stuck",
    "D": "disconnected: sensor does not answer",
    "R": "not found",
    "M": "manipulated",
    "X": "exchanged: wrong chip id",
    "I": "incompatible",
    "O": "out of range: saturated or overflowed",
    "S": "substituted",
    "E": "other error",
    "F": "read error",
    "N": "not available",
}
TX_WORDS: Final = {
    "B": "begin",
    "C": "charging",
    "X": "exception",
    "E": "end",
    "L": "end, terminated locally",
    "R": "end, terminated remotely",
    "A": "end, aborted by an error",
    "P": "end, power failure",
    "S": "suspended",
    "T": "tariff change",
}
_TSYNC_WORDS = ("unknown", "informative", "synchronised", "relative")
_INPUT_WORDS = ("own sensor", "injected", "played by a stimulus board")
_ERR_WORDS = {"": "", "E": "energy not usable", "t": "time not usable", "Et": "nothing usable"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing said of a record: what it is, its value, and what the value means, or ``""``."""

    label: str
    value: str
    note: str = ""


def decimal_text(mantissa: int, scale: int) -> str:
    """Write ``mantissa * 10**scale`` exactly, with all of its digits."""
    if scale >= 0:
        return str(mantissa * int(10**scale))
    digits = str(abs(mantissa)).rjust(1 - scale, "0")
    return f"{'-' if mantissa < 0 else ''}{digits[:scale]}.{digits[scale:]}"


def time_text(time_ms: int) -> str:
    """Write UTC ms since 1970 as ISO 8601, or as a number where no calendar reaches."""
    try:
        moment = _EPOCH + timedelta(milliseconds=time_ms)
    except OverflowError:
        return f"{time_ms} ms"
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time_ms % 1000:03d}Z"


def obis_text(obis: bytes) -> str:
    """Write an OBIS code of 6 bytes in hex, as OCMF 1.4 does: ``01-00:01.08.00*FF``."""
    a, b, c, d, e, f = (f"{group:02X}" for group in obis)
    return f"{a}-{b}:{c}.{d}.{e}*{f}"


def register_line(register: Register) -> Line:
    """Describe a register."""
    unit = UNITS.get(register.unit, f"unit {register.unit}")
    return Line(
        label=REGISTER_NAMES.get(register.obis, "register"),
        value=f"{decimal_text(register.mantissa, register.scale)} {unit}".rstrip(),
        note=obis_text(register.obis),
    )


def event_lines(event: Event) -> tuple[Line, ...]:
    """Describe an event by the names of the schema."""
    lines = [Line(label="event", value=event.kind.name.lower().replace("_", "-"))]
    for key, (name, *_) in EVENTS[event.kind].items():
        value = event.fields.get(key)
        if value is None:
            lines.append(Line(label=name, value="absent"))
        elif name.endswith("time"):
            lines.append(Line(label=name, value=str(value), note=time_text(value)))
        elif name == "registers-from":
            word = RegistersFrom(value).name.lower().replace("_", " ")
            lines.append(Line(label=name, value=str(value), note=word))
        else:
            lines.append(Line(label=name, value=str(value)))
    return tuple(lines)


def describe_envelope(data: bytes) -> tuple[Line, ...]:
    """Describe the parts of the COSE_Sign1 message, in hex.

    Raises:
        CoseError: not the envelope of a record.
    """
    message = parse_sign1(data)
    return (
        Line(label="protected", value=message.protected.hex(), note="signed header"),
        Line(label="alg", value=str(message.alg), note="ES256"),
        Line(label="kid", value=message.kid.hex(), note="key identifier"),
        Line(label="typ", value=message.typ),
        Line(label="payload", value=message.payload.hex(), note=f"{len(message.payload)} bytes"),
        Line(label="signature r", value=message.signature[:32].hex()),
        Line(label="signature s", value=message.signature[32:].hex()),
    )


def describe_record(record: Record) -> tuple[Line, ...]:
    """Describe what a record says, in the order of the body."""
    time_ms = record.time_ms
    status = STATUS_WORDS[record.status]
    lines = [
        Line(label="kid", value=record.kid.hex()),
        Line(label="serial", value=record.serial),
        Line(label="ctx", value=str(int(record.ctx)), note=record.ctx.name.lower()),
        Line(label="seq", value=str(record.seq)),
        Line(
            label="time",
            value="never set" if time_ms is None else time_text(time_ms),
            note=f"clock {_TSYNC_WORDS[record.tsync]}",
        ),
        Line(label="mono", value=f"{record.mono_ms} ms", note="since boot"),
        *(register_line(register) for register in record.registers),
        Line(label="status", value=record.status, note=status),
    ]
    if record.err:
        lines.append(Line(label="err", value=record.err, note=_ERR_WORDS[record.err]))
    if record.tx is not None:
        lines.append(Line(label="tx", value=record.tx, note=TX_WORDS[record.tx]))
    first = "first record of the key" if record.prev == ZERO_DIGEST else ""
    own = "its own number" if record.ctx is Ctx.EVENT else "last event before"
    lines += [
        Line(label="evt", value=str(record.evt), note=own),
        Line(label="prev", value=record.prev.hex(), note=first),
        Line(label="cfg", value=record.cfg.hex(), note="firmware and configuration"),
    ]
    lines += _optional_lines(record)
    lines.append(
        Line(label="input", value=str(int(record.input)), note=_INPUT_WORDS[record.input])
    )
    if record.event is not None:
        lines += event_lines(record.event)
    lines += [
        Line(label="bootcount", value=str(record.bootcount)),
        Line(label="bootseed", value=record.bootseed.hex()),
        Line(label="sha-256", value=record.digest.hex(), note="the next record's prev"),
    ]
    return tuple(lines)


def _optional_lines(record: Record) -> list[Line]:
    lines = []
    if record.current_kind is not None:
        note = "DC" if record.current_kind else "AC"
        lines.append(Line(label="cur", value=str(record.current_kind), note=note))
    if record.loss is not None:
        lines.append(Line(label="loss", value=str(dict(record.loss))))
    if record.user is not None:
        assigned, level, flags, kind, name = record.user
        note = " ".join((level, kind, *flags))
        lines.append(Line(label="user", value=name if assigned else "none", note=note))
    if record.nonce is not None:
        lines.append(Line(label="nonce", value=record.nonce.hex(), note="answers a challenge"))
    if record.boot is not None:
        boot = record.boot
        if boot.ueid is not None:
            lines.append(Line(label="ueid", value=boot.ueid.hex()))
        if boot.uptime_s is not None:
            lines.append(Line(label="uptime", value=f"{boot.uptime_s} s"))
        if boot.debug_state is not None:
            note = "debugging open" if boot.debug_state == 0 else ""
            lines.append(Line(label="dbgstat", value=str(boot.debug_state), note=note))
        if boot.software_name is not None:
            versions = ", ".join(boot.software_versions or ())
            lines.append(Line(label="software", value=boot.software_name, note=versions))
    unknown = [*record.extra_claims]
    for key, value in record.extra_body:
        if key in _EXTENSIONS and isinstance(value, bytes):
            label, note = _EXTENSIONS[key]
            lines.append(Line(label=label, value=value.hex(), note=note))
        else:
            unknown.append((key, value))
    lines += [
        Line(label=f"key {key}", value=repr(value), note="not known") for key, value in unknown
    ]
    return lines


def hex_dump(data: bytes) -> tuple[str, ...]:
    """Write bytes as lines of offset, 16 bytes in hex and printable characters."""
    lines = []
    for start in range(0, len(data), _HEX_COLUMNS):
        part = data[start : start + _HEX_COLUMNS]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:04x}  {part.hex(' '):<{3 * _HEX_COLUMNS - 1}}  {text}")
    return tuple(lines)
