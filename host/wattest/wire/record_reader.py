"""The way from bytes to a `Record`: one pass for the common record, the tables for every other.

Nearly every record is a reading with the four standard registers and nothing optional beside them.
Its layout is one regular expression, built below from the same rules as the tables: a match is
proof that every head is shortest, every key in order and every value in its range. Whatever does
not match goes to `wattest.wire.record_schema`, which accepts more and names what it refuses; that
the two never differ is a property in the tests.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

from wattest.wire.cose import KID_BYTES, SIGNATURE_BYTES, protected_header
from wattest.wire.record import (
    OBIS_EXPORT,
    OBIS_IMPORT,
    OBIS_POWER,
    OBIS_USE,
    UNIT_SECOND,
    UNIT_WATT,
    UNIT_WATTHOUR,
    Ctx,
    Input,
    Record,
    Register,
    Tsync,
)
from wattest.wire.record_schema import STATUS_LETTERS, TX_LETTERS, parse_record_strictly

_UINT = (
    rb"[\x00-\x17]|\x18[\x18-\xff]|\x19(?!\x00)..|\x1a(?!\x00\x00)....|"
    rb"\x1b(?!\x00\x00\x00\x00)[\x00-\x7f]......."
)
_NEGATIVE = (
    rb"[\x20-\x37]|\x38[\x18-\xff]|\x39(?!\x00)..|\x3a(?!\x00\x00)....|"
    rb"\x3b(?!\x00\x00\x00\x00)[\x00-\x7f]......."
)
_INT = _UINT + b"|" + _NEGATIVE
_PROTECTED = protected_header(bytes(KID_BYTES))
_BODY_FIELDS_MIN = 0xAA
"""Head of a body map with only the ten fields that a reading must have."""


def _register(obis: bytes, values: bytes, tail: bytes) -> bytes:
    return re.escape(b"\x84\x46" + obis) + b"(" + values + b")" + re.escape(tail)


_COMMON: Final = re.compile(
    b"".join(
        (
            rb"\xd2\x84\x58" + re.escape(bytes((len(_PROTECTED),)) + _PROTECTED[:5]),
            rb"(.{8})" + re.escape(_PROTECTED[5 + KID_BYTES :]),
            rb"\xa0(\x58[\x18-\xff]|\x59(?!\x00)..)",
            rb"\xa4\x02([\x61-\x77]|\x78[\x18-\x20])([\x20-\x7e]{1,32})",
            rb"\x19\x01\x0b(" + _UINT + rb")\x19\x01\x0c\x48(.{8})\x3a\x00\x01\x00\x00",
            rb"([\xaa-\xae])\x01(?!\x00)(" + _UINT + rb")\x02([\x00\x01])",
            rb"(?:\x03(" + _INT + rb"))?\x04([\x00-\x03])\x05(" + _UINT + rb")\x06\x84",
            _register(OBIS_IMPORT, _INT, b"\x22\x18\x1e"),
            _register(OBIS_EXPORT, _INT, b"\x22\x18\x1e"),
            _register(OBIS_USE, _INT, b"\x00\x07"),
            _register(OBIS_POWER, _INT, b"\x22\x18\x1b"),
            rb"\x07\x61([" + STATUS_LETTERS.encode() + rb"])(?:\x08(?:\x61([Et])|\x62(Et)))?",
            rb"(?:\x09\x61([" + TX_LETTERS.encode() + rb"]))?\x0a(" + _UINT + rb")",
            rb"\x0b\x58\x20(.{32})\x0c\x50(.{16})(?:\x0d([\x00\x01]))?\x10([\x00-\x02])",
            rb"\x58\x40.{64}",
        )
    ),
    re.DOTALL,
)
_CTX = tuple(Ctx)
_TSYNC = tuple(Tsync)
_INPUT = tuple(Input)


def parse_record(data: bytes) -> Record:
    """Read a record strictly; its signature is not checked.

    Args:
        data: the COSE_Sign1 message, at most 1,024 bytes, and nothing after it.

    Raises:
        CoseError: not the envelope of a record; names the rule and the byte offset.
        RecordError: the payload breaks a rule of deterministic CBOR or of the schema.
    """
    return _read_common(bytes(data)) or parse_record_strictly(data)


def _integer(raw: bytes) -> int:
    """Return the value of an encoded integer whose form the pattern has checked."""
    first = raw[0]
    if len(raw) == 1:
        return first if first < 24 else 31 - first
    value = int.from_bytes(raw[1:])
    return value if first < 32 else -1 - value


def _read_common(data: bytes) -> Record | None:
    match = _COMMON.fullmatch(data)
    if match is None:
        return None
    (
        kid, payload_head, serial_head, serial, bootcount, bootseed, body_head, seq, ctx, time,
        tsync, mono, imported, exported, use, power, status, err, err_both, tx, evt, prev, cfg,
        current_kind, source,
    ) = match.groups()  # fmt: skip
    payload_size = len(data) - match.end(2) - SIGNATURE_BYTES - 2
    optional = (time is not None) + (err is not None or err_both is not None)
    optional += (tx is not None) + (current_kind is not None)
    if (
        int.from_bytes(payload_head[1:]) != payload_size
        or (serial_head[-1] & 0x1F if len(serial_head) == 1 else serial_head[1]) != len(serial)
        or body_head[0] != _BODY_FIELDS_MIN + optional
        or (tx is not None) != (ctx == b"\x01")
    ):
        return None
    content = sha256(data[:-SIGNATURE_BYTES])
    content_digest = content.digest()
    content.update(data[-SIGNATURE_BYTES:])
    return Record(
        kid=kid,
        serial=serial.decode(),
        seq=_integer(seq),
        ctx=_CTX[ctx[0]],
        time_ms=None if time is None else _integer(time),
        tsync=_TSYNC[tsync[0]],
        mono_ms=_integer(mono),
        registers=(
            Register(obis=OBIS_IMPORT, mantissa=_integer(imported), scale=-3, unit=UNIT_WATTHOUR),
            Register(obis=OBIS_EXPORT, mantissa=_integer(exported), scale=-3, unit=UNIT_WATTHOUR),
            Register(obis=OBIS_USE, mantissa=_integer(use), scale=0, unit=UNIT_SECOND),
            Register(obis=OBIS_POWER, mantissa=_integer(power), scale=-3, unit=UNIT_WATT),
        ),
        status=status.decode(),
        err=(err or err_both or b"").decode(),
        tx=None if tx is None else tx.decode(),
        evt=_integer(evt),
        prev=prev,
        cfg=cfg,
        input=_INPUT[source[0]],
        event=None,
        bootcount=_integer(bootcount),
        bootseed=bootseed,
        current_kind=None if current_kind is None else current_kind[0],
        encoded=data,
        digest=content.digest(),
        content_digest=content_digest,
    )
