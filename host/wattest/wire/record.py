"""Records: what a node signs (docs/formats.md section 1).

A record is a COSE_Sign1 around CWT claims around the body below. Its identity is (kid, ctx, seq);
the signature bytes are never an identity, because (r, n - s) verifies too.

    {1: seq, 2: ctx, ?3: time, 4: tsync, 5: mono, 6: [[obis, mantissa, scale, unit], ...],
     7: status, ?8: err, ?9: tx, 10: evt, 11: prev, 12: cfg, ?13: cur, ?14: loss, ?15: user,
     16: input, ?17: event}

This module holds the values; `wattest.wire.record_schema` reads bytes into them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

OBIS_IMPORT: Final = bytes.fromhex("0100010800ff")
OBIS_EXPORT: Final = bytes.fromhex("0100020800ff")
OBIS_USE: Final = bytes.fromhex("0000600800ff")
OBIS_POWER: Final = bytes.fromhex("0100100700ff")

UNIT_SECOND: Final = 7
UNIT_WATT: Final = 27
UNIT_WATTHOUR: Final = 30

RECORD_BYTES_MAX: Final = 1024
SESSION_SIGNATURE: Final = 25
"""Body key of the node's signature over the OCMF text of the session that a record ends."""
ZERO_DIGEST: Final = bytes(32)


class Ctx(IntEnum):
    """Which of a node's three streams a record belongs to; each counts its own seq."""

    FISCAL = 0
    TRANSACTION = 1
    EVENT = 2


class Tsync(IntEnum):
    """How good the node's clock is (OCMF letters U, I, S, R)."""

    UNKNOWN = 0
    INFORMATIVE = 1
    SYNCHRONISED = 2
    RELATIVE = 3


class Input(IntEnum):
    """What the registers were measured from."""

    SENSOR = 0
    INJECTED = 1
    STIMULUS = 2


class EventKind(IntEnum):
    """Key 1 of an event."""

    BOOT = 1
    TIME_SET = 2
    CONFIG = 3
    ERROR = 4
    RELAY = 5
    REFUSED = 6
    IDENTIFY = 7
    INPUT = 8
    KEY = 9
    BREAK = 10


class RegistersFrom(IntEnum):
    """Where a boot took its registers from (boot event, key 4)."""

    NOTHING = 0
    RTC_MEMORY = 1
    JOURNAL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """One register: the exact value is ``mantissa * 10**scale`` of ``unit``.

    Args:
        obis: identification code, 6 bytes (IEC 62056-61).
        mantissa: 64 bits signed.
        scale: decimal exponent, -6 to 6.
        unit: DLMS unit code, such as 30 for watt-hours.
    """

    obis: bytes
    mantissa: int
    scale: int
    unit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A legal event.

    Args:
        kind: see `EventKind`.
        fields: the other keys of the event map, as numbered in docs/formats.md section 1.1.
    """

    kind: EventKind
    fields: Mapping[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class BootClaims:
    """Claims that only a boot event carries; each None when absent.

    Args:
        ueid: 7 to 33 bytes.
        uptime_s: seconds since boot.
        debug_state: EAT dbgstat, 0 enabled to 4 disabled for good.
        software_name: name of the firmware.
        software_versions: its versions.
    """

    ueid: bytes | None = None
    uptime_s: int | None = None
    debug_state: int | None = None
    software_name: str | None = None
    software_versions: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record that obeys the schema; its signature may or may not hold.

    Args:
        kid: key identifier, 8 bytes.
        serial: serial of the node, 1 to 32 printable ASCII characters.
        seq: number within ``ctx``, from 1.
        ctx: fiscal reading, transaction reading or event.
        time_ms: UTC ms since 1970 of the register latch; None if the clock was never set.
        tsync: how good that time is.
        mono_ms: ms since boot of the register latch.
        registers: 1 to 8; the first is the billing register.
        status: what the sensor path did, one letter.
        err: ``""``, ``"E"``, ``"t"`` or ``"Et"``: quantities not usable.
        tx: reason of a transaction reading, one letter, or None.
        evt: last seq of the event stream.
        prev: SHA-256 of the previous record of this key, all streams; zeros for the first.
        cfg: digest of firmware and configuration, 16 bytes.
        input: what was measured.
        event: present exactly in the event stream.
        bootcount: boots since the key was made.
        bootseed: 8 random bytes of this boot.
        nonce: the host's nonce, in an identify event.
        boot: claims of a boot event.
        current_kind: 0 AC, 1 DC, None if not said.
        loss: loss compensation: keys 1 mantissa, 2 scale, 3 cumulated; or None.
        user: identification of the user of a transaction, or None.
        extra_claims: claims this version does not know, kept as they came.
        extra_body: extensions of the body, keys from 24.
        encoded: the exact bytes.
        digest: SHA-256 of ``encoded``: what the next record's ``prev`` names.
        content_digest: SHA-256 of ``encoded`` without the signature: equal for two signatures of
            one content.
    """

    kid: bytes
    serial: str
    seq: int
    ctx: Ctx
    time_ms: int | None
    tsync: Tsync
    mono_ms: int
    registers: tuple[Register, ...]
    status: str
    err: str
    tx: str | None
    evt: int
    prev: bytes
    cfg: bytes
    input: Input
    event: Event | None
    bootcount: int
    bootseed: bytes
    nonce: bytes | None = None
    boot: BootClaims | None = None
    current_kind: int | None = None
    loss: Mapping[int, int] | None = None
    user: tuple[bool, str, tuple[str, ...], str, str] | None = None
    extra_claims: tuple[tuple[int, Any], ...] = ()
    extra_body: tuple[tuple[int, Any], ...] = ()
    encoded: bytes
    digest: bytes
    content_digest: bytes

    @property
    def identity(self) -> tuple[bytes, int, int]:
        """(kid, ctx, seq): the only name of a record."""
        return (self.kid, int(self.ctx), self.seq)

    @property
    def ueid(self) -> bytes | None:
        """Identity of the hardware, in a boot event."""
        return self.boot.ueid if self.boot else None

    def register(self, obis: bytes) -> Register | None:
        """Return the register with this code, or None."""
        for register in self.registers:
            if register.obis == obis:
                return register
        return None

    @property
    def import_milliwatthours(self) -> int | None:
        """Active energy import, milliwatt-hours; None if absent or finer than that."""
        return self._scaled(OBIS_IMPORT, UNIT_WATTHOUR, -3)

    @property
    def export_milliwatthours(self) -> int | None:
        """Active energy export, milliwatt-hours; None if absent or finer than that."""
        return self._scaled(OBIS_EXPORT, UNIT_WATTHOUR, -3)

    @property
    def use_s(self) -> int | None:
        """Time in use, seconds; None if absent or finer than that."""
        return self._scaled(OBIS_USE, UNIT_SECOND, 0)

    @property
    def power_milliwatts(self) -> int | None:
        """Active power, milliwatts, import positive; None if absent or finer than that."""
        return self._scaled(OBIS_POWER, UNIT_WATT, -3)

    def _scaled(self, obis: bytes, unit: int, scale: int) -> int | None:
        """Return a register in units of ``10**scale``, or None where that would not be exact."""
        for register in self.registers:
            if register.obis == obis:
                break
        else:
            return None
        if register.unit != unit:
            return None
        if register.scale == scale:
            return register.mantissa
        shift = register.scale - scale
        if shift > 0:
            return register.mantissa * int(10**shift)
        quotient, rest = divmod(register.mantissa, int(10**-shift))
        return None if rest else quotient
