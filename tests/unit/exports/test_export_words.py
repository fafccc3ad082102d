"""Numbers, amounts, times and spans as people read them."""

from __future__ import annotations

from fractions import Fraction

import pytest

from wattest.exports.words import amount, counted, grouped, instant, listed, number, price, span


@pytest.mark.parametrize(
    ("minor", "scale", "said"),
    [
        (123_450, 2, "1,234.50 EUR"),
        (-5, 2, "-0.05 EUR"),
        (-1_234_567, 0, "-1,234,567 EUR"),
        (1_000_000, 6, "1.000000 EUR"),
    ],
)
def test_amounts(minor: int, scale: int, said: str) -> None:
    assert amount(minor, scale, "EUR") == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Fraction("0.085"), "0.085 EUR"),
        (Fraction("9.5"), "9.50 EUR"),
        (Fraction("1200"), "1,200.00 EUR"),
        (Fraction(-1, 4), "-0.25 EUR"),
        (Fraction(450, 7300), "≈ 0.061643836 EUR"),
    ],
)
def test_prices_have_the_decimals_of_the_currency_at_least(value: Fraction, said: str) -> None:
    assert price(value, 2, "EUR") == said


@pytest.mark.parametrize(
    ("value", "places", "said"),
    [
        (Fraction(1, 3), 6, "≈ 0.333333"),
        (Fraction("650.5"), 6, "650.5"),
        (1_000_000, 6, "1,000,000"),
        (Fraction("0.6"), 0, "≈ 1"),
    ],
)
def test_numbers_say_when_they_are_rounded(value: Fraction, places: int, said: str) -> None:
    assert number(value, places) == said


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("UTC", "29 March 2026, 01:00 UTC"),
        ("Europe/Berlin", "29 March 2026, 03:00 +02:00"),
        ("America/St_Johns", "28 March 2026, 22:30 -02:30"),
    ],
)
def test_instants_carry_their_zone(zone: str, said: str) -> None:
    assert instant(1_774_746_000_000, zone) == said


def test_seconds_of_an_instant_are_said_where_there_are_any() -> None:
    assert instant(1_774_746_059_000, "UTC").endswith("01:00:59 UTC")
    assert instant(1_774_746_059_007, "UTC").endswith("01:00:59.007 UTC")


@pytest.mark.parametrize(
    ("duration_ms", "said"),
    [
        (0, "no time"),
        (7, "7 ms"),
        (1000, "1 second"),
        (90_000, "1 minute 30 seconds"),
        (79_199_996, "22 hours"),
        (30 * 86_400_000, "30 days"),
        (2_678_400_000 - 3_600_000, "30 days 23 hours"),
    ],
)
def test_spans_have_two_units_at_most(duration_ms: int, said: str) -> None:
    assert span(duration_ms) == said


def test_lists_and_plurals() -> None:
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert counted(1, "entry") == "1 entry"
    assert counted(1200, "entry") == "1,200 entries"
    assert counted(2, "day") == "2 days"
    assert grouped("-1234567.50") == "-1,234,567.50"
