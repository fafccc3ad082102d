"""How long a contract-month takes: 2,880 readings of 15 minutes, from readings to statement bytes.

The reference is the plain way to such an amount: sort the readings, price every interval as an
exact fraction, add up, round once. It checks nothing and keeps no evidence.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from wattest.settlement import (
    Cutoff,
    MeteringNode,
    Rounding,
    SettlementReading,
    Statement,
    Terms,
    Window,
    parse_terms,
    period_at,
    round_to_minor,
    settle,
)
from wattest.settlement.quantity import OBIS_EXPORT, OBIS_IMPORT, OBIS_USE

CONTRACTS = Path(__file__).resolve().parents[1] / "contracts"
KID = b"settling"
STEP_MS = 900_000
ROUNDS = 25
APRIL_MS = 1_775_500_000_000
CUTOFF = Cutoff(size=1_000_000, root=bytes(32))


def month_of_readings(period: Window, chance: random.Random) -> list[SettlementReading]:
    """One reading each 15 minutes from one before the period to one after it."""
    readings = []
    value = 0
    for number, time_ms in enumerate(
        range(period.start_ms - STEP_MS // 2, period.end_ms + STEP_MS, STEP_MS)
    ):
        value += chance.randrange(2_000_000)
        readings.append(
            SettlementReading(
                kid=KID,
                ctx=0,
                seq=number + 1,
                bootcount=1,
                mono_ms=number * STEP_MS,
                time_ms=time_ms,
                registers={OBIS_IMPORT: 0, OBIS_EXPORT: value, OBIS_USE: number * 900},
                index=number,
                payload_digest=hashlib.sha256(number.to_bytes(4)).digest(),
            )
        )
    return readings


def median_ms(work: Callable[[], Any]) -> float:
    """Median of several rounds, ms."""
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        taken.append(1e3 * (time.perf_counter() - start))
    return sorted(taken)[ROUNDS // 2]


def plain(readings: list[SettlementReading]) -> int:
    """Price interval by interval with exact fractions."""
    total = Fraction(0)
    ordered = sorted(readings, key=lambda reading: reading.time_ms or 0)
    for a, b in pairwise(ordered):
        delta = b.registers[OBIS_EXPORT] - a.registers[OBIS_EXPORT]
        total += Fraction(delta, 1_000_000) * Fraction("0.085")
    return round_to_minor(total, scale=2, rounding=Rounding.HALF_EVEN)


def draw(terms: Terms, readings: list[SettlementReading], period: Window) -> Statement:
    """Settle down to the canonical bytes."""
    node = MeteringNode(
        kid=KID, asset=terms.assets[0], kind=0, demo=False, power_max_milliwatts=10_000_000
    )
    others = [
        MeteringNode(kid=asset.encode(), asset=asset, kind=0, demo=False, power_max_milliwatts=0)
        for asset in terms.assets[1:]
    ]
    statement = settle(terms, readings, period, nodes=[node, *others], cutoff=CUTOFF)
    statement.to_cbor()
    return statement


def row(what: str, ours: float, reference: float | None, bar: str) -> dict[str, Any]:
    """One row of the table."""
    return {
        "what": what,
        "ours": ours,
        "unit": "ms",
        "reference": reference,
        "reference_name": "a fraction an interval, no evidence" if reference else "",
        "ratio": ours / reference if reference else None,
        "bar": bar,
    }


def rows() -> list[dict[str, Any]]:
    """Measure tiers, time of use, availability, and readings that arrived in any order."""
    chance = random.Random(2880)
    measured = []
    for name, words in (
        ("wind_pay_per_use", "tiers"),
        ("solar_feed_in", "time of use"),
        ("wind_sla", "availability"),
    ):
        path = CONTRACTS / f"{name}.toml"
        terms = parse_terms(path.read_text(encoding="utf-8"), str(path))
        period = period_at(terms, APRIL_MS)
        readings = month_of_readings(period, chance)
        reference = median_ms(lambda readings=readings: plain(readings))
        ours = median_ms(lambda t=terms, r=readings, p=period: draw(t, r, p))
        measured.append(row(f"settle a contract-month, {words}", ours, reference, "<= 10"))
    chance.shuffle(readings)
    ours = median_ms(lambda t=terms, r=readings, p=period: draw(t, r, p))
    measured.append(row("the same, arrived in any order", ours, reference, "<= 10"))
    return measured
