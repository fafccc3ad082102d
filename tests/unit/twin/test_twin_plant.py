"""Plant models: weather and settings in, expectation out; the load is out of their sight."""

import ast
from dataclasses import replace
from pathlib import Path

import pytest

import wattest.twin
from wattest.data import data_root
from wattest.scenario import CsvOptions, CsvSpec, load_scenario, prepare
from wattest.twin import plant_for

HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def farm():
    scenario = load_scenario(data_root() / "bench" / "scenarios" / "wind_farm.toml")
    return prepare(scenario)


def plant_of(farm, name):
    node = next(node for node in farm.nodes if node.spec.name == name)
    return node, plant_for(node.spec, farm.weather, epoch_ms=farm.scenario.epoch_ms)


@pytest.mark.parametrize("name", ["turbine-1", "turbine-3", "roof"])
def test_the_expectation_follows_the_asset_without_being_its_load(farm, name):
    node, plant = plant_of(farm, name)
    start = farm.scenario.epoch_ms
    expected = plant.mean_milliwatts(start, start + 24 * HOUR_MS)
    metered = node.load.power_mean_uw(0, 86_400 * 10**9) // 1000
    assert expected == pytest.approx(metered, rel=0.05)
    minutes = [
        (
            plant.mean_milliwatts(start + 60_000 * minute, start + 60_000 * (minute + 1)),
            node.load.power_mean_uw(minute * 60 * 10**9, (minute + 1) * 60 * 10**9) // 1000,
        )
        for minute in range(600, 700)
    ]
    assert all(a != b for a, b in minutes)


def test_the_charger_is_expected_to_draw_what_was_booked(farm):
    _, plant = plant_of(farm, "charger")
    begin = farm.scenario.epoch_ms + 16 * HOUR_MS + HOUR_MS // 2
    assert plant.mean_milliwatts(begin, begin + HOUR_MS) == 4_400_000
    assert plant.mean_milliwatts(begin - HOUR_MS, begin) == 1_600


def test_two_turbines_of_one_site_have_the_same_expectation(farm):
    _, first = plant_of(farm, "turbine-1")
    _, second = plant_of(farm, "turbine-4")
    assert list(first.power.pieces()) == list(second.power.pieces())


def test_a_replayed_file_has_no_plant(farm):
    node = replace(farm.nodes[0].spec, load=CsvSpec(path=Path("x.csv"), options=CsvOptions()))
    assert plant_for(node, farm.weather, epoch_ms=0) is None


def test_the_twin_never_imports_the_load_it_mirrors():
    hidden = {
        "wattest.scenario.load",
        "wattest.scenario.prepare",
        "wattest.scenario.csv_load",
        "wattest.scenario",
    }
    hidden_names = {"turbine_power", "solar_power", "ev_power", "household_power"}
    for path in Path(wattest.twin.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert node.module not in hidden, path
                assert not hidden_names & {alias.name for alias in node.names}, path
            elif isinstance(node, ast.Import):
                assert not hidden & {alias.name for alias in node.names}, path
