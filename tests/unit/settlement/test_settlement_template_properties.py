"""Properties of contracts of every template: order, sums, more energy, splits, disputes."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from settlement_bench import (
    APRIL,
    CUTOFF,
    make_node,
    make_readings,
    make_terms,
    ms,
    terms_map,
    use_line,
    window,
)
from template_vectors import TEMPLATE_VECTORS, specs_of, statement_of
from templates_oracle import Case, Pricer

from wattest.settlement import (
    Statement,
    Window,
    amounts_granted,
    amounts_with,
    price_at,
    settle,
    total_of,
)
from wattest.settlement.price import split

QUICK = settings(max_examples=50, deadline=None)
START, END = ms(APRIL[0]), ms(APRIL[1])
MONEY = st.decimals(min_value=0, max_value=2000, places=2).map(str)
SHARE = st.decimals(min_value=0, max_value=1, places=3).map(str)
UNITS = st.integers(1, 5_000).map(str)
ENERGY = {"quantity": "import_energy", "unit": "kWh"}


def a_line(template: str, **keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    fixed = {"template": st.just(template)}
    return st.fixed_dictionaries(fixed | keys)


def metered_line(
    template: str, **keys: st.SearchStrategy[Any]
) -> st.SearchStrategy[dict[str, Any]]:
    return a_line(template, **{key: st.just(value) for key, value in ENERGY.items()}, **keys)


def bands(key: str, values: st.SearchStrategy[str]) -> st.SearchStrategy[list[dict[str, str]]]:
    """Bands that descend, better above: values are sorted the other way for credits."""
    return st.tuples(values, values, values).map(
        lambda three: [
            {"from": start, key: value}
            for start, value in zip(
                ("0.9", "0.5", "0"),
                sorted(three, key=Fraction, reverse=key == "multiplier"),
                strict=True,
            )
        ]
    )


RISING = st.one_of(
    metered_line("PAY_PER_USE", price=SHARE),
    metered_line("GAIN_SHARE", amount=st.just("900"), fixed=st.just("300"), target=UNITS),
    metered_line(
        "GAIN_SHARE",
        amount=st.just("900"),
        fixed=st.just("300"),
        target=UNITS,
        below=st.just("linear"),
        gain_price=SHARE,
    ),
    metered_line("GAIN_SHARE_BONUS", amount=MONEY, target=UNITS, value=SHARE, share=SHARE),
    metered_line("LEASE", amount=MONEY, allowance=UNITS, overage=SHARE),
    metered_line("FREEMIUM", free=UNITS, price=SHARE),
    metered_line("SHORTFALL", target=UNITS, damages=SHARE),
    metered_line(
        "PAY_FOR_PERFORMANCE",
        amount=MONEY,
        metric=st.sampled_from(("energy_ratio", "both")),
        reference=UNITS,
        bands=bands("multiplier", SHARE),
    ),
    a_line("SUBSCRIPTION", amount=MONEY),
)
"""Lines that more energy never makes cheaper."""
CREDIT = a_line("SLA_CREDIT", on=st.just(["line0"]), bands=bands("credit", SHARE))
COMMISSION = a_line(
    "COMMISSION",
    rate=SHARE,
    brokers=st.lists(st.integers(1, 9), min_size=1, max_size=4).map(
        lambda weights: [{"party": f"b{n}", "weight": w} for n, w in enumerate(weights)]
    ),
)


@st.composite
def contracts(draw: Any, *, with_credit: bool = True) -> dict[str, Any]:
    lines = draw(st.lists(RISING, min_size=1, max_size=3))
    if with_credit and draw(st.booleans()):
        lines.append(draw(CREDIT))
    if draw(st.booleans()):
        lines.append(draw(COMMISSION))
    named = [{**line, "code": f"line{n}"} for n, line in enumerate(lines)]
    form = terms_map(line=named, rounding=draw(st.sampled_from(("half_even", "half_up", "down"))))
    if draw(st.booleans()):
        form["start"] = "2026-04-11T00:00:00Z"
    form["policy"] = {"max_gap_s": 604_800, "coverage_s": 86_400}
    return form


def month(seed: int) -> list[dict[str, Any]]:
    """Readings from before April to after it, some with a bad status, the register never falls."""
    chance = random.Random(seed)
    time_ms, value, specs = START - 3_600_000, 0, []
    while time_ms < END + 3_600_000:
        specs.append({"at": time_ms, "import": value, "status_ok": chance.random() > 0.2})
        time_ms += chance.randrange(1, 5 * 86_400_000)
        value += chance.randrange(400_000_000)
    return [*specs, {"at": time_ms, "import": value}]


MONTHS = st.integers(0, 10**9).map(month)


def settled(form: dict[str, Any], specs: list[dict[str, Any]]) -> Statement:
    return settle(
        make_terms(form),
        make_readings(specs),
        window(*APRIL),
        nodes=[make_node()],
        cutoff=CUTOFF,
    )


def agree(form: dict[str, Any], specs: list[dict[str, Any]]) -> None:
    statement = settled(form, specs)
    numbered = [{**spec, "seq": number} for number, spec in enumerate(specs, 1)]
    oracle = Pricer(Case({"period": APRIL}, form, numbered))
    assert {line.code: line.exact for line in statement.lines} == oracle.exact
    assert dict(statement.payouts) == oracle.paid


@QUICK
@given(form=contracts(), specs=MONTHS)
def test_engine_agrees_with_the_oracle_on_any_contract(
    form: dict[str, Any], specs: list[dict[str, Any]]
) -> None:
    agree(form, specs)


@pytest.mark.long
@settings(max_examples=3_000, deadline=None)
@given(form=contracts(), specs=MONTHS)
def test_engine_agrees_with_the_oracle_on_thousands_of_contracts(
    form: dict[str, Any], specs: list[dict[str, Any]]
) -> None:
    agree(form, specs)


@pytest.mark.long
def test_a_thousand_orders_of_arrival_of_a_month_give_the_same_bytes() -> None:
    """A service promise over 2,880 readings, some bad, some missing; statement bytes each time."""
    wind = next(v for v in TEMPLATE_VECTORS if v["name"] == "4.10c and availability 0.96")
    specs = [
        {"series": {**wind["readings"][0]["series"], "step_s": 900, "steps": 2880}},
    ]
    vector = {**wind, "readings": specs}
    readings, body = make_readings(specs_of(vector)), statement_of(vector).to_cbor()
    chance = random.Random(1_000)
    for _ in range(1_000):
        chance.shuffle(readings)
        assert statement_of(vector, readings=readings).to_cbor() == body


@QUICK
@given(form=contracts(), specs=MONTHS, seed=st.integers(0, 1000))
def test_order_of_arrival_changes_no_byte(
    form: dict[str, Any], specs: list[dict[str, Any]], seed: int
) -> None:
    readings = make_readings(specs)
    shuffled = readings[:]
    random.Random(seed).shuffle(shuffled)
    made = [
        settle(make_terms(form), given, window(*APRIL), nodes=[make_node()], cutoff=CUTOFF)
        for given in (readings, shuffled)
    ]
    assert made[0].to_cbor() == made[1].to_cbor()


def test_order_of_arrival_changes_no_byte_of_any_example() -> None:
    chance = random.Random(410)
    for vector in TEMPLATE_VECTORS:
        body = statement_of(vector).to_cbor()
        readings = make_readings(specs_of(vector))
        for _ in range(3):
            chance.shuffle(readings)
            again = statement_of(vector, readings=[*readings, *readings[:2]])
            assert again.to_cbor() == body, vector["name"]


@QUICK
@given(form=contracts(), specs=MONTHS)
def test_payouts_and_payees_conserve_the_total(
    form: dict[str, Any], specs: list[dict[str, Any]]
) -> None:
    statement = settled(form, specs)
    assert sum(minor for _, minor in statement.payouts) == statement.total_minor
    for line in statement.lines:
        assert sum(minor for _, minor in line.payees) == line.minor
        assert all(minor >= 0 for _, minor in line.payees) or line.minor < 0


@QUICK
@given(form=contracts(with_credit=False), units=st.integers(0, 9000), more=st.integers(0, 9000))
def test_more_energy_never_lowers_the_total(form: dict[str, Any], units: int, more: int) -> None:
    terms = make_terms(form)
    codes = [line.code for line in terms.lines if line.needs.quantity is not None]
    low, high = (
        total_of(terms, price_at(terms, dict.fromkeys(codes, Fraction(n))))
        for n in (units, units + more)
    )
    assert high >= low


@QUICK
@given(form=contracts(), specs=MONTHS, part=SHARE, granted=SHARE)
def test_a_resolution_lies_between_the_ends_of_its_dispute(
    form: dict[str, Any], specs: list[dict[str, Any]], part: str, granted: str
) -> None:
    form["line"] = [use_line(price="0.3"), *form["line"]]
    statement = settled(form, specs)
    disputed = int(statement.lines[0].metered * Fraction(part))
    ends = sorted(amounts_granted(statement, "use", disputed, n).total for n in (0, disputed))
    between = amounts_granted(statement, "use", disputed, int(disputed * Fraction(granted)))
    assert amounts_with(statement, {}).total == statement.total_minor
    if all(line["template"] != "SLA_CREDIT" for line in form["line"]):
        assert ends[0] <= between.total <= ends[1]
    assert sum(minor for _, minor in between.payouts) == between.total


@QUICK
@given(specs=MONTHS, cut=st.integers(1, END - START - 1))
def test_energies_of_neighbouring_periods_sum_exactly(
    specs: list[dict[str, Any]], cut: int
) -> None:
    form = terms_map(policy={"max_gap_s": 604_800})
    middle = START + cut
    counts = [
        settle(make_terms(form), make_readings(specs), part, nodes=[make_node()], cutoff=CUTOFF)
        .lines[0]
        .metered
        for part in (
            window(*APRIL),
            Window(start_ms=START, end_ms=middle),
            Window(start_ms=middle, end_ms=END),
        )
    ]
    assert counts[0] == counts[1] + counts[2]


@given(
    minor=st.integers(0, 10**9), weights=st.lists(st.integers(1, 10**6), min_size=1, max_size=9)
)
def test_a_split_loses_nothing_and_is_fair_to_one_minor_unit(
    minor: int, weights: list[int]
) -> None:
    shares = split(minor, weights)
    assert sum(shares) == minor
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share - Fraction(minor * weight, sum(weights))) < 1
