"""Steps 4 to 12: each compares one record with its enrolment and with what came before.

A step appends findings and changes nothing. The common case, where nothing is found, costs one
comparison a step.
"""

from __future__ import annotations

from typing import Final

from wattest.verify.finding import Finding, FindingCode, Severity
from wattest.verify.stream import Stream
from wattest.wire.record import (
    OBIS_EXPORT,
    OBIS_IMPORT,
    OBIS_POWER,
    OBIS_USE,
    UNIT_SECOND,
    UNIT_WATT,
    UNIT_WATTHOUR,
    ZERO_DIGEST,
    Ctx,
    EventKind,
    Input,
    Record,
)

PLAUSIBILITY_SLACK_MS: Final = 2000
"""A register latch may be one sample (1 s) early or late at either end of an interval."""
CLOCK_STEP_MS: Final = 2000
"""Time and uptime of one boot may differ by this, and by one part in a hundred."""
_CUMULATIVE = frozenset((OBIS_IMPORT, OBIS_EXPORT, OBIS_USE))
_ENERGY = frozenset((OBIS_IMPORT, OBIS_EXPORT))
_MICRO = 6
_S_PER_H = 3600

Findings = list[Finding]


def finding(
    record: Record,
    code: FindingCode,
    severity: Severity,
    message: str,
    *evidence: tuple[str, object],
) -> Finding:
    """Make a finding about a record; its digest is always part of the evidence."""
    pairs = (*evidence, ("record sha-256", record.digest))
    return Finding(
        code=code,
        severity=severity,
        kid=record.kid,
        ctx=int(record.ctx),
        seq=record.seq,
        message=message,
        evidence=tuple((n, v.hex() if isinstance(v, bytes) else str(v)) for n, v in pairs),
    )


def check_enrolment(stream: Stream, record: Record, found: Findings) -> None:
    """Step 4: the record says the serial and the firmware that were enrolled."""
    enrolment = stream.enrolment
    if record.serial != enrolment.serial:
        message = f"serial expected {enrolment.serial}, got {record.serial}"
        found.append(finding(record, FindingCode.WRONG_SERIAL, Severity.ERROR, message))
    if record.cfg != enrolment.cfg:
        message = f"cfg expected {enrolment.cfg.hex()}, got {record.cfg.hex()}"
        found.append(finding(record, FindingCode.WRONG_CFG, Severity.ERROR, message))


def name_numbers(first: int, last: int) -> str:
    """Name the numbers from ``first`` to ``last`` in words."""
    if first == last:
        return f"number {first} is missing"
    return f"numbers {first} to {last} are missing ({last - first + 1})"


def check_numbering(stream: Stream, record: Record, found: Findings) -> None:
    """Step 6: seq goes up by one, and no event is skipped either."""
    ctx = record.ctx
    expected = stream.next_seq[ctx]
    seq = record.seq
    if seq > expected:
        _gap(stream, record, ctx, (expected, seq - 1), found)
    elif seq < expected:
        message = f"number {seq} comes after {expected - 1}"
        found.append(finding(record, FindingCode.LATE, Severity.NOTICE, message))
    if ctx is not Ctx.EVENT and record.evt >= stream.next_seq[Ctx.EVENT]:
        first = max(stream.next_seq[Ctx.EVENT], stream.events_missed_until + 1)
        if first <= record.evt:
            _gap(stream, record, Ctx.EVENT, (first, record.evt), found)


def _gap(
    stream: Stream, record: Record, ctx: Ctx, missing: tuple[int, int], found: Findings
) -> None:
    event = record.event
    breaks = event is not None and event.kind is EventKind.BREAK
    explained = breaks or int(ctx) in stream.explained
    message = f"ctx {int(ctx)}: {name_numbers(*missing)}"
    if explained:
        message += ", explained by a signed break event"
    severity = Severity.WARNING if explained else Severity.ERROR
    evidence = (
        ("missing ctx", int(ctx)),
        ("first missing", missing[0]),
        ("last missing", missing[1]),
    )
    found.append(finding(record, FindingCode.GAP, severity, message, *evidence))


