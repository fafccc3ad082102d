"""What a settlement needs to know of one verified, logged record.

Events take part as well: every record carries registers latched at its time, so a boot or a clock
event is as good a point of the register as a reading, and an event is how the node says that its
input changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from wattest.settlement.quantity import to_base
from wattest.wire.enrolment import Enrolment
from wattest.wire.record import EventKind, Record

CTX_FISCAL, CTX_TRANSACTION, CTX_EVENT = 0, 1, 2
KIND_REAL, KIND_EMULATED, KIND_BENCH = 0, 1, 2
RELAY_OPEN, RELAY_CLOSED = 0, 1
KIND_NAMES = ("real", "emulated", "bench")
INPUT_NAMES = ("sensor", "injected", "stimulus")


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementReading:
    """One record of the ledger, reduced to what is priced and to where its evidence lies.

    Args:
        kid: key, 8 bytes; with ``ctx`` and ``seq`` the identity of the record.
        ctx: 0 fiscal reading, 1 transaction reading, 2 event.
        seq: number within ``ctx``, from 1.
        bootcount: boots of the node; within one, ``mono_ms`` says how long an interval was.
        mono_ms: ms since that boot of the register latch.
        time_ms: ms since 1970 UTC of the register latch, or ``None`` if nobody knows.
        time_derived: the host derived the time from a later signed time-set event.
        registers: base counts (``quantity.to_base``) by OBIS code.
        status_ok: status G and nothing marked unusable.
        input: worst input since the record before: 0 sensor, 1 injected, 2 stimulus board.
        input_after: input from this record on.
        tx: reason of a transaction reading, else ``""``.
        relay: what a relay event says: 0 open, 1 closed; ``None`` in any other record.
        index: entry of the ledger.
        payload_digest: SHA-256 of the record without its signature, 32 bytes.
    """

    kid: bytes
    ctx: int
    seq: int
    bootcount: int
    mono_ms: int
    time_ms: int | None
    registers: Mapping[bytes, int]
    index: int
    payload_digest: bytes
    time_derived: bool = False
    status_ok: bool = True
    input: int = 0
    input_after: int = 0
    tx: str = ""
    relay: int | None = None

    @property
    def identity(self) -> tuple[bytes, int, int]:
        """(kid, ctx, seq): names the record everywhere."""
        return (self.kid, self.ctx, self.seq)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteringNode:
    """What an enrolment says about one key.

    Args:
        kid: key, 8 bytes.
        asset: what it meters.
        kind: 0 real, 1 emulated, 2 bench.
        demo: the key is a demo key.
        power_max_milliwatts: largest plausible power; 0 if unknown.
        index: entry of the ledger; two enrolments that differ only here are the same.
    """

    kid: bytes
    asset: str
    kind: int
    demo: bool
    power_max_milliwatts: int
    index: int = field(default=0, compare=False)


def node_of_enrolment(enrolment: Enrolment, *, index: int = 0) -> MeteringNode:
    """Reduce an enrolment, logged at ``index``, to what a settlement needs."""
    return MeteringNode(
        kid=enrolment.kid,
        asset=enrolment.asset,
        kind=int(enrolment.kind),
        demo=enrolment.demo,
        power_max_milliwatts=enrolment.power_max_milliwatts,
        index=index,
    )


def reading_of_record(
    record: Record, *, index: int, derived_time_ms: int | None = None
) -> SettlementReading:
    """Reduce a verified record to what a settlement needs.

    Args:
        record: parsed and verified; a record with a bad signature must never come here.
        index: its entry in the ledger.
        derived_time_ms: time from a later time-set event, for a record that carries none.
    """
    derived = record.time_ms is None and derived_time_ms is not None
    before = after = int(record.input)
    event = record.event
    if event is not None and event.kind == EventKind.INPUT:
        before, after = max(before, event.fields[2], event.fields[3]), event.fields[3]
    relay = None
    if event is not None and event.kind == EventKind.RELAY:
        relay = event.fields[2]
    return SettlementReading(
        kid=record.kid,
        ctx=int(record.ctx),
        seq=record.seq,
        bootcount=record.bootcount,
        mono_ms=record.mono_ms,
        time_ms=derived_time_ms if derived else record.time_ms,
        time_derived=derived,
        registers={
            register.obis: to_base(register.mantissa, register.scale, register.unit)
            for register in record.registers
        },
        status_ok=record.status == "G" and not record.err,
        input=before,
        input_after=after,
        tx=record.tx or "",
        relay=relay,
        index=index,
        payload_digest=record.content_digest,
    )
