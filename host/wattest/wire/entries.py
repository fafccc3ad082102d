"""Entry bodies that no party signs: machine disputes, estimates, anchors, rotations of a log key.

Source: docs/formats.md section 4.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wattest.wire import cbor
from wattest.wire.cose import KID_BYTES
from wattest.wire.fields import is_a, read_fields, sized, span, text, uint

EQUIVOCATION: Final = "equivocation"
_NAME_MAX: Final = 64
_EVIDENCE_MAX: Final = 65_536
_DIGEST = sized(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineDispute:
    """A dispute that the evidence itself opens: a node signed two contents for one number.

    Args:
        kid: the key, 8 bytes.
        ctx: of the records.
        seq: of the records.
        first_index: entry of the content that was logged first.
        finding_index: entry of the finding that keeps the other one.
    """

    kid: bytes
    ctx: int
    seq: int
    first_index: int
    finding_index: int

    def to_cbor(self) -> bytes:
        """Encode the body of a dispute entry."""
        return cbor.encode(
            {
                1: EQUIVOCATION,
                2: self.kid,
                3: self.ctx,
                4: self.seq,
                5: self.first_index,
                6: self.finding_index,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedEstimate:
    """What a model says an asset delivered in time that no reading covers.

    It enters money only where the terms say so, and is flagged there.

    Args:
        asset: its name.
        quantity: as contracts name it, such as ``export_energy``.
        window: ``(begin, end)``, UTC ms.
        count: base counts.
        model: SHA-256 of the model, 32 bytes.
        inputs: SHA-256 of what it was given, 32 bytes.
        made_ms: UTC ms since 1970.
    """

    asset: str
    quantity: str
    window: tuple[int, int]
    count: int
    model: bytes
    inputs: bytes
    made_ms: int

    def to_cbor(self) -> bytes:
        """Encode the body of an estimate entry."""
        return cbor.encode(
            {
                1: self.asset,
                2: self.quantity,
                3: list(self.window),
                4: self.count,
                5: self.model,
                6: self.inputs,
                7: self.made_ms,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A checkpoint of this ledger was put where its operator cannot take it back.

    Args:
        size: of the checkpoint.
        root: of the checkpoint, 32 bytes.
        method: how, such as ``witness`` or ``rfc3161``.
        place: where, such as an address or a transaction.
        evidence: what the place answered, at most 65,536 bytes.
        time_ms: UTC ms since 1970.
    """

    size: int
    root: bytes
    method: str
    place: str
    evidence: bytes
    time_ms: int

    def to_cbor(self) -> bytes:
        """Encode the body of an anchor entry."""
        return cbor.encode(
            {
                1: self.size,
                2: self.root,
                3: self.method,
                4: self.place,
                5: self.evidence,
                6: self.time_ms,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRotation:
    """From the next checkpoint on, the ledger is signed by another key.

    Args:
        old: verifier key that signed so far, one line.
        new: verifier key from now on, one line, of the same origin.
        signature: Ed25519 of the old key over :meth:`to_be_signed`, 64 bytes.
    """

    old: str
    new: str
    signature: bytes

    def to_be_signed(self) -> bytes:
        """Return the bytes that the old key signs."""
        return rotation_text(self.old, self.new)

    def to_cbor(self) -> bytes:
        """Encode the body of a rotation entry."""
        return cbor.encode({1: self.old, 2: self.new, 3: self.signature})


def rotation_text(old: str, new: str) -> bytes:
    """Return what the old key of a ledger signs to name its successor."""
    return f"wattest-rotation/1\n{old}\n{new}\n".encode()


def parse_machine_dispute(body: bytes) -> MachineDispute:
    """Read the body of a dispute entry that no party signed.

    Raises:
        RecordError: rule ``dispute`` or one of deterministic CBOR.
    """
    checks = {
        1: lambda value: value == EQUIVOCATION,
        2: sized(KID_BYTES),
        3: uint,
        4: uint,
        5: uint,
        6: uint,
    }
    fields = read_fields(body, "dispute", checks)
    return MachineDispute(
        kid=fields[2],
        ctx=fields[3],
        seq=fields[4],
        first_index=fields[5],
        finding_index=fields[6],
    )


def parse_estimate(body: bytes) -> LoggedEstimate:
    """Read the body of an estimate entry.

    Raises:
        RecordError: rule ``estimate`` or one of deterministic CBOR.
    """
    name = text(_NAME_MAX)
    checks = {1: name, 2: name, 3: span, 4: uint, 5: _DIGEST, 6: _DIGEST, 7: is_a(int)}
    fields = read_fields(body, "estimate", checks)
    return LoggedEstimate(
        asset=fields[1],
        quantity=fields[2],
        window=(fields[3][0], fields[3][1]),
        count=fields[4],
        model=fields[5],
        inputs=fields[6],
        made_ms=fields[7],
    )


def parse_anchor(body: bytes) -> Anchor:
    """Read the body of an anchor entry.

    Raises:
        RecordError: rule ``anchor`` or one of deterministic CBOR.
    """
    checks = {
        1: uint,
        2: _DIGEST,
        3: text(_NAME_MAX),
        4: text(1_024),
        5: lambda value: type(value) is bytes and len(value) <= _EVIDENCE_MAX,
        6: is_a(int),
    }
    fields = read_fields(body, "anchor", checks, max_bytes=_EVIDENCE_MAX + 2_048)
    return Anchor(
        size=fields[1],
        root=fields[2],
        method=fields[3],
        place=fields[4],
        evidence=fields[5],
        time_ms=fields[6],
    )


def parse_log_rotation(body: bytes) -> LogRotation:
    """Read the body of a rotation entry that no party signed.

    Raises:
        RecordError: rule ``rotation`` or one of deterministic CBOR.
    """
    line = text(512)
    fields = read_fields(body, "rotation", {1: line, 2: line, 3: sized(64)})
    return LogRotation(old=fields[1], new=fields[2], signature=fields[3])
