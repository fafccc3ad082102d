"""What people type: every accepted form, and one line for every form that is not."""

from __future__ import annotations

import argparse
from fractions import Fraction

import pytest

from wattest.cli import options


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10),
        ("90 s", 90),
        ("15min", 900),
        ("15m", 900),
        ("1h30min", 5400),
        ("1.5h", 5400),
        ("24h", 86400),
        ("7d", 604800),
        ("2000ms", 2),
        ("366d", 366 * 86400),
    ],
)
def test_duration_is_read_as_whole_seconds(text: str, seconds: int) -> None:
    assert options.duration_s(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "10", "h", "-1h", "1.2.3s", "10x", "1h!", "nan", "inf", "1e3s", "24 hours"]
)
def test_duration_that_is_none_is_refused_with_examples(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected a duration such as 10s"):
        options.duration_s(text)


def test_duration_of_a_fraction_of_a_second_is_refused() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected whole seconds, got '1500ms'"):
        options.duration_s("1500ms")


@pytest.mark.parametrize("text", ["0s", "367d", "999999999999d"])
def test_duration_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected 1s to 366d"):
        options.duration_s(text)


def test_speed_max_means_no_pace() -> None:
    assert options.speed("max") is None
    assert options.speed("60") == 60
    assert options.speed("0.5") == 0.5


@pytest.mark.parametrize("text", ["0", "-1", "fast", "nan", "inf", "1e9", ""])
def test_speed_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"expected max, or 0\.01 to 1000000"):
        options.speed(text)


@pytest.mark.parametrize("text", ["0", "-2", "NaN", "Infinity", "two"])
def test_scale_that_is_not_positive_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected a positive number"):
        options.scale(text)


def test_scale_is_exact() -> None:
    assert options.scale("0.1") == Fraction(1, 10)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (options.seed, "-1"),
        (options.seed, "9223372036854775808"),
        (options.count, "0"),
        (options.count, "1001"),
        (options.index, "1.0"),
        (options.index, "0x10"),
    ],
)
def test_whole_number_out_of_range_is_refused(read: object, text: str) -> None:
    assert callable(read)
    with pytest.raises(argparse.ArgumentTypeError, match="expected a whole number"):
        read(text)
