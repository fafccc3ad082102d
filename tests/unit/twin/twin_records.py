"""Records and verdicts as the verifier would hand them to a twin; made, not signed."""

from hashlib import sha256

from wattest.verify.finding import Finding, FindingCode, Severity
from wattest.verify.stream import DerivedTime
from wattest.verify.verifier import Verdict
from wattest.wire.record import (
    OBIS_EXPORT,
    OBIS_IMPORT,
    OBIS_POWER,
    OBIS_USE,
    Ctx,
    Event,
    EventKind,
    Input,
    Record,
    Register,
    Tsync,
)

EPOCH_MS = 1_781_524_800_000
KID = b"\x11" * 8


def record(
    seq,
    *,
    ctx=Ctx.FISCAL,
    minute=None,
    imported=0,
    exported=0,
    use_s=0,
    power=0,
    event=None,
    tx=None,
    status="G",
):
    """A record of the given minute of the run; without a minute its clock was never set."""
    encoded = repr((ctx, seq, minute, imported, exported, use_s, power, tx)).encode()
    digest = sha256(encoded).digest()
    numbers = (
        (OBIS_IMPORT, imported, -3, 30),
        (OBIS_EXPORT, exported, -3, 30),
        (OBIS_USE, use_s, 0, 7),
        (OBIS_POWER, power, -3, 27),
    )
    return Record(
        kid=KID,
        serial="demo-1",
        seq=seq,
        ctx=ctx,
        time_ms=None if minute is None else EPOCH_MS + 60_000 * minute,
        tsync=Tsync.UNKNOWN if minute is None else Tsync.SYNCHRONISED,
        mono_ms=1000 * seq,
        registers=tuple(
            Register(obis=obis, mantissa=value, scale=scale, unit=unit)
            for obis, value, scale, unit in numbers
        ),
        status=status,
        err="",
        tx=tx,
        evt=1,
        prev=bytes(32),
        cfg=b"\x22" * 16,
        input=Input.SENSOR,
        event=event,
        bootcount=1,
        bootseed=bytes(8),
        encoded=encoded,
        digest=digest,
        content_digest=digest,
    )


def relay(seq, closed, **options):
    event = Event(kind=EventKind.RELAY, fields={2: closed})
    return record(seq, ctx=Ctx.EVENT, event=event, **options)


def interval_change(seq, new_ms, **options):
    event = Event(kind=EventKind.CONFIG, fields={2: 1, 3: 60_000, 4: new_ms})
    return record(seq, ctx=Ctx.EVENT, event=event, **options)


def found(code, severity=Severity.ERROR):
    return Finding(
        code=FindingCode(code), severity=severity, kid=KID, ctx=0, seq=1, message="expected, got"
    )


def verdict(item, *findings, **options):
    return Verdict(record=item, findings=findings, **options)


def settled(item, minute):
    return DerivedTime(
        kid=KID,
        ctx=int(item.ctx),
        seq=item.seq,
        time_ms=EPOCH_MS + 60_000 * minute,
        event_seq=9,
    )
