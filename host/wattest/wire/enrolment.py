"""Enrolments and kept findings: entry bodies of the ledger (docs/formats.md section 4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from wattest.errors import CborError, RecordError
from wattest.wire import cbor
from wattest.wire.cose import KID_BYTES
from wattest.wire.keys import kid_of, public_key_of

CFG_BYTES: Final = 16


class EnrolmentKind(IntEnum):
    """What stands behind a key; anything but `REAL` makes a statement a TEST."""

    REAL = 0
    EMULATED = 1
    BENCH = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """The host's promise that a key belongs to a node it has seen.

    Args:
        kid: key identifier, 8 bytes; belongs to ``spki``.
        spki: public key, SubjectPublicKeyInfo DER.
        serial: serial of the node.
        kind: real, emulated or bench.
        board: name of the board file.
        cfg: digest of firmware and configuration that its records must carry, 16 bytes.
        demo: the key comes from a seed and proves nothing outside of this run.
        power_max_milliwatts: largest plausible power, either direction.
        enrolled_ms: UTC ms since 1970.
        asset: what the node is attached to.
    """

    kid: bytes
    spki: bytes
    serial: str
    kind: EnrolmentKind
    board: str
    cfg: bytes
    demo: bool
    power_max_milliwatts: int
    enrolled_ms: int
    asset: str

    def to_cbor(self) -> bytes:
        """Encode the body of an enrolment entry."""
        return cbor.encode(
            {
                1: self.kid,
                2: self.spki,
                3: self.serial,
                4: int(self.kind),
                5: self.board,
                6: self.cfg,
                7: self.demo,
                8: self.power_max_milliwatts,
                9: self.enrolled_ms,
                10: self.asset,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFinding:
    """A conflict or refusal kept in the ledger as evidence.

    Args:
        code: stable name, such as ``fork``.
        kid: key it is about, 8 bytes; zeros when unknown.
        ctx: stream, 0 when unknown.
        seq: number in the stream, 0 when unknown.
        message: one line for people.
        record: the bytes, or None.
    """

    code: str
    kid: bytes
    ctx: int
    seq: int
    message: str
    record: bytes | None = None

    def to_cbor(self) -> bytes:
        """Encode the body of a finding entry."""
        fields: dict[int, Any] = {
            1: self.code,
            2: self.kid,
            3: self.ctx,
            4: self.seq,
            5: self.message,
        }
        if self.record is not None:
            fields[6] = self.record
        return cbor.encode(fields)


def _is(kind: type) -> Callable[[Any], bool]:
    return lambda value: type(value) is kind


def _sized(size: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is bytes and len(value) == size


def _uint(value: Any) -> bool:
    return type(value) is int and value >= 0


_ENROLMENT: Final = {
    1: _sized(KID_BYTES),
    2: _is(bytes),
    3: lambda value: type(value) is str and 1 <= len(value) <= 32,
    4: lambda value: type(value) is int and 0 <= value <= 2,
    5: _is(str),
    6: _sized(CFG_BYTES),
    7: _is(bool),
    8: _uint,
    9: _is(int),
    10: _is(str),
}
_FINDING: Final = {
    1: _is(str),
    2: _sized(KID_BYTES),
    3: _uint,
    4: _uint,
    5: _is(str),
    6: _is(bytes),
}


def _decode(body: bytes, what: str, checks: dict[int, Any], optional: set[int]) -> dict[int, Any]:
    try:
        fields = cbor.decode(body, max_depth=1, int_keys=True, int64=True)
    except CborError as exc:
        raise RecordError(exc.rule, exc.offset, what) from None
    if type(fields) is not dict:
        raise RecordError(what, 0, "expected a map")
    for key, value in fields.items():
        if key not in checks or not checks[key](value):
            raise RecordError(what, cbor.offset_of(body, (key,)), f"key {key}")
    missing = checks.keys() - fields.keys() - optional
    if missing:
        raise RecordError(what, 0, f"key {min(missing)} is missing")
    return fields


def parse_enrolment(body: bytes) -> Enrolment:
    """Read the body of an enrolment entry.

    Raises:
        RecordError: rule ``enrolment``, ``enrolment-key`` or one of deterministic CBOR.
    """
    fields = _decode(body, "enrolment", _ENROLMENT, set())
    try:
        public_key_of(fields[2])
    except ValueError as exc:
        raise RecordError("enrolment-key", cbor.offset_of(body, (2,)), str(exc)) from None
    if kid_of(fields[2]) != fields[1]:
        raise RecordError("enrolment-key", cbor.offset_of(body, (1,)), "kid of another key")
    return Enrolment(
        kid=fields[1],
        spki=fields[2],
        serial=fields[3],
        kind=EnrolmentKind(fields[4]),
        board=fields[5],
        cfg=fields[6],
        demo=fields[7],
        power_max_milliwatts=fields[8],
        enrolled_ms=fields[9],
        asset=fields[10],
    )


def parse_finding(body: bytes) -> KeptFinding:
    """Read the body of a finding entry.

    Raises:
        RecordError: rule ``finding`` or one of deterministic CBOR.
    """
    fields = _decode(body, "finding", _FINDING, {6})
    return KeptFinding(
        code=fields[1],
        kid=fields[2],
        ctx=fields[3],
        seq=fields[4],
        message=fields[5],
        record=fields.get(6),
    )
