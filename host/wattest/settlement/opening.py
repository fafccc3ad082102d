"""The value a register has at the begin of a period whose predecessor is final.

A final period accepts no more records, so the value at its end is frozen: what arrives later about
the time around it would otherwise be billed twice or not at all. Of the records that were logged
since, those before the first usable older record of their key at the begin or after are left out,
if the two older ones around the begin are close enough for the value between them to have counted.
Registers are cumulative, so their energy shows in that record.
"""

from __future__ import annotations

from collections.abc import Iterable

from wattest.settlement.reading import SettlementReading
from wattest.settlement.terms import Policy
from wattest.settlement.track import is_usable


def without_late(
    readings: Iterable[SettlementReading], policy: Policy, *, start_ms: int, size: int
) -> list[SettlementReading]:
    """Leave out what arrived too late to change the value at an instant.

    Args:
        readings: of any keys, any order.
        policy: which records are usable.
        start_ms: the instant.
        size: entries of the ledger that were known when the value was frozen.
    """
    given = list(readings)
    befores: dict[bytes, int] = {}
    afters: dict[bytes, int] = {}
    for reading in given:
        time_ms = reading.time_ms
        if time_ms is None or reading.index >= size or not is_usable(reading, policy):
            continue
        if time_ms <= start_ms:
            befores[reading.kid] = max(time_ms, befores.get(reading.kid, time_ms))
        if time_ms >= start_ms:
            afters[reading.kid] = min(time_ms, afters.get(reading.kid, time_ms))
    frozen = {
        kid: after_ms
        for kid, after_ms in afters.items()
        if kid in befores and after_ms - befores[kid] <= policy.max_gap_ms
    }
    return [
        reading
        for reading in given
        if reading.index < size
        or reading.time_ms is None
        or reading.time_ms >= frozen.get(reading.kid, reading.time_ms)
    ]
