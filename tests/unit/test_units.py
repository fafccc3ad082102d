"""Durations and decimals: exact both ways."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattest.units import (
    format_decimal,
    format_duration,
    parse_decimal,
    parse_duration_ns,
)


@pytest.mark.parametrize(
    ("text", "expected_s"),
    [
        ("90s", 90),
        ("1.5h", 5400),
        ("1h30m", 5400),
        ("7d", 604_800),
        ("2min", 120),
        ("1h 5s", 3605),
    ],
)
def test_a_duration_is_read_exactly(text, expected_s):
    assert parse_duration_ns(text) == expected_s * 10**9


@pytest.mark.parametrize("text", ["", "5", "h", "-5s", "1e3s", "5 parsecs", "0.1ns", "nan s"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="duration expected"):
        parse_duration_ns(text)


@given(st.integers(min_value=0, max_value=10**20))
def test_a_duration_survives_its_text(duration_ns):
    assert parse_duration_ns(format_duration(duration_ns)) == duration_ns


@pytest.mark.parametrize("text", ["", "nan", "inf", "0x10", "1,5", "1_0", "1e9999", "--1", "٣"])
def test_what_is_no_decimal_is_refused(text):
    with pytest.raises(ValueError, match="decimal number expected"):
        parse_decimal(text)


@given(st.integers(), st.integers(min_value=0, max_value=12))
def test_a_decimal_survives_its_text(count, places):
    value = Fraction(count, 10**places)
    assert parse_decimal(format_decimal(value, places)) == value


def test_rounding_to_places_takes_ties_to_even():
    assert format_decimal(Fraction(5, 1000), 2) == "0.00"
    assert format_decimal(Fraction(15, 1000), 2) == "0.02"
    assert format_decimal(Fraction(-25, 10), 0) == "-2"
