"""Truth against registers on paper: what is within, what is beyond, and what a cut excuses."""

from __future__ import annotations

from fractions import Fraction

import pytest

from wattest.operations.virtual.totals import Metered, compare
from wattest.scenario import PreparedNode, parse_scenario, prepare

NS_PER_S = 10**9
HOUR_NS = 3600 * NS_PER_S
FILE = """
name = "paper"
seed = 1
epoch = 2026-01-01T00:00:00Z
duration = "1h"
[[node]]
name = "feeder"
load = { kind = "steps", steps = [["0s", 1000], ["30m", -500]] }
"""


@pytest.fixture(scope="module")
def node() -> PreparedNode:
    (prepared,) = prepare(parse_scenario(FILE, "paper.toml")).nodes
    return prepared


def metered(import_milliwatthours: int, export_milliwatthours: int) -> Metered:
    return Metered(
        import_milliwatthours=import_milliwatthours,
        export_milliwatthours=export_milliwatthours,
        readings=60,
    )


def test_truth_is_exact_in_each_direction(node: PreparedNode) -> None:
    found = compare(node, metered(500_000, 250_000), duration_ns=HOUR_NS, interval_ms=60_000)
    assert (found.import_wh, found.export_wh) == (500, 250)
    assert found.error_wh == 0
    assert found.within
    totals = found.totals("feeder")
    assert totals.load_import_wh == "500.000000"
    assert totals.metered_export_wh == "250.000"
    assert totals.error_percent == "0.0000"


@pytest.mark.parametrize(("import_off", "export_off"), [(1, 0), (-1, 0), (0, 1), (1, -1)])
def test_one_milliwatthour_beyond_the_limit_is_beyond(
    node: PreparedNode, import_off: int, export_off: int
) -> None:
    options = {"duration_ns": HOUR_NS, "interval_ms": 60_000}
    limit = compare(node, metered(0, 0), **options).limit_wh
    room = int(limit * 1000)
    inside = metered(500_000 + import_off * room, 250_000 + export_off * room)
    assert compare(node, inside, **options).within
    beyond = metered(500_000 + import_off * (room + 1), 250_000 + export_off * (room + 1))
    assert not compare(node, beyond, **options).within


def test_cut_takes_its_energy_from_the_truth_and_two_intervals_from_the_bound(
    node: PreparedNode,
) -> None:
    options = {"duration_ns": HOUR_NS, "interval_ms": 60_000}
    whole = compare(node, metered(0, 0), **options)
    span = (600 * NS_PER_S, 960 * NS_PER_S)
    cut = compare(node, metered(0, 0), **options, unmetered=(span,))
    assert whole.import_wh - cut.import_wh == 100
    assert cut.export_wh == whole.export_wh
    assert cut.limit_wh - whole.limit_wh == Fraction(2 * 60 * 1000, 3600)


def test_cut_beyond_the_ends_counts_only_inside(node: PreparedNode) -> None:
    options = {"duration_ns": HOUR_NS, "interval_ms": 60_000}
    span = (HOUR_NS - 360 * NS_PER_S, HOUR_NS + 360 * NS_PER_S)
    cut = compare(node, metered(0, 0), **options, unmetered=(span,))
    assert (cut.import_wh, cut.export_wh) == (500, 200)


def test_nodes_add_up(node: PreparedNode) -> None:
    one = compare(node, metered(499_000, 251_000), duration_ns=HOUR_NS, interval_ms=60_000)
    both = one + one
    assert both.import_wh == 1000
    assert both.error_wh == 2 * one.error_wh == 0
    assert both.readings == 120


def test_cut_after_the_end_of_the_load_takes_nothing(node: PreparedNode) -> None:
    options = {"duration_ns": HOUR_NS, "interval_ms": 60_000}
    span = (HOUR_NS + 5 * NS_PER_S, HOUR_NS + 60 * NS_PER_S)
    cut = compare(node, metered(0, 0), **options, unmetered=(span,))
    assert (cut.import_wh, cut.export_wh) == (500, 250)
