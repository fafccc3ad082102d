"""Availability: which instant is what, and the fraction that comes of it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from settlement_bench import (
    CUTOFF,
    draw,
    make_node,
    make_readings,
    make_terms,
    ms,
    terms_map,
    window,
)
from template_vectors import TEMPLATE_VECTORS, statement_of

from wattest.errors import SettlementError
from wattest.settlement import (
    Availability,
    Estimate,
    Flag,
    State,
    Statement,
    Window,
    disputable,
    price_at,
    read_statement,
    settle,
    statement_json,
    statement_text,
)
from wattest.settlement.spans import common, length_ms, union, without

HOUR = 3_600_000
DAY = ("2026-04-01T00:00:00Z", "2026-04-02T00:00:00Z")
BANDS = [{"from": "0.9", "multiplier": "1"}, {"from": "0", "multiplier": "0.5"}]
LINE = {
    "template": "PAY_FOR_PERFORMANCE",
    "code": "sla",
    "amount": "100",
    "metric": "availability",
    "bands": BANDS,
}


def form(**changes: Any) -> dict[str, Any]:
    base = {
        "line": [LINE],
        "period": {"kind": "calendar", "unit": "day"},
        "policy": {"coverage_s": 3600, **changes.pop("policy", {})},
    }
    return terms_map(**base, **changes)


def hourly(*, skip: tuple[int, ...] = (), bad: tuple[int, ...] = ()) -> list[dict[str, Any]]:
    return [
        {
            "at": ms(DAY[0]) + n * HOUR,
            "import": n,
            "seq": n + 1,
            "status_ok": n not in bad,
        }
        for n in range(25)
        if n not in skip
    ]


def scanned(specs: list[dict[str, Any]], **changes: Any) -> tuple[Statement, Availability]:
    statement = draw(form(**changes), specs, period=DAY)
    assert statement.availability is not None
    return statement, statement.availability


def hours(spans: Any) -> list[tuple[int, int]]:
    return [((a - ms(DAY[0])) // HOUR, (b - ms(DAY[0])) // HOUR) for a, b in spans]


def test_a_missing_reading_leaves_its_own_interval_unknown() -> None:
    _, found = scanned(hourly(skip=(7,)))
    assert hours(found.assets[0].unknown) == [(6, 7)]


def test_a_bad_reading_makes_the_interval_that_ends_with_it_down() -> None:
    statement, found = scanned(hourly(bad=(7,)))
    assert hours(found.assets[0].down) == [(6, 7)]
    assert found.value == Fraction(23, 24)
    assert statement.lines[0].metric == Fraction(23, 24)


def test_a_reading_excluded_as_a_point_still_says_that_the_asset_was_down() -> None:
    _, found = scanned(hourly(bad=(7,)), policy={"status": "exclude"})
    assert hours(found.assets[0].down) == [(6, 7)]


def test_maintenance_and_pauses_are_no_part_of_the_base() -> None:
    _, found = scanned(
        hourly(bad=(7, 12)),
        maintenance=[{"start": "2026-04-01T06:00:00Z", "end": "2026-04-01T08:00:00Z"}],
        pauses=[{"start": "2026-04-01T11:00:00Z", "end": "2026-04-01T13:00:00Z"}],
    )
    assert (found.base_ms, found.down_ms) == (20 * HOUR, 0)
    assert found.assets[0].excluded_ms == 4 * HOUR


def test_unknown_beyond_the_limit_is_down_and_said() -> None:
    statement, found = scanned(hourly(skip=(3, 4, 5)))
    assert (found.unknown_ms, found.left_out) == (3 * HOUR, Fraction(24 * HOUR, 20))
    assert found.value == Fraction(21 * HOUR, 24 * HOUR - found.left_out)
    assert statement.lines[0].flags == (Flag.UNKNOWN, Flag.UNKNOWN_DOWN)


def test_with_no_limit_everything_unknown_is_left_out() -> None:
    _, found = scanned(hourly(skip=(3, 4, 5)), policy={"max_unknown_percent": 100})
    assert found.value == 1


def test_nobody_could_have_been_up_is_no_shortfall() -> None:
    _, found = scanned([], policy={"max_unknown_percent": 100})
    assert (found.value, found.left_out) == (1, 24 * HOUR)


def test_a_record_signed_for_two_contents_covers_nothing() -> None:
    twice = {**hourly()[7], "content": "another"}
    _, found = scanned([*hourly(), twice])
    assert hours(found.assets[0].unknown) == [(6, 7)]


def test_two_keys_cover_an_asset_together_and_down_wins() -> None:
    first = [spec for spec in hourly(bad=(5,)) if spec["seq"] <= 13]
    second = [{**spec, "key": "b"} for spec in hourly() if spec["seq"] >= 5]
    statement = draw(form(), [*first, *second], period=DAY, nodes=[make_node(), make_node("b")])
    assert statement.availability is not None
    assert hours(statement.availability.assets[0].unknown) == []
    assert hours(statement.availability.assets[0].down) == [(4, 5)]


def test_an_open_relay_is_down_until_an_event_says_closed() -> None:
    events = [
        {"at": "2026-04-01T02:30:00Z", "ctx": 2, "relay": 0},
        {"at": "2026-04-01T04:30:00Z", "ctx": 2, "relay": 1},
    ]
    _, found = scanned([*hourly(), *events])
    assert found.down_ms == 2 * HOUR


def test_the_last_relay_event_before_the_neighbours_counts() -> None:
    event = {"at": "2026-02-01T00:00:00Z", "ctx": 2, "relay": 0}
    _, found = scanned([event, *hourly()])
    assert found.value == 0


def test_a_statement_is_provisional_while_its_end_is_unknown() -> None:
    states = [scanned(hourly(skip=skip))[0].state for skip in ((), (24,), (0,), (12,))]
    assert states == [State.COMPLETE, State.PROVISIONAL, State.PROVISIONAL, State.COMPLETE]


def test_time_out_of_force_is_no_part_of_the_scan() -> None:
    _, found = scanned(hourly(bad=(3,)), start="2026-04-01T12:00:00Z")
    assert (found.base_ms, found.value) == (12 * HOUR, 1)


def test_spans_behave_like_sets_of_time() -> None:
    assert union([(5, 7), (1, 3), (3, 5), (9, 9), (8, 6)]) == ((1, 7),)
    assert common([(0, 4), (6, 9)], [(2, 7), (8, 20)]) == ((2, 4), (6, 7), (8, 9))
    assert without([(0, 10)], [(2, 3), (5, 20)]) == ((0, 2), (3, 5))
    assert length_ms(without([(0, 4), (6, 9)], [(1, 2), (8, 20)])) == 5


def dispute_counts(code: str, within: Window, lines: list[dict[str, Any]]) -> dict[int, int]:
    return disputable(
        make_terms(form() | {"line": lines}),
        make_readings(hourly(bad=(7, 8))),
        window(*DAY),
        code,
        within,
        nodes=[make_node()],
        cutoff=CUTOFF,
    )


def test_what_a_dispute_of_a_time_is_about_is_counted() -> None:
    within = Window(start_ms=ms(DAY[0]) + 7 * HOUR, end_ms=ms(DAY[0]) + 10 * HOUR)
    use = {
        "template": "PAY_PER_USE",
        "code": "use",
        "quantity": "import_energy",
        "unit": "kWh",
        "price": "1",
    }
    base = {"template": "SUBSCRIPTION", "code": "base", "amount": "1"}
    assert dispute_counts("sla", within, [LINE]) == {-1: HOUR}
    assert dispute_counts("use", within, [use]) == {-1: 3}
    assert dispute_counts("base", within, [base]) == {-1: 3 * HOUR}
    early = Window(start_ms=0, end_ms=ms(DAY[0]) + HOUR)
    assert dispute_counts("use", early, [use]) == {-1: 1}
    fee = {"template": "STARTUP_FEE", "code": "fee", "amount": "1", "at": DAY[0]}
    with pytest.raises(SettlementError, match="nothing of line fee can be in dispute"):
        dispute_counts("fee", within, [fee])


def test_estimates_from_beyond_the_cut_off_or_of_no_time_are_refused() -> None:
    good = {
        "asset": "asset",
        "quantity": "import_energy",
        "start_ms": 1,
        "end_ms": 2,
        "count": 1,
        "index": 1,
    }
    for change, message in (
        ({"index": CUTOFF.size}, "entries before the cut-off at 1000000 expected, got estimate"),
        ({"end_ms": 1}, "estimate 1: a time that is not empty and a count from 0 expected"),
        ({"count": -1}, "estimate 1: a time that is not empty and a count from 0 expected"),
    ):
        with pytest.raises(SettlementError, match=message):
            settle(
                make_terms(terms_map()),
                [],
                window(*DAY),
                nodes=[make_node()],
                cutoff=CUTOFF,
                estimates=[Estimate(**{**good, **change})],
            )


def test_a_chart_may_ask_for_any_quantity_without_readings() -> None:
    lines = [
        {**LINE},
        {
            "template": "SHORTFALL",
            "code": "ld",
            "quantity": "import_energy",
            "unit": "MWh",
            "target": "1",
            "damages": "10",
        },
        {
            "template": "PAY_PER_USE",
            "code": "use",
            "quantity": "import_energy",
            "unit": "kWh",
            "price": "1",
        },
    ]
    terms = make_terms(form() | {"line": lines})
    drawn = price_at(terms, {"use": 400}, availability=Fraction(1, 2))
    assert [(line.code, line.minor) for line in drawn] == [
        ("sla", 5000),
        ("ld", -600),
        ("use", 40000),
    ]
    with pytest.raises(SettlementError, match="line sla: a line that counts something expected"):
        price_at(terms, {"sla": 1})


@pytest.mark.parametrize("vector", TEMPLATE_VECTORS, ids=lambda vector: str(vector["name"]))
def test_every_example_has_a_narrow_text_and_plain_json(vector: dict[str, Any]) -> None:
    document = read_statement(statement_of(vector).to_cbor())
    text = statement_text(document)
    assert max(len(line) for line in text.splitlines()) <= 78
    assert f"TOTAL{(statement_of(vector).total + ' EUR').rjust(73)}" in text
    payouts = statement_json(document)["payouts"]
    assert payouts[0][0] == "seller"
