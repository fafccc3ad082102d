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
_CUMULATIVE = {OBIS_IMPORT: UNIT_WATTHOUR, OBIS_EXPORT: UNIT_WATTHOUR, OBIS_USE: UNIT_SECOND}
"""Registers that never run backwards, and the unit in which we understand them."""
_MICRO_SCALE = {scale: 10 ** (scale + 6) for scale in range(-6, 7)}
"""Factor from a mantissa of each scale to millionths of the unit."""
_S_PER_H = 3600

Flow = tuple[int, int]
"""Energy of both directions, µWh, and time in use, µs."""

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
    """Step 4: the record says the serial, chip and firmware that were enrolled."""
    enrolment = stream.enrolment
    if record.serial != enrolment.serial:
        message = f"serial expected {enrolment.serial}, got {record.serial}"
        found.append(finding(record, FindingCode.WRONG_SERIAL, Severity.ERROR, message))
    event = record.event
    if enrolment.ueid and event is not None and event.kind is EventKind.BOOT:
        ueid = None if record.boot is None else record.boot.ueid
        if ueid != enrolment.ueid:
            got = "none" if ueid is None else ueid.hex()
            message = f"chip expected {enrolment.ueid.hex()}, got {got}"
            found.append(finding(record, FindingCode.WRONG_CHIP, Severity.ERROR, message))
    if record.cfg != enrolment.cfg and record.cfg not in stream.earlier_cfgs:
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


def check_registers(last: Record, record: Record, found: Findings, *, late: bool) -> Flow | None:
    """Step 8: registers keep their layout and never run backwards.

    Args:
        last: the head of the chain before this record.
        record: the record; when ``late``, it must not be ahead of the head instead.
        found: findings so far.
        late: the record fills a gap behind the head.

    Returns:
        What went through since the head, or None when the registers cannot be compared.
    """
    before, after = last.registers, record.registers
    if len(before) != len(after):
        _layout(record, f"{len(after)} registers after {len(before)}", found)
        return None
    energy_microwh = use_micros = 0
    for old, new in zip(before, after, strict=True):
        obis = new.obis
        if old.obis != obis or old.scale != new.scale or old.unit != new.unit:
            _layout(record, f"{obis.hex()} stands where {old.obis.hex()} stood", found)
            return None
        if obis not in _CUMULATIVE:
            continue
        delta = new.mantissa - old.mantissa
        if delta and (delta > 0) is late:
            order = "is ahead of a later record" if late else "runs backwards"
            message = f"register {obis.hex()} {order}: {old.mantissa}, then {new.mantissa}"
            found.append(finding(record, FindingCode.REGISTER_BACKWARDS, Severity.ERROR, message))
        elif delta and new.unit == _CUMULATIVE[obis]:
            scaled = delta * _MICRO_SCALE[new.scale]
            if obis == OBIS_USE:
                use_micros += scaled
            else:
                energy_microwh += scaled
    return energy_microwh, use_micros


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
            back_ms = old_ms - event.fields[3]
            # Setting a clock again corrects it by the link's jitter, half of the time backwards.
            severity = Severity.NOTICE if back_ms <= CLOCK_STEP_MS else Severity.WARNING
            message = f"clock set back by {back_ms} ms, signed"
            found.append(finding(record, FindingCode.CLOCK_BACKWARDS, severity, message))
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


def check_flow(
    stream: Stream, record: Record, flow: Flow, elapsed_ms: int, found: Findings
) -> None:
    """Step 10, first half: no more energy and use than power limit and time allow.

    A sensor that counts energy by itself goes on while the node cannot read it; what comes in one
    step afterwards may stand for the time since the last record without a missing sample.
    """
    energy_microwh, use_micros = flow
    limit_milliwatts = stream.enrolment.power_max_milliwatts
    allowed_ms = elapsed_ms + PLAUSIBILITY_SLACK_MS
    energy_ms = allowed_ms + stream.owed_ms
    # mW x ms is µJ, and 3600 of them are a µWh; two registers may be rounded by 1000 µWh each
    if energy_microwh * _S_PER_H > limit_milliwatts * energy_ms + 2 * 1000 * _S_PER_H:
        message = (
            f"{energy_microwh} µWh in {elapsed_ms} ms, more than {limit_milliwatts} mW "
            f"can bring ({limit_milliwatts * energy_ms // _S_PER_H} µWh)"
        )
        found.append(finding(record, FindingCode.IMPLAUSIBLE, Severity.ERROR, message))
    if use_micros > allowed_ms * 1000:
        message = f"in use for {use_micros // 1_000_000} s within {elapsed_ms} ms"
        found.append(finding(record, FindingCode.IMPLAUSIBLE, Severity.ERROR, message))


def check_power(stream: Stream, record: Record, found: Findings) -> None:
    """Step 10, second half: power within the limit of the plant."""
    for register in record.registers:
        if register.obis == OBIS_POWER and register.unit == UNIT_WATT:
            microwatts = abs(register.mantissa) * _MICRO_SCALE[register.scale]
            limit = stream.enrolment.power_max_milliwatts
            if microwatts > limit * 1000:
                message = f"power {microwatts // 1000} mW, limit {limit} mW"
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
