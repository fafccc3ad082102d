"""Scenarios made ready: files read, lengths and ranges checked, replays built, errors bounded."""

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from wattest.boards import load_board
from wattest.emulator.ina228 import Ina228
from wattest.emulator.ina228_adc import ChipErrors
from wattest.errors import ConfigError
from wattest.scenario import (
    ChipErrorSpec,
    CsvOptions,
    CsvSpec,
    LoadProfile,
    Origin,
    Outside,
    Piecewise,
    Positive,
    error_budget,
    parse_scenario,
    prepare,
    replay_scenario,
)
from wattest.settlement.terms import FixedPeriods

S = 10**9
DATA = os.environ.get("WATTEST_TEST_DATA")
HEAD = """
name = "case"
seed = 5
epoch = 2026-06-15T12:00:00Z
duration = "10m"
"""


def scenario(load, extra="", folder="."):
    text = f'{HEAD}\n[[node]]\nname = "a"\nload = {load}\n{extra}'
    return parse_scenario(text, f"{folder}/case.toml")


def write_csv(folder, rows=11, last=100):
    lines = ["time,p", *(f"{60 * row},{last if row == rows - 1 else 50}" for row in range(rows))]
    (folder / "load.csv").write_text("\n".join(lines))


CSV = '{ kind = "csv", file = "load.csv", time_format = "elapsed" }'


def test_a_load_file_is_found_beside_the_scenario_and_read_once_for_all_nodes(tmp_path):
    write_csv(tmp_path)
    text = scenario(CSV, folder=tmp_path)
    many = replace(
        text, nodes=tuple(replace(text.nodes[0], name=f"n{number}") for number in range(3))
    )
    nodes = prepare(many).nodes
    assert nodes[0].load is nodes[2].load
    assert nodes[0].load.energy_between(0, 600 * S).import_nj == 50 * 600 * 10**9


def test_a_load_shorter_than_the_run_is_refused_unless_a_rule_ends_it(tmp_path):
    write_csv(tmp_path, rows=5)
    with pytest.raises(ConfigError, match=r"load.csv: a load of at least 10m .* got 5m") as caught:
        prepare(scenario(CSV, folder=tmp_path))
    assert "end = 'repeat'" in caught.value.hint
    repeated = CSV.replace(" }", ', end = "repeat" }')
    load = prepare(scenario(repeated, folder=tmp_path)).nodes[0].load
    assert load.energy_between(300 * S, 600 * S) == load.energy_between(0, 300 * S)


def test_a_load_beyond_the_board_is_refused_before_the_start(tmp_path):
    write_csv(tmp_path, last=-5000)
    with pytest.raises(ConfigError, match=r"4800 W expected .* got -5000.0 W at 10m") as caught:
        prepare(scenario(CSV, folder=tmp_path))
    assert "load.csv: node[0].load" in str(caught.value)
    assert "set scale to at most 0.960" in caught.value.hint
    scaled = CSV.replace(" }", ', scale = "0.96" }')
    prepare(scenario(scaled, folder=tmp_path))


def test_only_an_overload_of_the_plan_may_leave_the_range():
    fault = '[[fault]]\nkind = "overload"\nnode = "a"\nat = "2m"\nfor = "30s"\npower_w = -9000\n'
    load = prepare(scenario('{ kind = "constant", power_w = 40 }', fault)).nodes[0].load
    assert load.power_mean_uw(120 * S, 150 * S) == -9_000_000_000
    assert load.energy_between(0, 600 * S).import_nj == 40 * 570 * 10**9
    assert load.energy_between(0, 600 * S).export_nj == 9000 * 30 * 10**9


def test_a_missing_load_file_names_its_path(tmp_path):
    with pytest.raises(ConfigError, match=r"load.csv: file expected, got nothing there"):
        prepare(scenario(CSV, folder=tmp_path))


def test_an_interval_between_samples_is_refused():
    odd = replace(scenario('{ kind = "constant", power_w = 1 }'), interval_ms=1500)
    with pytest.raises(ConfigError, match="a multiple of the sample period"):
        prepare(odd)


def test_an_unknown_board_is_refused():
    text = f'{HEAD}\n[[node]]\nname = "a"\nboard = "esp33"\nload = "household"\n'
    with pytest.raises(ConfigError, match="got 'esp33'"):
        prepare(parse_scenario(text, "case.toml"))


def test_an_unknown_curve_is_refused():
    weather = '[weather.w]\nkind = "wind"\nmean_m_s = 5\n'
    with pytest.raises(ConfigError, match=r"turbine-none.toml: file expected"):
        prepare(scenario('{ kind = "turbine", weather = "w", curve = "none" }', weather))


def test_a_series_of_too_many_points_is_refused_with_a_step_that_works():
    weather = '[weather.w]\nkind = "wind"\nmean_m_s = 5\nstep = "1s"\n'
    long = scenario('{ kind = "constant", power_w = 1 }', weather).lasting(300 * 86_400 * S)
    with pytest.raises(ConfigError, match=r"weather.w.step: at most 1000000 steps") as caught:
        prepare(long)
    assert "make it 26s or longer" in caught.value.hint


def test_the_same_scenario_gives_the_same_loads_twice():
    text = scenario('"household"')
    first, second = (list(prepare(text).nodes[0].load.power.pieces()) for _ in range(2))
    assert first == second


def replay(folder, **options):
    return CsvSpec(path=folder / "load.csv", options=CsvOptions(time_format="elapsed", **options))


