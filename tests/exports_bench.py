"""Statements for the tests of exports: one priced by the engine, with real names and bad ones."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from wattest.exports.placed import EvidenceRecord, PlacedStatement
from wattest.settlement import (
    Cutoff,
    MeteringNode,
    SettlementReading,
    parse_terms,
    period_at,
    settle,
)
from wattest.settlement.quantity import OBIS_IMPORT

MARCH_MS = 1_772_319_600_000
"""1 March 2026, 00:00 +01:00."""
HOUR_MS = 3_600_000
HOURS = 743
KID = bytes(range(8))
WATT_HOURS_AN_HOUR = 875
TERMS = """
contract = "hansen_wind"
title = "Energy for <script>alert(1)</script> & sons"
seller = "windpark-nord"
buyer = "hansen"
assets = ["turbine-1"]
currency = "EUR"
zone = "Europe/Berlin"

[period]
kind = "calendar"
unit = "month"

[[line]]
template = "SUBSCRIPTION"
code = "base"
amount = "1200.50"

[[line]]
template = "PAY_PER_USE"
code = "energy"
quantity = "import_energy"
unit = "kWh"
tiers = [{ up_to = "100", price = "0.30" }, { price = "0.0825" }]
"""


def placed(*, real: bool = True, index: int = 800, **changes: Any) -> PlacedStatement:
    """Price March 2026 from hourly readings of one node, then change keys of the document."""
    terms = parse_terms(TERMS, "hansen.toml")
    node = MeteringNode(
        kid=KID,
        asset="turbine-1",
        kind=0 if real else 1,
        demo=False,
        power_max_milliwatts=5_000_000,
    )
    readings = [
        SettlementReading(
            kid=KID,
            ctx=0,
            seq=hour + 1,
            bootcount=1,
            mono_ms=1000 + hour * HOUR_MS,
            time_ms=MARCH_MS + hour * HOUR_MS,
            registers={OBIS_IMPORT: hour * WATT_HOURS_AN_HOUR * 1000},
            index=hour + 2,
            payload_digest=hour.to_bytes(32),
        )
        for hour in range(HOURS + 1)
    ]
    cutoff = Cutoff(size=750, root=bytes(range(32)))
    period = period_at(terms, MARCH_MS)
    statement = settle(terms, readings, period, nodes=[node], cutoff=cutoff)
    document: dict[str, Any] = copy.deepcopy(statement.to_document())
    document.update(changes)
    records = {
        reading.index: EvidenceRecord(
            index=reading.index,
            kid=KID,
            ctx=0,
            seq=reading.seq,
            content_digest=reading.payload_digest,
            leaf=bytes([255]) * 32,
        )
        for reading in readings
    }
    return PlacedStatement(
        index=index,
        document=document,
        zone="Europe/Berlin",
        records=records,
        series={(KID, "import_energy"): _series(readings)},
        origin="wattest/test",
        folder="OUT",
    )


def changed_line(base: PlacedStatement, code: str, **changes: Any) -> dict[str, Any]:
    """Return the document with keys of one line changed, and the total that follows."""
    document: dict[str, Any] = copy.deepcopy(dict(base.document))
    for line in document["lines"]:
        if line["code"] == code:
            line.update(changes)
    document["total"] = sum(line["amount"] for line in document["lines"])
    document["payouts"] = [[document["seller"], document["total"]]]
    return document


def _series(readings: list[SettlementReading]) -> tuple[tuple[int, int], ...]:
    registers: list[Mapping[bytes, int]] = [reading.registers for reading in readings]
    times = [reading.time_ms or 0 for reading in readings]
    return tuple(
        (time_ms, values[OBIS_IMPORT]) for time_ms, values in zip(times, registers, strict=True)
    )