def check_chain(stream: Stream, record: Record, found: Findings) -> None:
    """Step 7: prev names the record before, over all streams of the key.

    A node that seals two successors of one record is two nodes: that is a fork (step 5), whatever
    numbers they bear.
    """
    if record.prev in stream.head_digests or any(f.code is FindingCode.GAP for f in found):
        return
    evidence = (("prev", record.prev), ("expected", stream.head_digests[0]))
    event = record.event
    if event is not None and event.kind is EventKind.BREAK:
        message = (
            f"chain begins anew, explained by a signed break event (reason {event.fields[2]})"
        )
        found.append(
            finding(record, FindingCode.CHAIN_BREAK, Severity.WARNING, message, *evidence)
        )
        return
    if record.prev == ZERO_DIGEST:
        message = "prev says first record of the key, but there are records before"
    elif stream.last is None:
        message = "first record of the key must have prev zero"
    elif stream.remembers(record.prev):
        message = "prev names an older record: the chain has two branches, equivocation"
        found.append(finding(record, FindingCode.FORK, Severity.ERROR, message, *evidence))
        return
    else:
        message = "prev names a record not seen here"
    found.append(finding(record, FindingCode.CHAIN_BREAK, Severity.ERROR, message, *evidence))


def check_registers(last: Record, record: Record, found: Findings, *, late: bool) -> int:
    """Step 8: registers keep their layout and never run backwards.

    Args:
        last: the head of the chain before this record.
        record: the record; when ``late``, it must not be ahead of the head instead.
        found: findings so far.
        late: the record fills a gap behind the head.

    Returns:
        Energy that went through, both directions, in millionths of a watt-hour; -1 if unknown.
    """
    energy_microwh = 0
    if len(last.registers) != len(record.registers):
        _layout(record, f"{len(record.registers)} registers after {len(last.registers)}", found)
        return -1
    for old, new in zip(last.registers, record.registers, strict=True):
        if old.obis != new.obis or old.scale != new.scale or old.unit != new.unit:
            _layout(record, f"{new.obis.hex()} stands where {old.obis.hex()} stood", found)
            return -1
        if new.obis not in _CUMULATIVE:
            continue
        delta = old.mantissa - new.mantissa if late else new.mantissa - old.mantissa
        if delta < 0:
            order = "is ahead of a later record" if late else "runs backwards"
            message = f"register {new.obis.hex()} {order}: {old.mantissa}, then {new.mantissa}"
            found.append(finding(record, FindingCode.REGISTER_BACKWARDS, Severity.ERROR, message))
        elif new.unit == UNIT_WATTHOUR and new.obis in _ENERGY:
            energy_microwh += delta * 10 ** (new.scale + _MICRO)
    return energy_microwh


def _layout(record: Record, detail: str, found: Findings) -> None:
    message = f"registers changed: {detail}"
    found.append(finding(record, FindingCode.REGISTERS_CHANGED, Severity.ERROR, message))


def check_clocks(stream: Stream, last: Record, record: Record, found: Findings) -> None:
    """Step 9: uptime and time go forward; a step of the clock is signed by a time-set event."""
    same_boot = record.bootseed == last.bootseed
    if same_boot and record.mono_ms < last.mono_ms:
        message = f"uptime ran backwards: {last.mono_ms} ms, then {record.mono_ms} ms"
        found.append(finding(record, FindingCode.CLOCK_BACKWARDS, Severity.ERROR, message))
    if not same_boot and record.bootcount <= last.bootcount:
        message = f"another boot, but boot count {last.bootcount}, then {record.bootcount}"
        found.append(finding(record, FindingCode.CLOCK_BACKWARDS, Severity.WARNING, message))
    event = record.event
    if event is not None and event.kind is EventKind.TIME_SET:
        old_ms = event.fields.get(2)
        if old_ms is not None and event.fields[3] < old_ms:
            message = f"clock set back by {old_ms - event.fields[3]} ms, signed"
            found.append(finding(record, FindingCode.CLOCK_BACKWARDS, Severity.WARNING, message))
        return
    if record.time_ms is None or stream.last_time_ms is None:
        return
    step_ms = record.time_ms - stream.last_time_ms
    if step_ms < 0:
        message = f"time ran backwards by {-step_ms} ms without a time-set event"
        found.append(finding(record, FindingCode.CLOCK_BACKWARDS, Severity.ERROR, message))
    elif same_boot and last.time_ms is not None and record.mono_ms >= last.mono_ms:
        elapsed_ms = record.mono_ms - last.mono_ms
        if abs(step_ms - elapsed_ms) > CLOCK_STEP_MS + elapsed_ms // 100:
            message = f"time went {step_ms} ms while uptime went {elapsed_ms} ms"
            found.append(finding(record, FindingCode.CLOCK_STEP, Severity.WARNING, message))


