"""CSV loads: every layout a person may have, read exactly."""

import os
from fractions import Fraction
from pathlib import Path

import pytest

from wattest.scenario.csv_load import parse_csv_load
from wattest.scenario.csv_options import (
    Backward,
    CsvOptions,
    End,
    Fill,
    Interpolation,
    Positive,
)

S = 10**9
PLAIN = "time,p\n0,100\n1,-50.5\n2,30\n"
ELAPSED = {"time_format": "elapsed"}


def load(text, **options):
    return parse_csv_load(text, CsvOptions(**options), path="load.csv", un_mv=48_000)


def watts(result):
    scale = Fraction(1, result.profile.power.denominator * 10**6)
    return [
        (left / S, right / S, float(a * scale), float(b * scale))
        for left, right, a, b in result.profile.power.pieces()
    ]


def test_values_are_held_until_the_next_row_and_the_last_one_for_a_step():
    result = load(PLAIN, **ELAPSED)
    assert watts(result) == [(0, 1, 100, 100), (1, 2, -50.5, -50.5), (2, 3, 30, 30)]
    assert result.duration_ns == 3 * S
    assert result.notes == ()


def test_linear_interpolation_joins_rows_and_splits_at_zero():
    result = load(PLAIN, interpolation=Interpolation.LINEAR, **ELAPSED)
    crossing = 100 / 150.5
    pieces = watts(result)
    assert pieces[0] == (0, pytest.approx(crossing, abs=1e-9), 100, 0)
    assert pieces[-1] == (2, 3, 30, 30)


@pytest.mark.parametrize(
    ("unit", "number", "power_w"),
    [("W", "5", 5), ("kW", "0.005", 5), ("mW", "5000", 5), ("MW", "5e-6", 5), ("uW", "5e6", 5)],
)
def test_units_of_power_are_exact(unit, number, power_w):
    result = load(f"time,p\n0,{number}\n1,{number}\n", unit=unit, **ELAPSED)
    assert result.profile.energy_between(0, S).import_nj == power_w * 10**9


def test_energy_per_interval_becomes_exactly_that_energy():
    text = "time,e\n0,1\n7,0.5\n14,1e-3\n"
    result = load(text, unit="kWh", **ELAPSED)
    kwh_nj = 3_600_000 * 10**9
    assert result.profile.energy_between(0, 7 * S).import_nj == kwh_nj
    assert result.profile.energy_between(0, 21 * S).import_nj == Fraction("1.501") * kwh_nj


def test_a_current_is_multiplied_by_the_voltage_column():
    text = "time,i,u\n0,2,230\n1,-1,231\n"
    result = load(
        text, column="i", unit="A", voltage_column="u", voltage_scale=Fraction(1, 5), **ELAPSED
    )
    assert watts(result) == [(0, 1, 92, 92), (1, 2, -46.2, -46.2)]
    assert result.profile.voltage_mean_uv(0, S) == 46_000_000


def test_positive_export_turns_the_sign():
    result = load(PLAIN, positive=Positive.EXPORT, **ELAPSED)
    assert watts(result)[0] == (0, 1, -100, -100)


def test_a_scale_of_one_third_stays_exact():
    result = load("time,p\n0,100\n1,100\n", scale=Fraction(1, 3), **ELAPSED)
    assert result.profile.energy_between(0, 3 * S).import_nj == Fraction(200, 3) * 10**9


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("time;p\n0;1,5\n1;2,5\n", {"decimal": ","}),
        ("time\tp\r\n0\t1.5\r\n1\t2.5\r\n", {}),
        ('"time","p"\n"0","1.5"\n"1","2.5"\n', {}),
        ("time|p\n0|1.5\n1|2.5\n", {"delimiter": "|"}),
        ("made by X\n\ntime,p\n0,1.5\n1,2.5\n", {"skip_rows": 2}),
        ("time,p\ns,W\n0,1.5\n1,2.5\n", {"header_rows": 2}),
        ("0,1.5\n1,2.5\n", {"header_rows": 0}),
        ("p,time\n1.5,0\n2.5,1\n", {"column": "p", "time": ("time",)}),
        ("a,p,time\nx,1.5,0\ny,2.5,1\n", {"column": "#2", "time": ("time",)}),
        ("p\n1.5\n2.5\n", {"step_ns": S, "time": ()}),
        ("time,p\n\n0,1.5\n\n1,2.5\n\n", {}),
    ],
    ids=[
        "decimal comma",
        "tab and CRLF",
        "quoted",
        "bar",
        "lines before the header",
        "two header lines",
        "no header",
        "time behind the value",
        "column by number",
        "no time column",
        "blank lines",
    ],
)
def test_layouts_that_mean_the_same_give_the_same_load(text, options):
    assert watts(load(text, **(ELAPSED | options))) == [(0, 1, 1.5, 1.5), (1, 2, 2.5, 2.5)]


@pytest.mark.parametrize(
    ("first", "second", "options"),
    [
        ("2026-06-15T12:00:00Z", "2026-06-15T12:01:00Z", {}),
        ("2026-06-15 14:00:00+02:00", "2026-06-15 14:01:00+02:00", {}),
        ("2026-06-15 14:00", "2026-06-15 14:01", {"time_zone": "+02:00"}),
        ("15/6/2026 12:00", "15/6/2026 12:01", {"time_format": "%d/%m/%Y %H:%M"}),
        ("1781524800", "1781524860", {"time_format": "unix"}),
        ("1781524800000", "1781524860000", {"time_format": "unix_ms"}),
    ],
)
def test_times_of_every_format_mean_the_same_instant(first, second, options):
    result = load(f"when,p\n{first},1\n{second},2\n", **options)
    assert result.start_ms == 1_781_524_800_000
    assert watts(result) == [(0, 60, 1, 1), (60, 120, 2, 2)]


