"""The value of a register at any instant, from the points of one track.

The *delivered* quantity starts at 0 at the first point and grows by every accepted delta. A delta
is refused (REGISTER_FAULT) when the register ran backwards, or further than the asset can deliver
in the time; then nothing is delivered until a later point is plausible against the last accepted
one. So no energy is ever counted twice and never more than is physically possible, even if two
boards share a key.

At an instant T between points a and b: ``delivered(a) + floor((b - a) * (T - t_a) / (t_b -
t_a))``. One rule for period ends and price windows alike makes neighbouring parts add up to the
last count.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from operator import le

from wattest.settlement.flags import Flag
from wattest.settlement.quantity import Quantity
from wattest.settlement.reading import MeteringNode, SettlementReading
from wattest.settlement.terms import InputPolicy, Policy
from wattest.settlement.track import Track

_MS_PER_H = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Largest plausible delta: ``numerator * ms // denominator + 1`` base counts in ``ms``."""

    numerator: int
    denominator: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """One register of one track, as delivered quantity over time.

    Args:
        obis: the register.
        points: those that carry the register, in time order.
        times: their ms since 1970 UTC.
        values: delivered base counts, from 0, never falling.
        notes: ``(time_ms, flag)`` where a delta was refused or left out.
        excluded: ``(time_ms, base counts)`` left out because the input was not the sensor.
    """

    obis: bytes
    points: Sequence[SettlementReading]
    times: Sequence[int]
    values: Sequence[int]
    notes: tuple[tuple[int, Flag], ...]
    excluded: tuple[tuple[int, int], ...]


