"""Exactness of loads against a slow oracle that integrates every piece as a fraction."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattest.errors import ConfigError
from wattest.scenario.load import LoadProfile, Origin
from wattest.scenario.piecewise import Outside, Piecewise

VOLTS = Piecewise.constant(48_000_000)


@st.composite
def functions(draw, outsides=tuple(Outside)):
    widths = draw(st.lists(st.integers(1, 40), min_size=1, max_size=6))
    knots = [draw(st.integers(-20, 20))]
    for width in widths:
        knots.append(knots[-1] + width)
    values = st.lists(st.integers(-9, 9), min_size=len(widths), max_size=len(widths))
    return Piecewise(
        knots,
        draw(values),
        draw(values),
        denominator=draw(st.integers(1, 4)),
        outside=draw(st.sampled_from(outsides)),
    )


def naive(function, t0_ns, t1_ns, part):
    """Sum the exact areas of one-nanosecond trapezoids, positive parts only if asked."""
    total = Fraction(0)
    for t_ns in range(t0_ns, t1_ns):
        # Inside of one nanosecond the function is straight: knots lie on whole ones.
        start = function.value(t_ns)
        middle_doubled = 2 * midpoint(function, t_ns)
        end = middle_doubled - start
        if part == "net":
            total += middle_doubled / 2
            continue
        assert start * end >= 0, "split_at_zero leaves no crossing inside of a nanosecond"
        total += (max(start, Fraction(0)) + max(end, Fraction(0))) / 2
    return total


def midpoint(function, t_ns):
    """Value half a nanosecond later, from the function stretched to twice the time."""
    stretched = Piecewise(
        [
            2 * knot
            for knot in (function.start_ns, *(right for _, right, _, _ in function.pieces()))
        ],
        [a for _, _, a, _ in function.pieces()],
        [b for _, _, _, b in function.pieces()],
        denominator=function.denominator,
        outside=function.outside,
    )
    return stretched.value(2 * t_ns + 1)


@given(functions(), st.integers(-60, 260), st.integers(0, 90))
def test_the_integral_equals_the_oracle_inside_and_outside(function, t0_ns, width_ns):
    assert function.integral(t0_ns, t0_ns + width_ns) == naive(
        function, t0_ns, t0_ns + width_ns, "net"
    )


@given(functions(), st.integers(-60, 260), st.integers(0, 90))
def test_import_and_export_are_split_exactly_at_zero(function, t0_ns, width_ns):
    load = LoadProfile(power=function, voltage=VOLTS, label="", origin=Origin.STATED)
    energy = load.energy_between(t0_ns, t0_ns + width_ns)
    imported = naive(load.power, t0_ns, t0_ns + width_ns, "positive")
    net = naive(load.power, t0_ns, t0_ns + width_ns, "net")
    assert energy.import_nj * 10**6 == imported
    assert energy.export_nj * 10**6 == imported - net
    assert energy.export_nj >= 0


@given(functions(), st.lists(st.integers(-60, 260), min_size=2, max_size=8))
def test_energies_of_adjacent_intervals_add_up_exactly(function, times):
    load = LoadProfile(power=function, voltage=VOLTS, label="", origin=Origin.STATED)
    times.sort()
    parts = [load.energy_between(a, b) for a, b in pairwise(times)]
    whole = load.energy_between(times[0], times[-1])
    assert sum((part.import_nj for part in parts), Fraction(0)) == whole.import_nj
    assert sum((part.export_nj for part in parts), Fraction(0)) == whole.export_nj


@given(functions(), st.integers(-60, 260), st.integers(1, 90))
def test_the_mean_is_the_nearest_integer_of_the_exact_mean(function, t0_ns, width_ns):
    exact = function.integral(t0_ns, t0_ns + width_ns) / width_ns
    mean = function.mean(t0_ns, t0_ns + width_ns)
    assert -Fraction(1, 2) < mean - exact <= Fraction(1, 2)


@given(functions((Outside.ZERO, Outside.HOLD)), st.integers(0, 30), st.integers(1, 200))
def test_a_replaced_window_holds_its_value_and_leaves_the_rest(function, offset, width):
    start, end = function.start_ns + offset, function.start_ns + offset + width
    changed = function.replaced(start, end, Fraction(7, 3))
    assert changed.integral(start, end) == Fraction(7, 3) * width
    assert changed.integral(start - 40, start) == function.integral(start - 40, start)
    assert changed.integral(end, end + 50) == function.integral(end, end + 50)


@given(functions(), st.fractions(min_value=Fraction(1, 9), max_value=9, max_denominator=9))
def test_scaling_is_exact(function, factor):
    assert function.scaled(factor).integral(-5, 77) == factor * function.integral(-5, 77)


@given(functions(), st.integers(-50, 50))
def test_shifting_moves_the_function(function, by_ns):
    assert function.shifted(by_ns).integral(3 + by_ns, 60 + by_ns) == function.integral(3, 60)


def test_a_crossing_lies_on_the_nearest_nanosecond():
    function = Piecewise.linear([0, 10], [Fraction(2), Fraction(-1)])
    assert list(function.split_at_zero().pieces()) == [(0, 7, 2, 0), (7, 10, 0, -1)]


def test_a_piece_of_one_nanosecond_that_crosses_zero_keeps_a_sign():
    pieces = list(Piecewise.linear([0, 1], [3, -1]).split_at_zero().pieces())
    assert pieces == [(0, 1, 3, 0)]


@pytest.mark.parametrize(
    ("knots", "first", "last", "message"),
    [
        ([0], [], [], "n \\+ 1 knots"),
        ([0, 1], [1], [], "n \\+ 1 knots"),
        ([0, 0], [1], [1], "strictly increasing"),
        ([1, 0], [1], [1], "strictly increasing"),
    ],
)
def test_a_malformed_function_is_refused(knots, first, last, message):
    with pytest.raises(ValueError, match=message):
        Piecewise(knots, first, last)


def test_a_backward_interval_is_refused():
    with pytest.raises(ValueError, match="t0 <= t1 expected"):
        VOLTS.integral(5, 4)
    with pytest.raises(ValueError, match="t0 < t1 expected"):
        VOLTS.mean(5, 5)


def profile(power, volts=48_000_000):
    return LoadProfile(
        power=power, voltage=Piecewise.constant(volts), label="", origin=Origin.STATED
    )


def check(load):
    load.check_range(un_mv=48_000, imax_ma=100_000, path="s.toml", key="node[0].load")


def test_a_load_at_the_limit_is_in_range():
    check(profile(Piecewise.constant(4_800_000_000)))
    check(profile(Piecewise.constant(-4_800_000_000)))


def test_a_load_beyond_the_range_is_refused_with_a_scale_that_fits():
    power = Piecewise.hold([0, 60 * 10**9], [10**6, -9_600 * 10**6], 120 * 10**9)
    with pytest.raises(ConfigError, match=r"at most 4800 W .* got -9600.0 W at 1m") as caught:
        check(profile(power))
    assert "scale to at most 0.500" in caught.value.hint
    check(profile(power.scaled(Fraction(1, 2))))


def test_a_low_voltage_makes_the_current_too_large():
    with pytest.raises(ConfigError, match="at most 100000 mA expected"):
        check(profile(Piecewise.constant(4_000_000_000), volts=30_000_000))


def test_a_voltage_beyond_the_sensor_is_refused():
    with pytest.raises(ConfigError, match=r"at most 85 V expected, got 230.0 V"):
        check(profile(Piecewise.constant(10**9), volts=230_000_000))


def test_a_voltage_of_zero_is_no_voltage():
    with pytest.raises(ValueError, match="voltage above zero"):
        profile(Piecewise.constant(1), volts=0)