def test_a_date_and_a_time_column_are_read_together():
    text = "Date;Time;p\n1/2/2007;00:00:00;1\n1/2/2007;00:01:00;2\n"
    result = load(text, column="p", time=("Date", "Time"), time_format="%d/%m/%Y %H:%M:%S")
    assert result.start_ms == 1_170_288_000_000


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Fill.HOLD, [(0, 1, 4, 4), (1, 2, 4, 4), (2, 3, 8, 8)]),
        (Fill.LINEAR, [(0, 1, 4, 4), (1, 2, 6, 6), (2, 3, 8, 8)]),
        (Fill.ZERO, [(0, 1, 4, 4), (1, 2, 0, 0), (2, 3, 8, 8)]),
    ],
)
@pytest.mark.parametrize("cell", ["nan", "NaN", "", "n/a", "-inf"])
def test_a_missing_number_is_filled_by_the_rule_and_noted(rule, expected, cell):
    result = load(f"time,p\n0,4\n1,{cell}\n2,8\n", missing=rule, **ELAPSED)
    assert watts(result) == expected
    assert result.notes == (f"1 cells of p without a number filled: {rule}",)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Fill.HOLD, [(0, 1, 4, 4), (1, 9, 6, 6), (9, 10, 8, 8)]),
        (Fill.LINEAR, [(0, 1, 4, 4), (1, 9, 6, 8), (9, 10, 8, 8)]),
        (Fill.ZERO, [(0, 1, 4, 4), (1, 2, 6, 6), (2, 9, 0, 0), (9, 10, 8, 8)]),
    ],
)
def test_a_gap_is_filled_by_the_rule_and_noted(rule, expected):
    result = load("time,p\n0,4\n1,6\n9,8\n", gap=rule, **ELAPSED)
    assert watts(result) == expected
    assert result.notes == (f"1 gaps filled: {rule}",)


def test_rows_that_go_backward_are_dropped_if_asked_for():
    text = "time,p\n0,1\n1,2\n1,9\n0,9\n2,3\n"
    result = load(text, backward=Backward.DROP, **ELAPSED)
    assert watts(result) == [(0, 1, 1, 1), (1, 2, 2, 2), (2, 3, 3, 3)]
    assert result.notes == ("2 rows dropped: time not after the row before",)


def test_the_beginning_can_be_skipped_within_a_piece():
    result = load(PLAIN, skip_ns=S // 2, **ELAPSED)
    assert result.profile.energy_between(0, S).import_nj == 50 * 10**9
    assert result.duration_ns == 5 * S // 2


@pytest.mark.parametrize(
    ("end", "import_j"), [(End.REFUSE, 0), (End.ZERO, 0), (End.HOLD, 120), (End.REPEAT, 230)]
)
def test_after_the_last_row_the_end_rule_holds(end, import_j):
    result = load(PLAIN, end=end, **ELAPSED)
    assert result.profile.energy_between(3 * S, 7 * S).import_nj == import_j * 10**9


def test_the_label_states_source_unit_sign_and_scale():
    result = load(PLAIN, scale=Fraction(1, 10), positive=Positive.EXPORT, **ELAPSED)
    assert result.profile.label == "load.csv: p in W, positive is export, scaled by 1/10"


# ---- real data ---------------------------------------------------------------------------------

DATA = os.environ.get("WATTEST_TEST_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="WATTEST_TEST_DATA names no folder with loads")


def real(name, **options):
    path = Path(str(DATA)) / "loads" / name
    return parse_csv_load(
        path.read_text(encoding="utf-8"), CsvOptions(**options), path=str(path), un_mv=48_000
    )


def naive_energy_wh(name, column, separator=","):
    """Sum one-minute rows of a file with nothing but splitting and fractions."""
    lines = (Path(str(DATA)) / "loads" / name).read_text(encoding="utf-8").splitlines()
    index = lines[0].split(separator).index(column)
    numbers = [Fraction(line.split(separator)[index]) for line in lines[1:]]
    positive = sum((number for number in numbers if number > 0), Fraction(0)) / 60
    return positive, positive - sum(numbers) / 60


@needs_data
def test_the_measured_solar_roof_is_metered_both_ways_exactly():
    name = "solar_serf_east_1min_ac_power.csv"
    result = real(name, column="ac_power__752", positive=Positive.EXPORT)
    energy = result.profile.energy_between(0, result.duration_ns)
    exported, imported = naive_energy_wh(name, "ac_power__752")
    assert (energy.export_wh, energy.import_wh) == (exported, imported)
    assert imported > 50
    assert result.rows == 2607
    assert result.start_ms == 1_647_603_180_000


@needs_data
def test_the_measured_household_brings_its_own_voltage():
    name = "household_uci_1min_2007-02-01_02.csv"
    result = real(
        name,
        column="Global_active_power",
        unit="kW",
        time=("Date", "Time"),
        time_format="%d/%m/%Y %H:%M:%S",
        voltage_column="Voltage",
        voltage_scale=Fraction(1, 5),
    )
    energy = result.profile.energy_between(0, result.duration_ns)
    positive, _ = naive_energy_wh(name, "Global_active_power", ";")
    assert energy.import_wh == positive * 1000
    assert result.profile.voltage_mean_uv(0, 60 * S) == 48_630_000


@needs_data
def test_a_year_of_weather_with_two_header_lines_is_read():
    result = real("wind_weather_hourly_2010.csv", column="#7", header_rows=2)
    assert result.rows == 8760
    assert result.duration_ns == 8760 * 3600 * S


@needs_data
def test_fifteen_minute_solar_data_without_a_zone_are_read():
    result = real("solar_serf_west_15min_electrical.csv", column="ac_power__773")
    assert result.rows == 480