def test_a_replay_lasts_as_long_as_its_file_and_settles_its_own_period(tmp_path):
    write_csv(tmp_path)
    run = replay_scenario(replay(tmp_path), nodes=2, interval_ms=30_000)
    assert run.duration_ns == 660 * S
    assert [node.name for node in run.nodes] == ["node-1", "node-2"]
    (terms,) = run.contracts
    assert terms.contract == "supply"
    assert terms.assets == ("node-1", "node-2")
    assert terms.period == FixedPeriods(start_ms=run.epoch_ms, duration_ms=660_000)
    assert run.interval_ms == 30_000
    prepare(run)


def test_a_replay_of_exported_power_is_settled_as_feed_in(tmp_path):
    write_csv(tmp_path)
    run = replay_scenario(replay(tmp_path, positive=Positive.EXPORT), duration_ns=60 * S, seed=9)
    assert [terms.contract for terms in run.contracts] == ["feed-in"]
    assert (run.duration_ns, run.seed) == (60 * S, 9)


def test_a_replay_begins_when_its_file_does(tmp_path):
    rows = [f"2026-06-15T12:{minute:02d}:00Z,1" for minute in range(3)]
    (tmp_path / "load.csv").write_text("\n".join(["time,p", *rows]))
    run = replay_scenario(CsvSpec(path=tmp_path / "load.csv", options=CsvOptions()))
    assert run.epoch_ms == 1_781_524_800_000


@pytest.mark.skipif(not DATA, reason="WATTEST_TEST_DATA names no folder with loads")
def test_a_day_of_the_measured_roof_is_ready_to_replay():
    path = Path(str(DATA)) / "loads" / "solar_serf_east_1min_ac_power.csv"
    options = CsvOptions(column="ac_power__752", positive=Positive.EXPORT)
    run = replay_scenario(CsvSpec(path=path, options=options), duration_ns=86_400 * S)
    load = prepare(run).nodes[0].load
    energy = load.energy_between(0, run.duration_ns)
    assert energy.export_wh > 30_000
    assert energy.import_wh > 30


# ---- error budget: a chip as wrong as declared stays inside ---------------------------------


def metered_nj(load, chip, board, seconds):
    """Integrate POWER at one sample a second, like a node does; return import and export."""
    sensor = Ina228(load, shunt_uohm=board.sensor.shunt_uohm, errors=chip)
    for register, value in ((0x01, board.sensor.adc_config), (0x02, board.sensor.shunt_cal)):
        sensor.write(bytes([register]) + value.to_bytes(2, "big"), 0)
    totals = [0, 0]
    for second in range(1, seconds + 1):
        power = sensor.register(0x08, second * S)
        current = sensor.register(0x07, second * S)
        totals[current >> 23] += power * board.constants.power_nw_per_count
    return totals


@pytest.mark.parametrize(
    "chip",
    [
        ChipErrorSpec(),
        ChipErrorSpec(gain_current_ppm=2_000, gain_voltage_ppm=1_500),
        ChipErrorSpec(gain_current_ppm=-2_000, offset_nv=-20_000, offset_uv=-30_000),
        ChipErrorSpec(offset_nv=30_000, oscillator_ppm=5_000),
        ChipErrorSpec(gain_voltage_ppm=-500, oscillator_ppm=-5_000),
    ],
    ids=["ideal", "gain", "offset", "fast clock", "slow clock"],
)
def test_a_chip_with_declared_errors_stays_inside_its_budget(chip):
    board = load_board("emulated-esp32")
    values = [10**6 * ((index * 7919) % 6001 - 2000) for index in range(40)]
    power = Piecewise.linear([index * 90 * S for index in range(40)], values, outside=Outside.HOLD)
    load = LoadProfile(
        power=power, voltage=Piecewise.constant(48_000_000), label="", origin=Origin.STATED
    )
    errors = ChipErrors(
        gain_current_ppm=chip.gain_current_ppm,
        gain_voltage_ppm=chip.gain_voltage_ppm,
        offset_nv=chip.offset_nv,
        offset_uv=chip.offset_uv,
        oscillator_ppm=chip.oscillator_ppm,
    )
    imported, exported = metered_nj(load, errors, board, 3_600)
    truth = load.energy_between(0, 3_600 * S)
    budget = error_budget(load, chip, board, 0, 3_600 * S)
    off = abs(imported - truth.import_nj) + abs(exported - truth.export_nj)
    assert off <= budget.total_nj
    # A budget that explains anything explains nothing.
    assert budget.total_nj < Fraction(2, 100) * (truth.import_nj + truth.export_nj)


def test_an_undeclared_gain_breaks_the_budget():
    board = load_board("emulated-esp32")
    load = LoadProfile(
        power=Piecewise.constant(2_000_000_000),
        voltage=Piecewise.constant(48_000_000),
        label="",
        origin=Origin.STATED,
    )
    imported, _ = metered_nj(load, ChipErrors(gain_current_ppm=5_000), board, 3_600)
    truth = load.energy_between(0, 3_600 * S)
    budget = error_budget(load, ChipErrorSpec(), board, 0, 3_600 * S)
    assert abs(imported - truth.import_nj) > budget.total_nj


def test_the_budget_of_an_interval_does_not_count_the_peaks_of_another():
    board = load_board("emulated-esp32")
    power = Piecewise.hold([0, 3_600 * S], [10**6, 4_000 * 10**6], 7_200 * S)
    load = LoadProfile(
        power=power, voltage=Piecewise.constant(48_000_000), label="", origin=Origin.STATED
    )
    quiet = error_budget(load, ChipErrorSpec(), board, 0, 3_600 * S)
    assert dict(quiet.lines)["sampling"] == 2 * 1 * 2 * 10**9
