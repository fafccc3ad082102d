"""Enrolments and kept findings: entry bodies of the ledger (docs/formats.md section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from wattest.errors import RecordError
from wattest.wire import cbor
from wattest.wire.cose import KID_BYTES
from wattest.wire.fields import is_a, read_fields, sized, text, uint
from wattest.wire.keys import kid_of, public_key_of

CFG_BYTES: Final = 16
REFERENCE_MAX: Final = 64
_DIGEST_BYTES: Final = 32


class EnrolmentKind(IntEnum):
    """What stands behind a key; anything but `REAL` makes a statement a TEST."""

    REAL = 0
    EMULATED = 1
    BENCH = 2


class EnrolmentAction(IntEnum):
    """What an enrolment does to its key.

    `ENROL`: its records are accepted from now on, or under a new promise. `REKEY`: the same, and
    no new record of the key it replaces is. `RETIRE`: no new record of it is; final.
    """

    ENROL = 0
    REKEY = 1
    RETIRE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What is known of the calibration of a node, stated by whoever enrolled it.

    Args:
        reference: name of the certificate, or words, 1 to 64 characters.
        digest: SHA-256 of the certificate's file, or None.
        due_ms: last day on which it holds, as the beginning of that day, UTC ms since 1970; or
            None.
    """

    reference: str
    digest: bytes | None = None
    due_ms: int | None = None

    def fields(self) -> dict[int, Any]:
        """Return the map that stands in an enrolment."""
        fields: dict[int, Any] = {1: self.reference}
        if self.digest is not None:
            fields[2] = self.digest
        if self.due_ms is not None:
            fields[3] = self.due_ms
        return fields


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
        ueid: of the chip, as its boot record states it, 7 to 33 bytes; empty if nobody looked.
        calibration: of the node, or None.
        action: what this entry does to the key.
        replaces: key that this one takes the place of, 8 bytes, with `REKEY`; else empty.
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
    ueid: bytes = b""
    calibration: Calibration | None = None
    action: EnrolmentAction = EnrolmentAction.ENROL
    replaces: bytes = b""

    def same_promise(self, other: Enrolment) -> bool:
        """Tell whether another enrolment asks for the same of the records of the same key."""
        return (
            self.spki == other.spki
            and (self.serial, self.asset, self.board) == (other.serial, other.asset, other.board)
            and (self.kind, self.demo) == (other.kind, other.demo)
            and (self.cfg, self.power_max_milliwatts) == (other.cfg, other.power_max_milliwatts)
        )

    def to_cbor(self) -> bytes:
        """Encode the body of an enrolment entry."""
        fields: dict[int, Any] = {
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
        if self.ueid:
            fields[11] = self.ueid
        if self.calibration is not None:
            fields[12] = self.calibration.fields()
        if self.action is not EnrolmentAction.ENROL:
            fields[13] = int(self.action)
        if self.replaces:
            fields[14] = self.replaces
        return cbor.encode(fields)


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


_CALIBRATION: Final = {
    1: text(REFERENCE_MAX),
    2: sized(_DIGEST_BYTES),
    3: is_a(int),
}


def _is_calibration(value: Any) -> bool:
    return (
        type(value) is dict
        and 1 in value
        and all(key in _CALIBRATION and _CALIBRATION[key](item) for key, item in value.items())
    )


_ENROLMENT: Final = {
    1: sized(KID_BYTES),
    2: is_a(bytes),
    3: text(32),
    4: lambda value: type(value) is int and 0 <= value <= 2,
    5: is_a(str),
    6: sized(CFG_BYTES),
    7: is_a(bool),
    8: uint,
    9: is_a(int),
    10: is_a(str),
    11: lambda value: type(value) is bytes and 7 <= len(value) <= 33,
    12: _is_calibration,
    13: lambda value: type(value) is int and 1 <= value <= 2,
    14: sized(KID_BYTES),
}
_ENROLMENT_OPTIONAL: Final = {11, 12, 13, 14}
_FINDING: Final = {
    1: is_a(str),
    2: sized(KID_BYTES),
    3: uint,
    4: uint,
    5: is_a(str),
    6: is_a(bytes),
}


def parse_enrolment(body: bytes) -> Enrolment:
    """Read the body of an enrolment entry.

    Raises:
        RecordError: rule ``enrolment``, ``enrolment-key`` or one of deterministic CBOR.
    """
    fields = read_fields(body, "enrolment", _ENROLMENT, _ENROLMENT_OPTIONAL)
    try:
        public_key_of(fields[2])
    except ValueError as exc:
        raise RecordError("enrolment-key", cbor.offset_of(body, (2,)), str(exc)) from None
    if kid_of(fields[2]) != fields[1]:
        raise RecordError("enrolment-key", cbor.offset_of(body, (1,)), "kid of another key")
    action = EnrolmentAction(fields.get(13, 0))
    replaces = fields.get(14, b"")
    if (action is EnrolmentAction.REKEY) != bool(replaces) or replaces == fields[1]:
        raise RecordError("enrolment", 0, "key 14 names another key, and only with action 1")
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
        ueid=fields.get(11, b""),
        calibration=_calibration(fields.get(12)),
        action=action,
        replaces=replaces,
    )


def _calibration(fields: dict[int, Any] | None) -> Calibration | None:
    if fields is None:
        return None
    return Calibration(reference=fields[1], digest=fields.get(2), due_ms=fields.get(3))


def parse_finding(body: bytes) -> KeptFinding:
    """Read the body of a finding entry.

    Raises:
        RecordError: rule ``finding`` or one of deterministic CBOR.
    """
    fields = read_fields(body, "finding", _FINDING, {6})
    return KeptFinding(
        code=fields[1],
        kid=fields[2],
        ctx=fields[3],
        seq=fields[4],
        message=fields[5],
        record=fields.get(6),
    )
