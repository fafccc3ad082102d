"""Properties of settlements over generated readings, and agreement with the independent oracle."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from settlement_bench import (
    APRIL,
    CUTOFF,
    VECTORS,
    draw,
    make_node,
    make_readings,
    make_terms,
    ms,
    terms_map,
    use_line,
    window,
)
from settlement_oracle import by_window, metered, nearest, pay_per_use

from wattest.settlement import Rounding, Statement, Window, round_to_minor, settle

START, END = ms(APRIL[0]), ms(APRIL[1])
PRICES = st.decimals(min_value=0, max_value=5, places=4).map(str)
ROUNDINGS = st.sampled_from([rounding.value for rounding in Rounding])
QUICK = settings(max_examples=60, deadline=None)


@st.composite
def registers(draw: Any, *, minutes_max: int = 5_000) -> list[tuple[int, int]]:
    """Readings from before April to after it or not, at odd distances, register never falling."""
    time_ms = START + draw(st.integers(-3_000, 2_000)) * 60_000
    value = draw(st.integers(0, 10**9))
    points = [(time_ms, value)]
    for _ in range(draw(st.integers(0, 20))):
        time_ms += draw(st.integers(1, minutes_max * 60_000))
        value += draw(st.integers(0, 10**8))
        points.append((time_ms, value))
    return points


@st.composite
def use_lines(draw: Any) -> dict[str, Any]:
    """A pay-per-use line with one price or tiers, with or without bounds."""
    line = use_line()
    if draw(st.booleans()):
        line["price"] = draw(PRICES)
    else:
        ends = sorted(draw(st.sets(st.integers(1, 900), min_size=1, max_size=3)))
        line["tiers"] = [{"up_to": str(end), "price": draw(PRICES)} for end in ends]
        line["tiers"].append({"price": draw(PRICES)})
    if draw(st.booleans()):
        line["minimum"] = draw(PRICES)
    if draw(st.booleans()):
        line["maximum"] = str(
            Fraction(line.get("minimum", "0")).__ceil__() + draw(st.integers(0, 90))
        )
    return line


def specs_of(points: list[tuple[int, int]]) -> list[dict[str, Any]]:
    return [{"at": time_ms, "import": value} for time_ms, value in points]


def settled(form: dict[str, Any], points: list[tuple[int, int]], period: Window) -> Statement:
    return settle(
        make_terms(form),
        make_readings(specs_of(points)),
        period,
        nodes=[make_node()],
        cutoff=CUTOFF,
    )


@QUICK
@given(points=registers(), line=use_lines(), rounding=ROUNDINGS, gap_h=st.integers(1, 100))
def test_engine_agrees_with_the_oracle(
    points: list[tuple[int, int]], line: dict[str, Any], rounding: str, gap_h: int
) -> None:
    form = terms_map(line=[line], rounding=rounding, policy={"max_gap_s": 3600 * gap_h})
    statement = settled(form, points, window(*APRIL))
    expected = metered(points, START, END, 3_600_000 * gap_h)
    assert statement.lines[0].metered == expected
    assert statement.total_minor == pay_per_use(line, expected, Fraction(1), rounding=rounding)


@QUICK
@given(
    amount=st.fractions(min_value=-1000, max_value=1000),
    scale=st.integers(0, 6),
    rounding=ROUNDINGS,
)
def test_rounding_agrees_with_the_oracle(amount: Fraction, scale: int, rounding: str) -> None:
    ours = round_to_minor(amount, scale=scale, rounding=Rounding(rounding))
    assert ours == nearest(amount, scale, rounding)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_time_of_use_agrees_with_the_oracle_over_a_clock_change(seed: int) -> None:
    chance = random.Random(seed)
    names = ["low", "high"]
    entries = []
    for name in names:
        begin, end = chance.sample(range(0, 1440, 5), 2)
        days = chance.sample(
            ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], chance.randint(1, 7)
        )
        times = {
            k: f"{m // 60:02d}:{m % 60:02d}" for k, m in (("from", begin), ("to", end or 1440))
        }
        entries.append({"name": name, "days": days, "price": "1", **times})
    line = use_line(price="1", time_of_use=entries)
    period = window(
        *chance.choice(
            [
                ("2026-03-27T23:00:00Z", "2026-03-29T22:00:00Z"),
                ("2026-10-23T22:00:00Z", "2026-10-25T23:00:00Z"),
            ]
        )
    )
    points, value = [], 0
    for time_ms in range(period.start_ms - 600_000, period.end_ms + 1_800_001, 1_800_000):
        points.append((time_ms, value))
        value += chance.randrange(10**6)
    form = terms_map(zone="Europe/Berlin", line=[line])
    usage = settled(form, points, period).lines[0].usage[0]
    named = {(*names, "")[label]: count for label, count in usage.by_window.items()}
    expected = by_window(line, points, period.start_ms, period.end_ms, "Europe/Berlin")
    assert {k: v for k, v in named.items() if v} == {k: v for k, v in expected.items() if v}


@QUICK
@given(points=registers(), cut=st.integers(1, 30 * 86_400_000 - 1))
def test_adjacent_periods_sum_to_the_whole(points: list[tuple[int, int]], cut: int) -> None:
    """Inside of the readings and with no long gaps, wherever the cut falls, to the last count."""
    form = terms_map(policy={"max_gap_s": 604_800})
    middle = START + cut
    parts = (Window(start_ms=START, end_ms=middle), Window(start_ms=middle, end_ms=END))
    whole = settled(form, points, window(*APRIL)).lines[0].metered
    assert sum(settled(form, points, part).lines[0].metered for part in parts) == whole


@QUICK
@given(points=registers(), line=use_lines(), at=st.integers(0, 20), more=st.integers(0, 10**9))
def test_more_energy_never_lowers_the_amount(
    points: list[tuple[int, int]], line: dict[str, Any], at: int, more: int
) -> None:
    form = terms_map(line=[line], policy={"max_gap_s": 604_800})
    raised = [(t, value + (more if i >= at else 0)) for i, (t, value) in enumerate(points)]
    before = settled(form, points, window(*APRIL))
    after = settled(form, raised, window(*APRIL))
    assert after.lines[0].metered >= before.lines[0].metered
    assert after.total_minor >= before.total_minor


@QUICK
@given(points=registers(), line=use_lines())
def test_amount_lies_between_minimum_and_maximum(
    points: list[tuple[int, int]], line: dict[str, Any]
) -> None:
    amount = settled(terms_map(line=[line]), points, window(*APRIL)).lines[0].exact
    assert Fraction(line.get("minimum", "0")) <= amount
    assert amount <= Fraction(line.get("maximum", "1e12"))


def test_any_order_of_arrival_gives_the_same_bytes() -> None:
    """All evidence vectors, readings and nodes shuffled, some repeated; indexes stay."""
    chance = random.Random(20260401)
    for vector in VECTORS["vectors"]:
        form = terms_map(**vector.get("terms", {}))
        readings = make_readings(vector["readings"])
        nodes = [
            make_node(node["key"], **{k: v for k, v in node.items() if k != "key"})
            for node in vector.get("nodes", [{"key": "a"}])
        ]
        period = window(*vector["period"])
        bodies = set()
        for _ in range(12):
            chance.shuffle(readings)
            chance.shuffle(nodes)
            again = [*readings, *readings[:3]]
            made = settle(make_terms(form), again, period, nodes=nodes, cutoff=CUTOFF)
            bodies.add(made.to_cbor())
        assert len(bodies) == 1, vector["name"]


def test_economic_digest_does_not_depend_on_places_in_the_ledger() -> None:
    specs = [
        {"at": "2026-03-31T23:50:00Z", "import": 0},
        {"at": "2026-04-01T00:10:00Z", "import": 5},
        {"at": "2026-05-01T00:00:00Z", "import": 10_000_000},
    ]
    moved = [{**spec, "index": 100 - number} for number, spec in enumerate(specs)]
    one = draw(terms_map(), specs)
    other = draw(terms_map(), list(reversed([{**s, "seq": n} for n, s in enumerate(moved, 1)])))
    assert one.to_cbor() != other.to_cbor()
    again = draw(terms_map(), specs, generation=2)
    assert one.economic_digest == again.economic_digest != one.digest
    assert one.economic_digest == other.economic_digest


def test_economic_digest_depends_on_the_evidence() -> None:
    specs = [{"at": APRIL[0], "import": 0}, {"at": APRIL[1], "import": 10_000_000}]
    changed = [specs[0], {**specs[1], "content": "another record"}]
    assert draw(terms_map(), specs).economic_digest != draw(terms_map(), changed).economic_digest
