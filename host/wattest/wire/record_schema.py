"""Read a record strictly: every rule of docs/formats.md section 1, named when it breaks.

The payload is decoded once; the rules then stand in tables. Only when one breaks is the payload
walked again, to say at which byte.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

from wattest.errors import CborError, RecordError
from wattest.wire import cbor
from wattest.wire.cose import RECORD_TYPE, SIGNATURE_BYTES, Sign1, parse_sign1
from wattest.wire.record import (
    RECORD_BYTES_MAX,
    BootClaims,
    Ctx,
    Event,
    EventKind,
    Input,
    Record,
    Register,
    Tsync,
)

BODY_KEY: Final = -65537
DEPTH_MAX: Final = 5
STATUS_LETTERS: Final = "GTDRMXIOSEFN"
TX_LETTERS: Final = "BCXELRAPST"
ERR_VALUES: Final = ("E", "t", "Et")
REGISTERS_MAX: Final = 8
_EXTENSION_KEY_MIN = 24

Check = Callable[[Any], bool]
Path = tuple[int, ...]


class _Broken(Exception):
    """A rule of the schema broke at ``path`` inside the payload."""

    def __init__(self, rule: str, path: Path, detail: str) -> None:
        super().__init__(rule)
        self.rule = rule
        self.path = path
        self.detail = detail


def _uint(value: Any) -> bool:
    return type(value) is int and value >= 0


def _int(value: Any) -> bool:
    return type(value) is int


def _within(low: int, high: int) -> Check:
    return lambda value: type(value) is int and low <= value <= high


def _octets(low: int, high: int) -> Check:
    return lambda value: type(value) is bytes and low <= len(value) <= high


def _one_of(*values: str) -> Check:
    return lambda value: type(value) is str and value in values


def _text(value: Any) -> bool:
    return type(value) is str


def _texts(value: Any) -> bool:
    return type(value) is list and all(type(item) is str for item in value)


def _serial(value: Any) -> bool:
    return type(value) is str and 1 <= len(value) <= 32 and all(" " <= c <= "~" for c in value)


def _map(value: Any) -> bool:
    return type(value) is dict


def _loss(value: Any) -> bool:
    return type(value) is dict and set(value) == {1, 2, 3} and all(map(_int, value.values()))


def _user(value: Any) -> bool:
    return (
        type(value) is list
        and len(value) == 5
        and type(value[0]) is bool
        and _texts(value[2])
        and all(type(value[index]) is str for index in (1, 3, 4))
    )


# One key of a map: its name, whether it must be there, its check, and what the check expects.
Field = tuple[str, bool, Check, str]

CLAIMS: Final[dict[int, Field]] = {
    2: ("serial", True, _serial, "1 to 32 printable ASCII characters"),
    10: ("nonce", False, _octets(8, 64), "8 to 64 bytes"),
    256: ("ueid", False, _octets(7, 33), "7 to 33 bytes"),
    261: ("uptime", False, _uint, "an unsigned integer"),
    263: ("dbgstat", False, _within(0, 4), "0 to 4"),
    267: ("bootcount", True, _uint, "an unsigned integer"),
    268: ("bootseed", True, _octets(8, 8), "8 bytes"),
    270: ("swname", False, _text, "text"),
    271: ("swversion", False, _texts, "an array of text"),
    BODY_KEY: ("body", True, _map, "a map"),
}
BOOT_CLAIMS: Final = (256, 261, 263, 270, 271)

BODY: Final[dict[int, Field]] = {
    1: ("seq", True, _within(1, (1 << 63) - 1), "an integer from 1"),
    2: ("ctx", True, _within(0, 2), "0 to 2"),
    3: ("time", False, _int, "an integer"),
    4: ("tsync", True, _within(0, 3), "0 to 3"),
    5: ("mono", True, _uint, "an unsigned integer"),
    6: ("registers", True, lambda value: type(value) is list, "an array"),
    7: ("status", True, _one_of(*STATUS_LETTERS), f"one letter of {STATUS_LETTERS}"),
    8: ("err", False, _one_of(*ERR_VALUES), "E, t or Et"),
    9: ("tx", False, _one_of(*TX_LETTERS), f"one letter of {TX_LETTERS}"),
    10: ("evt", True, _uint, "an unsigned integer"),
    11: ("prev", True, _octets(32, 32), "32 bytes"),
    12: ("cfg", True, _octets(16, 16), "16 bytes"),
    13: ("cur", False, _within(0, 1), "0 or 1"),
    14: ("loss", False, _loss, "{1: int, 2: int, 3: int}"),
    15: ("user", False, _user, "[bool, text, [text], text, text]"),
    16: ("input", True, _within(0, 2), "0 to 2"),
    17: ("event", False, _map, "a map"),
}

EVENTS: Final[dict[int, dict[int, Field]]] = {
    EventKind.BOOT: {
        2: ("cause", True, _uint, "an unsigned integer"),
        3: ("unmetered-ms", True, _uint, "an unsigned integer"),
        4: ("registers-from", True, _within(0, 2), "0 to 2"),
        5: ("torn-bytes", True, _uint, "an unsigned integer"),
    },
    EventKind.TIME_SET: {
        2: ("old-time", False, _int, "an integer"),
        3: ("new-time", True, _int, "an integer"),
        4: ("new-tsync", True, _within(0, 3), "0 to 3"),
    },
    EventKind.CONFIG: {
        2: ("parameter", True, _within(1, 1), "1"),
        3: ("old", True, _int, "an integer"),
        4: ("new", True, _int, "an integer"),
    },
    EventKind.ERROR: {
        2: ("code", True, _uint, "an unsigned integer"),
        3: ("active", True, _within(0, 1), "0 or 1"),
        4: ("detail", False, _int, "an integer"),
    },
    EventKind.RELAY: {2: ("closed", True, _within(0, 1), "0 or 1")},
    EventKind.REFUSED: {
        2: ("reason", True, _uint, "an unsigned integer"),
        3: ("total", True, _uint, "an unsigned integer"),
    },
    EventKind.IDENTIFY: {},
    EventKind.INPUT: {
        2: ("old", True, _within(0, 2), "0 to 2"),
        3: ("new", True, _within(0, 2), "0 to 2"),
    },
    EventKind.KEY: {2: ("reason", True, _within(0, 2), "0 to 2")},
    EventKind.BREAK: {
        2: ("reason", True, _uint, "an unsigned integer"),
        3: ("lost", True, _uint, "an unsigned integer"),
    },
}


def parse_record_strictly(data: bytes) -> Record:
    """Read a record by the tables; see `wattest.wire.parse_record` for the contract."""
    if len(data) > RECORD_BYTES_MAX:
        raise RecordError(
            "size", RECORD_BYTES_MAX, f"{len(data)} bytes, at most {RECORD_BYTES_MAX}"
        )
    message = parse_sign1(data, typ=RECORD_TYPE)
    try:
        claims = cbor.decode(message.payload, max_depth=DEPTH_MAX, int_keys=True, int64=True)
    except CborError as exc:
        offset = message.payload_offset + exc.offset
        raise RecordError(exc.rule, offset, "payload") from None
    try:
        return _read(message, claims)
    except _Broken as broken:
        offset = message.payload_offset + cbor.offset_of(message.payload, broken.path)
        raise RecordError(broken.rule, offset, broken.detail) from None


def _read(message: Sign1, claims: Any) -> Record:
    if type(claims) is not dict:
        raise _Broken("claims", (), "expected a map")
    _check_fields(claims, CLAIMS, ())
    body = claims[BODY_KEY]
    _check_fields(body, BODY, (BODY_KEY,))
    for key in body:
        if key not in BODY and key < _EXTENSION_KEY_MIN:
            raise _Broken("body-key", (BODY_KEY, key), f"unknown key {key}")
    _check_together(claims, body)
    loss = body.get(14)
    content = sha256(message.encoded[:-SIGNATURE_BYTES])
    content_digest = content.digest()
    content.update(message.signature)
    return Record(
        kid=message.kid,
        serial=claims[2],
        seq=body[1],
        ctx=Ctx(body[2]),
        time_ms=body.get(3),
        tsync=Tsync(body[4]),
        mono_ms=body[5],
        registers=_registers(body[6]),
        status=body[7],
        err=body.get(8, ""),
        tx=body.get(9),
        evt=body[10],
        prev=body[11],
        cfg=body[12],
        input=Input(body[16]),
        event=_event(body[17]) if 17 in body else None,
        bootcount=claims[267],
        bootseed=claims[268],
        nonce=claims.get(10),
        boot=_boot_claims(claims),
        current_kind=body.get(13),
        loss=loss,
        user=_user_value(body.get(15)),
        extra_claims=tuple((key, value) for key, value in claims.items() if key not in CLAIMS),
        extra_body=tuple((key, value) for key, value in body.items() if key not in BODY),
        encoded=message.encoded,
        digest=content.digest(),
        content_digest=content_digest,
    )


def _check_fields(fields: dict[int, Any], table: dict[int, Field], path: Path) -> None:
    for key, (name, required, check, expected) in table.items():
        if key in fields:
            if not check(fields[key]):
                raise _Broken(name, (*path, key), f"expected {expected}")
        elif required:
            raise _Broken(name, path, f"key {key} is missing")


def _check_together(claims: dict[int, Any], body: dict[int, Any]) -> None:
    """Check what one field demands of another."""
    ctx = body[2]
    if (ctx == Ctx.TRANSACTION) != (9 in body):
        raise _Broken("tx", _present(body, 9), "expected exactly in ctx 1")
    if 15 in body and 9 not in body:
        raise _Broken("user", (BODY_KEY, 15), "expected only with tx")
    if (ctx == Ctx.EVENT) != (17 in body):
        raise _Broken("event", _present(body, 17), "expected exactly in ctx 2")
    if ctx == Ctx.EVENT and body[10] != body[1]:
        raise _Broken("evt", (BODY_KEY, 10), f"expected its own seq {body[1]}, got {body[10]}")
    kind = body[17].get(1) if ctx == Ctx.EVENT else None
    if (kind == EventKind.IDENTIFY) != (10 in claims):
        path = (10,) if 10 in claims else (BODY_KEY, 17)
        raise _Broken("nonce", path, "expected exactly in an identify event")
    if kind != EventKind.BOOT:
        for key in BOOT_CLAIMS:
            if key in claims:
                raise _Broken(CLAIMS[key][0], (key,), "expected only in a boot event")


def _present(body: dict[int, Any], key: int) -> Path:
    return (BODY_KEY, key) if key in body else (BODY_KEY,)


def _registers(items: list[Any]) -> tuple[Register, ...]:
    if not 1 <= len(items) <= REGISTERS_MAX:
        raise _Broken(
            "registers", (BODY_KEY, 6), f"expected 1 to {REGISTERS_MAX}, got {len(items)}"
        )
    registers = []
    for index, item in enumerate(items):
        path = (BODY_KEY, 6, index)
        if type(item) is not list or len(item) != 4:
            raise _Broken("register", path, "expected an array of 4")
        obis, mantissa, scale, unit = item
        if type(obis) is not bytes or len(obis) != 6:
            raise _Broken("obis", (*path, 0), "expected 6 bytes")
        if type(mantissa) is not int:
            raise _Broken("mantissa", (*path, 1), "expected an integer")
        if type(scale) is not int or not -6 <= scale <= 6:
            raise _Broken("scale", (*path, 2), "expected -6 to 6")
        if not _uint(unit):
            raise _Broken("unit", (*path, 3), "expected an unsigned integer")
        registers.append(Register(obis=obis, mantissa=mantissa, scale=scale, unit=unit))
    return tuple(registers)


def _event(fields: dict[int, Any]) -> Event:
    path = (BODY_KEY, 17)
    kind = fields.get(1)
    if type(kind) is not int or kind not in EVENTS:
        raise _Broken("event-kind", (*path, 1), f"expected 1 to 10, got {kind!r}")
    table = EVENTS[kind]
    _check_fields(fields, table, path)
    for key in fields:
        if key != 1 and key not in table:
            raise _Broken("event-key", (*path, key), f"unknown key {key}")
    rest = {key: value for key, value in fields.items() if key != 1}
    return Event(kind=EventKind(kind), fields=rest)


def _boot_claims(claims: dict[int, Any]) -> BootClaims | None:
    if not any(key in claims for key in BOOT_CLAIMS):
        return None
    versions = claims.get(271)
    return BootClaims(
        ueid=claims.get(256),
        uptime_s=claims.get(261),
        debug_state=claims.get(263),
        software_name=claims.get(270),
        software_versions=None if versions is None else tuple(versions),
    )


def _user_value(user: list[Any] | None) -> tuple[bool, str, tuple[str, ...], str, str] | None:
    if user is None:
        return None
    return (user[0], user[1], tuple(user[2]), user[3], user[4])
