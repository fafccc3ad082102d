"""A scenario survives being written out: the kept file plays the same run."""

from dataclasses import replace

import pytest

from wattest.data import data_root
from wattest.scenario import (
    CsvOptions,
    CsvSpec,
    Fill,
    load_scenario,
    parse_scenario,
    prepare,
    replay_scenario,
    scenario_to_toml,
)

SCENARIOS = sorted((data_root() / "bench" / "scenarios").glob("*.toml"))
EVERYTHING = r"""
name = "all"
seed = 3
epoch = 2026-06-15T12:00:00.250Z
duration = "2h"
interval = "30s"

[weather.site]
kind = "wind"
mean_m_s = 6.543

[weather.sky]
kind = "sun"
latitude = -33.5
longitude = 151.25

[[node]]
name = "constant"
load = { kind = "constant", power_w = "1/3", label = "a \"third\" \\ of a watt" }
chip = { noise_uv = 3 }

[[node]]
name = "steps"
count = 2
load = { kind = "steps", steps = [["0s", 1.5], ["10m", "-2/7"]] }

[[node]]
name = "turbine"
load = { kind = "turbine", weather = "site", curve = "bergey-excel-10", scale = "3/8" }

[[node]]
name = "roof"
load = { kind = "solar", weather = "sky", peak_w = 1000 }

[[node]]
name = "house"
load = { kind = "household", scale = 0.5 }

[[node]]
name = "car"
load = { kind = "ev-session", arrive = "10m", energy_wh = 1000, power_w = 2000 }

[[fault]]
kind = "power-cut"
node = "steps-1"
at = "1m"
flash_operation = 3

[[fault]]
kind = "replay"
node = "steps-1"
at = "2m"
back = 4

[[fault]]
kind = "clone"
node = "car"
at = "5m"
copied = "4m"
also = ["gap", "late"]

[[fault]]
kind = "bus-bits"
node = "car"
at = "6m"
every = 3
bit = 9
expect = ["implausible"]

[[fault]]
kind = "clock-step"
node = "car"
at = "7m"
by = "-1h30m"

[[fault]]
kind = "overload"
node = "car"
at = "8m"
power_w = 5500.5

[[fault]]
kind = "forge"
node = "car"
at = "9m"
bit = 600

[[action]]
kind = "relay"
node = "car"
at = "1m"
closed = false

[[action]]
kind = "interval"
node = "car"
at = "2m"
interval = "10s"

[[action]]
kind = "begin"
node = "car"
at = "3m"
id = "x y"
"""


def again(scenario):
    return parse_scenario(scenario_to_toml(scenario), "kept.toml")


def same(first, second):
    return replace(first, path="") == replace(second, path="")


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_scenario_of_the_project_reads_back_equal(path):
    scenario = load_scenario(path)
    assert same(again(scenario), scenario)


def test_every_kind_of_load_fault_and_action_reads_back_equal():
    scenario = parse_scenario(EVERYTHING, "all.toml")
    assert same(again(scenario), scenario)
    assert scenario_to_toml(again(scenario)) == scenario_to_toml(scenario)


def test_a_kept_replay_reads_its_file_from_anywhere(tmp_path, monkeypatch):
    (tmp_path / "load.csv").write_text("Zeit;P\n0;1,5\n60;2,5\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    options = CsvOptions(
        column="P",
        decimal=",",
        time=("Zeit",),
        time_format="elapsed",
        step_ns=60 * 10**9,
        missing=Fill.HOLD,
    )
    run = replay_scenario(
        CsvSpec(path=tmp_path.relative_to(tmp_path) / "load.csv", options=options)
    )
    kept = again(run)
    monkeypatch.chdir("/")
    assert kept.nodes[0].load.options == options
    first, second = (prepare(scenario).nodes[0].load for scenario in (kept, kept))
    assert first.power_mean_uw(0, 120 * 10**9) == second.power_mean_uw(0, 120 * 10**9) == 2_000_000
