"""A record as the claims map it was sealed from: the way back from values to CBOR."""

from __future__ import annotations

from typing import Any, Final

from wattest.wire.record import BootClaims, Record, Register

BODY_KEY: Final = -65537


def claims_of(record: Record) -> dict[int, Any]:
    """Return the claims of a record; `wattest.wire.cbor.encode` of them is its payload."""
    boot = record.boot or BootClaims()
    versions = boot.software_versions
    claims: dict[int, Any] = {
        2: record.serial,
        10: record.nonce,
        256: boot.ueid,
        261: boot.uptime_s,
        263: boot.debug_state,
        267: record.bootcount,
        268: record.bootseed,
        270: boot.software_name,
        271: None if versions is None else list(versions),
        BODY_KEY: body_of(record),
        **dict(record.extra_claims),
    }
    return {key: value for key, value in claims.items() if value is not None}


def body_of(record: Record) -> dict[int, Any]:
    """Return the body map of a record."""
    event = record.event
    user = record.user
    body: dict[int, Any] = {
        1: record.seq,
        2: int(record.ctx),
        3: record.time_ms,
        4: int(record.tsync),
        5: record.mono_ms,
        6: [_register(register) for register in record.registers],
        7: record.status,
        8: record.err or None,
        9: record.tx,
        10: record.evt,
        11: record.prev,
        12: record.cfg,
        13: record.current_kind,
        14: None if record.loss is None else dict(record.loss),
        15: None if user is None else [user[0], user[1], list(user[2]), user[3], user[4]],
        16: int(record.input),
        17: None if event is None else {1: int(event.kind), **event.fields},
        **dict(record.extra_body),
    }
    return {key: value for key, value in body.items() if value is not None}


def _register(register: Register) -> list[Any]:
    return [register.obis, register.mantissa, register.scale, register.unit]
