"""A second opinion on settlements: slow, plain, exact fractions, sharing no code with the engine.

It reads contracts as the TOML maps they are written as, not as ``Terms``; it walks time minute by
minute for time-of-use windows and looks for the nearest multiple when it rounds.
"""

from __future__ import annotations

import datetime as dt
from fractions import Fraction
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
PER_UNIT = {"Wh": 1000, "kWh": 1_000_000, "MWh": 1_000_000_000, "s": 1, "min": 60, "h": 3600}
Points = list[tuple[int, int]]
"""(ms, register), strictly ascending in time."""


def nearest(amount: Fraction, scale: int, rounding: str) -> int:
    """Round by trying the whole numbers around the amount."""
    scaled = amount * 10**scale
    floor = scaled.numerator // scaled.denominator
    low, high = scaled - floor, floor + 1 - scaled
    if low == 0:
        return floor
    if rounding == "down":
        return floor if scaled > 0 else floor + 1
    if low != high:
        return floor if low < high else floor + 1
    if rounding == "half_up":
        return floor + 1 if scaled > 0 else floor
    return floor if floor % 2 == 0 else floor + 1


def register_at(points: Points, time_ms: int) -> int | None:
    """Read a register at an instant inside of the points, pro rata and rounded down."""
    for (start, low), (end, high) in pairwise(points):
        if start <= time_ms <= end:
            share = Fraction((high - low) * (time_ms - start), end - start)
            return low + share.numerator // share.denominator
    return None


def metered(points: Points, start_ms: int, end_ms: int, max_gap_ms: int) -> int:
    """Return the base counts between the ends of a period, each moved inwards over a long gap."""
    inside = [time for time, _ in points if start_ms <= time <= end_ms]

    def is_close(time_ms: int) -> bool:
        before = [time for time, _ in points if time <= time_ms]
        after = [time for time, _ in points if time >= time_ms]
        exact = bool(before and after and before[-1] == time_ms)
        return exact or bool(before and after and after[0] - before[-1] <= max_gap_ms)

    start = start_ms if is_close(start_ms) else (inside[0] if inside else None)
    end = end_ms if is_close(end_ms) else (inside[-1] if inside else None)
    if start is None or end is None or end <= start:
        return 0
    low, high = register_at(points, start), register_at(points, end)
    return 0 if low is None or high is None else high - low


def tiered(quantity: Fraction, line: dict[str, Any]) -> Fraction:
    """Price a quantity by walking up the tiers."""
    amount, floor = Fraction(0), Fraction(0)
    for tier in line.get("tiers", [{"price": line.get("price", "0")}]):
        top = min(quantity, Fraction(tier["up_to"])) if "up_to" in tier else quantity
        if top > floor:
            amount += (top - floor) * Fraction(tier["price"])
            floor = top
    return amount


def pay_per_use(
    line: dict[str, Any], quantity: int, active: Fraction, *, scale: int = 2, rounding: str
) -> int:
    """Price a line without time-of-use windows."""
    amount = tiered(Fraction(quantity, PER_UNIT[line["unit"]]), line)
    share = active if line.get("prorate_bounds", True) else Fraction(1)
    if "minimum" in line:
        amount = max(amount, Fraction(line["minimum"]) * share)
    if "maximum" in line:
        amount = min(amount, Fraction(line["maximum"]) * share)
    return nearest(amount, scale, rounding)


def window_of(line: dict[str, Any], local: dt.datetime) -> str:
    """Name the first time-of-use window that covers a local time."""
    clock = f"{local:%H:%M}"
    for entry in line.get("time_of_use", []):
        days = entry.get("days", DAYS)
        today, yesterday = DAYS[local.weekday()], DAYS[local.weekday() - 1]
        if entry["from"] < entry["to"]:
            hit = today in days and entry["from"] <= clock < entry["to"]
        else:
            late = clock >= entry["from"]
            hit = (late and today in days) or (clock < entry["to"] and yesterday in days)
        if hit:
            return str(entry["name"])
    return ""


def by_window(
    line: dict[str, Any], points: Points, start_ms: int, end_ms: int, zone: str
) -> dict[str, int]:
    """Share a register out to time-of-use windows, minute by minute; whole minutes only."""
    shares: dict[str, int] = {}
    info = ZoneInfo(zone)
    value = register_at(points, start_ms)
    for minute in range(start_ms, end_ms, 60_000):
        local = dt.datetime.fromtimestamp(minute // 1000, tz=info)
        reached = register_at(points, minute + 60_000)
        assert value is not None
        assert reached is not None
        name = window_of(line, local)
        shares[name] = shares.get(name, 0) + reached - value
        value = reached
    return shares
