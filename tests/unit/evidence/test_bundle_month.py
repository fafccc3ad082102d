"""A month among other nodes: how large its bundle is, and that it holds."""

from __future__ import annotations

import pytest
from evidence_bench import EPOCH_MS, MINUTE_MS, Bench, Meter
from scenes import CONTRACT, pinned_terms

from wattest.evidence.bundle import read_bundle
from wattest.evidence.verify import verdict_of
from wattest.ledger import EntryKind

NODES = 8
QUARTER = 15
MONTH_MINUTES = 30 * 24 * 60
MONTH_READINGS = 2_880
BUNDLE_BYTES_MAX = 1 << 20
BATCH = 256


def month(minutes: int) -> Bench:
    """Return a ledger of eight interleaved nodes, a reading each quarter of an hour."""
    bench = Bench()
    meters = [Meter(n + 1, CONTRACT if n == 0 else f"other{n}") for n in range(NODES)]
    text = pinned_terms({}, ()).split("[party_keys]", maxsplit=1)[0]
    bench.log_terms(text.replace("3600", str(60 * minutes)))
    for meter in meters:
        bench.enrol(meter.enrolment())
    waiting: list[bytes] = []
    for minute in range(-QUARTER, minutes + 2 * QUARTER, QUARTER):
        waiting += [next(meter.readings([minute], watthours=700)) for meter in meters]
        if len(waiting) >= BATCH:
            bench.add(*waiting)
            waiting = []
    bench.add(*waiting)
    bench.settle(CONTRACT, EPOCH_MS, EPOCH_MS + minutes * MINUTE_MS)
    return bench


@pytest.mark.parametrize(
    "minutes", [24 * 60, pytest.param(MONTH_MINUTES, marks=pytest.mark.long, id="month")]
)
def test_bundle_stays_below_its_share_of_a_mebibyte_and_holds(minutes: int) -> None:
    bench = month(minutes)
    data = bench.bundle(CONTRACT)
    verdict = verdict_of(data, log_key=bench.log)
    assert verdict.passed, verdict
    entries = read_bundle(data).entries
    readings = [entry for entry in entries if entry.kind == EntryKind.READING]
    expected = minutes // QUARTER
    assert expected <= len(readings) <= expected + 3
    assert len(data) <= BUNDLE_BYTES_MAX * max(expected, 96) // MONTH_READINGS
