"""The pages about scenarios and boards say what the code does."""

import re
from pathlib import Path

import pytest

from wattest.boards import Ina228Wiring, S0Wiring, board_names, load_board
from wattest.data import data_root
from wattest.scenario import ActionKind, FaultKind, parse_scenario, prepare
from wattest.scenario.csv_options import UNITS, read_csv_options
from wattest.scenario.curve import curve_names
from wattest.scenario.fault import _EXPECT
from wattest.scenario.read_load import _READERS
from wattest.tables import parse_table

DOCS = Path(__file__).resolve().parents[3] / "docs"
SCENARIOS = (DOCS / "scenarios.md").read_text(encoding="utf-8")
BOARDS = (DOCS / "boards.md").read_text(encoding="utf-8")


def example(first_line):
    blocks = re.findall(r"```toml\n(.*?)```", SCENARIOS, re.DOTALL)
    return next(block for block in blocks if block.startswith(f"# {first_line}\n"))


def test_the_example_scenario_can_be_prepared():
    scenario = parse_scenario(example("scenario"), str(data_root() / "example.toml"))
    assert [node.spec.name for node in prepare(scenario).nodes] == ["roof", "lamp-1", "lamp-2"]


def test_the_example_of_a_csv_load_names_every_option():
    table = parse_table(example("load"), "example.toml")
    assert "kind" in table
    assert "file" in table
    read_csv_options(table)
    table.finish()
    assert table._known - set(table.values) == {"step"}
    assert all(unit in SCENARIOS for unit in UNITS)


@pytest.mark.parametrize("kind", [*FaultKind])
def test_every_fault_is_described_with_its_verdict(kind):
    (row,) = re.findall(rf"^\| `{kind}` .*$", SCENARIOS, re.MULTILINE)
    expected = _EXPECT.get(kind)
    assert row.endswith(f"| `{expected}` |" if expected else "| must be said |")


@pytest.mark.parametrize("word", [*ActionKind, *_READERS, "csv", *curve_names()])
def test_every_action_load_and_curve_is_named(word):
    assert f"`{word}`" in SCENARIOS


@pytest.mark.parametrize("name", board_names())
def test_every_board_stands_in_the_table_with_its_pins(name):
    board = load_board(name)
    (row,) = re.findall(rf"^\| `{name}` \| ESP32.*$", BOARDS, re.MULTILINE)
    volts, amps = board.meter.un_mv // 1000, board.meter.imax_ma // 1000
    pins = f"{board.i2c.scl_pin}, {board.i2c.sda_pin}"
    sensor = board.sensor
    if isinstance(sensor, Ina228Wiring):
        what = f"{sensor.shunt_uohm // 1000} mΩ"
    elif isinstance(sensor, S0Wiring):
        pins, what = f"pin {sensor.pin}", "S0"
    elif board.uart is not None:
        pins, what = f"UART {board.uart.tx_pin}, {board.uart.rx_pin}", "PZEM-004T"
    else:
        what = "ADE7953"
    assert f"| {pins} | {volts} V, {amps} A, {what} |" in row