def elapsed_between(stream: Stream, last: Record, record: Record) -> int:
    """Return ms between two records, by uptime within a boot, else by time; -1 if unknown."""
    if record.bootseed == last.bootseed:
        return record.mono_ms - last.mono_ms
    if record.time_ms is None or stream.last_time_ms is None:
        return -1
    return record.time_ms - stream.last_time_ms


def check_energy(
    stream: Stream, record: Record, found: Findings, *, energy_microwh: int, elapsed_ms: int
) -> None:
    """Step 10, first half: no more energy than the plant's power limit allows in the time."""
    limit_milliwatts = stream.enrolment.power_max_milliwatts
    allowed = limit_milliwatts * (elapsed_ms + PLAUSIBILITY_SLACK_MS)
    # mW x ms is µJ, and 3600 of them are a µWh; two registers may be rounded by 1000 µWh each
    if energy_microwh * _S_PER_H > allowed + 2 * 1000 * _S_PER_H:
        message = (
            f"{energy_microwh} µWh in {elapsed_ms} ms, "
            f"more than {limit_milliwatts} mW can bring ({allowed // _S_PER_H} µWh)"
        )
        found.append(finding(record, FindingCode.IMPLAUSIBLE, Severity.ERROR, message))


def check_power_and_use(
    stream: Stream, last: Record | None, record: Record, found: Findings, *, elapsed_ms: int
) -> None:
    """Step 10, second half: power within the limit, no more use than time went by."""
    for index, register in enumerate(record.registers):
        if register.obis == OBIS_POWER and register.unit == UNIT_WATT:
            microwatts = abs(register.mantissa) * 10 ** (register.scale + _MICRO)
            limit = stream.enrolment.power_max_milliwatts
            if microwatts > limit * 1000:
                message = f"power {microwatts // 1000} mW, limit {limit} mW"
                found.append(finding(record, FindingCode.IMPLAUSIBLE, Severity.ERROR, message))
        elif register.obis == OBIS_USE and register.unit == UNIT_SECOND:
            if last is None or elapsed_ms < 0 or len(last.registers) <= index:
                continue
            delta = register.mantissa - last.registers[index].mantissa
            if (
                delta * 10 ** (register.scale + _MICRO)
                > (elapsed_ms + PLAUSIBILITY_SLACK_MS) * 1000
            ):
                message = f"in use for {delta} counts within {elapsed_ms} ms"
                found.append(finding(record, FindingCode.IMPLAUSIBLE, Severity.ERROR, message))


def check_freshness(
    record: Record, received_ms: int, found: Findings, *, stale_ms: int, ahead_ms: int
) -> None:
    """Step 11: the record is recent and not from the future."""
    if record.time_ms is None:
        message = "clock never set: time follows from the next signed time-set event"
        found.append(finding(record, FindingCode.LATE_TIME, Severity.NOTICE, message))
        return
    age_ms = received_ms - record.time_ms
    if age_ms > stale_ms:
        message = f"{age_ms} ms old when received, limit {stale_ms} ms"
        found.append(finding(record, FindingCode.STALE, Severity.NOTICE, message))
    elif -age_ms > ahead_ms:
        message = f"{-age_ms} ms in the future when received, limit {ahead_ms} ms"
        found.append(finding(record, FindingCode.AHEAD, Severity.WARNING, message))


def check_sensor(record: Record, found: Findings) -> None:
    """Step 12: the sensor path was good, and it measured its own input."""
    if record.status != "G" or record.err:
        message = f"status {record.status}" + (f", not usable: {record.err}" if record.err else "")
        found.append(finding(record, FindingCode.STATUS, Severity.WARNING, message))
    if record.input is not Input.SENSOR:
        message = f"measured {record.input.name.lower()} input, not its own sensor"
        found.append(finding(record, FindingCode.INJECTED_INPUT, Severity.WARNING, message))