class Rule(StrEnum):
    """Where the value at an end of metered time comes from."""

    EXACT = "EXACT"
    """A reading at the very instant."""
    INTERP = "INTERP"
    """Between two readings not further apart than the terms allow."""
    FIRST = "FIRST"
    """Nothing before: metered time begins with the first reading."""
    LAST = "LAST"
    """Nothing after: metered time ends with the last reading."""
    GAP = "GAP"
    """Readings too far apart: metered time ends before, or begins after, the gap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """An instant among the points of a register.

    Args:
        rule: how its value is known.
        left: index of the last point not after it; -1 if none.
        right: index of the first point not before it; the number of points if none.
    """

    rule: Rule
    left: int
    right: int


def largest_rate(quantity: Quantity, node: MeteringNode, policy: Policy) -> Rate | None:
    """Return the largest plausible growth of a register, or ``None`` where nothing is known."""
    slack = 1 + policy.tolerance
    if quantity.limit == "power" and node.power_max_milliwatts:
        rate = node.power_max_milliwatts * slack
        return Rate(numerator=rate.numerator, denominator=rate.denominator * _MS_PER_H)
    if quantity.limit == "time":
        return Rate(numerator=slack.numerator, denominator=slack.denominator * 1000)
    return None


def read_register(
    track: Track, quantity: Quantity, node: MeteringNode, policy: Policy
) -> Delivered:
    """Turn one register of a track into delivered quantity over time."""
    obis = quantity.obis
    raw = [point.registers.get(obis, -1) for point in track.points]
    points, times, tainted = track.points, track.times, track.tainted
    if raw and min(raw) < 0:
        kept = [i for i, value in enumerate(raw) if value >= 0]
        tainted = _merge(tainted, kept)
        points = tuple(points[i] for i in kept)
        times = tuple(times[i] for i in kept)
        raw = [raw[i] for i in kept]
    drop = policy.input is InputPolicy.SENSOR
    rate = largest_rate(quantity, node, policy)
    if _is_plain(raw, times, rate, quantity.modulus) and not (drop and any(tainted)):
        first = raw[0] if raw else 0
        values = raw if first == 0 else [value - first for value in raw]
        return Delivered(
            obis=obis, points=points, times=times, values=values, notes=(), excluded=()
        )
    sieve = tainted if drop else (False,) * len(raw)
    return _careful(points, times, raw, sieve, rate=rate, quantity=quantity)


def _is_plain(raw: Sequence[int], times: Sequence[int], rate: Rate | None, modulus: int) -> bool:
    """Tell whether every delta is acceptable, so that delivered is raw minus its first value."""
    if modulus or not all(map(le, raw, raw[1:])):
        return False
    if rate is None:
        return True
    top, bottom = rate.numerator, rate.denominator
    return all(
        (b - a - 1) * bottom <= top * (tb - ta)
        for a, b, ta, tb in zip(raw, raw[1:], times, times[1:], strict=False)
    )


def _careful(
    points: Sequence[SettlementReading],
    times: Sequence[int],
    raw: Sequence[int],
    tainted: Sequence[bool],
    *,
    rate: Rate | None,
    quantity: Quantity,
) -> Delivered:
    """Accept delta by delta, always against the last accepted point."""
    values = [0] * len(raw)
    notes: list[tuple[int, Flag]] = []
    excluded: list[tuple[int, int]] = []
    anchor = 0
    dirty = False
    for i in range(1, len(raw)):
        dirty = dirty or tainted[i]
        delta = raw[i] - raw[anchor]
        if quantity.modulus:
            delta %= quantity.modulus
        values[i] = values[i - 1]
        span_ms = _span_ms(points, times, anchor, i)
        if delta < 0 or (rate and (delta - 1) * rate.denominator > rate.numerator * span_ms):
            notes.append((times[i], Flag.REGISTER_FAULT))
            continue
        if dirty and delta:
            excluded.append((times[i], delta))
            notes.append((times[i], Flag.INPUT))
        elif not dirty:
            values[i] += delta
        anchor = i
        dirty = False
    return Delivered(
        obis=quantity.obis,
        points=points,
        times=times,
        values=values,
        notes=tuple(notes),
        excluded=tuple(excluded),
    )


def _span_ms(points: Sequence[SettlementReading], times: Sequence[int], a: int, b: int) -> int:
    """Return the longer opinion of two clocks: setting the time makes one of them too short."""
    span = times[b] - times[a]
    if points[a].bootcount == points[b].bootcount:
        return max(span, points[b].mono_ms - points[a].mono_ms)
    return span


def _merge(tainted: Sequence[bool], kept: Sequence[int]) -> tuple[bool, ...]:
    """Carry taint over points that do not have the register."""
    merged = []
    before = -1
    for i in kept:
        merged.append(any(tainted[before + 1 : i + 1]))
        before = i
    return tuple(merged)


def locate(delivered: Delivered, time_ms: int, max_gap_ms: int) -> Position:
    """Find an instant among the points.

    Args:
        delivered: at least one point.
        time_ms: the instant.
        max_gap_ms: longest distance to interpolate over.
    """
    times = delivered.times
    i = bisect_left(times, time_ms)
    if i == len(times):
        return Position(rule=Rule.LAST, left=i - 1, right=i)
    if times[i] == time_ms:
        return Position(rule=Rule.EXACT, left=i, right=i)
    if i == 0:
        return Position(rule=Rule.FIRST, left=-1, right=0)
    close = times[i] - times[i - 1] <= max_gap_ms
    return Position(rule=Rule.INTERP if close else Rule.GAP, left=i - 1, right=i)


def value_at(delivered: Delivered, time_ms: int) -> int:
    """Return the delivered base counts at an instant, between points pro rata, rounded down.

    Before the first point it is 0, after the last its last value.
    """
    times, values = delivered.times, delivered.values
    i = bisect_left(times, time_ms)
    if i == len(times):
        return values[-1]
    if i == 0 or times[i] == time_ms:
        return values[i]
    before, start_ms = values[i - 1], times[i - 1]
    return before + (values[i] - before) * (time_ms - start_ms) // (times[i] - start_ms)


def mean_over(quantity: int, metered_ms: int, span_ms: int) -> int:
    """Return what the mean rate of metered time gives over another span, rounded down."""
    if metered_ms <= 0:
        return 0
    share = Fraction(quantity * span_ms, metered_ms)
    return share.numerator // share.denominator
