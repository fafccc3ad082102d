"""Sensors that count energy in a board file: exact weights, or one line that says why not."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from wattest.boards import S0Wiring, load_board, measurement_constants, node_config
from wattest.data import data_root
from wattest.errors import ConfigError

ADE7953, PZEM, S0 = (f"emulated-esp32-{name}" for name in ("ade7953", "pzem", "s0"))


def wrong(tmp_path: Path, name: str, *changes: tuple[str, str]) -> str:
    text = (data_root() / "boards" / f"{name}.toml").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    (tmp_path / "board.toml").write_text(text)
    return str(tmp_path / "board.toml")


@pytest.mark.parametrize("name", [ADE7953, PZEM, S0])
def test_energy_of_a_count_is_exact(name: str) -> None:
    board = load_board(name)
    constants = board.constants
    parts = Fraction(constants.parts_per_energy_count, constants.counts_per_milliwatthour)
    weight = constants.milliwatthours_per_energy_count + parts
    assert weight == board.sensor.milliwatthours_per_count
    assert constants.counts_per_milliwatthour * constants.power_nw_per_count == 3_600_000 * 10**6


def test_ade7953_is_calibrated_to_the_weight_of_its_count_within_a_quarter_ppm() -> None:
    sensor = load_board(ADE7953).sensor
    # Peak 500.5 V and 31.25 A: half their product is 7820.3125 W; 206.9 kHz are its counts.
    assert sensor.full_scale_uw == Fraction(78_203_125, 10_000) * 10**6
    real_uj = sensor.nominal_uj_per_count * 0x400000 / sensor.active_gain
    assert abs(real_uj / sensor.energy_uj_per_count - 1) < Fraction(1, 4_000_000)


@pytest.mark.parametrize(
    ("impulses", "milliwh", "parts"),
    [(1000, 1000, 0), (800, 1250, 0), (3000, 333, 1_200_000), (6400, 156, 900_000)],
)
def test_every_usual_meter_constant_is_whole(impulses: int, milliwh: int, parts: int) -> None:
    board = load_board(S0)
    sensor = replace(board.sensor, impulses_per_kwh=impulses)
    assert isinstance(sensor, S0Wiring)
    constants = measurement_constants(sensor, board.meter)
    found = constants.milliwatthours_per_energy_count, constants.parts_per_energy_count
    assert found == (milliwh, parts)


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        (ADE7953, {"sensor_pga_current": 4, "sensor_active_gain": 3_963_360, "sensor": "ade7953"}),
        (PZEM, {"uart_tx": 17, "uart_rx": 16, "sensor_address": 1, "current_kind": 0}),
        (S0, {"sensor_pin": 27, "sensor_pulse_ms": 80, "milliwatthours_per_energy_count": 1000}),
    ],
)
def test_node_is_told_what_its_driver_needs(name: str, keys: dict[str, object]) -> None:
    config = node_config(load_board(name), serial=None, interval_ms=60_000)
    assert {key: config[key] for key in keys} == keys
    assert "sensor_shunt_cal" not in config


WRONG = {
    "voltage saturates": (
        (ADE7953, ("voltage_divider = 1001", "voltage_divider = 600")),
        r"sensor.voltage_divider: full scale of at least 230000 mV expected, got 212132",
    ),
    "current saturates": (
        (ADE7953, ("shunt_uohm = 1000", "shunt_uohm = 1200")),
        r"sensor.shunt_uohm: full scale of at least 20000 mA expected, got 18414",
    ),
    "weight out of reach": (
        (ADE7953, ("= 40_000", "= 20_000")),
        r"sensor.energy_uj_per_count: 25199 to 75595",
    ),
    "no such gain": ((ADE7953, ("current = 16", "current = 3")), r"pga_current: 1 or 2 or 4"),
    "direct current": (
        (ADE7953, ('kind = "ac"', 'kind = "dc"')),
        r'meter.current_kind: "ac" expected, which is all ade7953 measures',
    ),
    "key of another chip": (
        (ADE7953, ("pga_voltage = 1", "pga_voltage = 1\nshunt_cal = 1")),
        r"sensor.shunt_cal: unknown key",
    ),
    "no port": (
        (PZEM, ("[uart]\nid = 2\ntx_pin = 17\nrx_pin = 16\n", "")),
        r"uart: a table with the port of the sensor expected",
    ),
    "console's port": ((PZEM, ("id = 2", "id = 0")), r"uart.id: 1 to 2 expected, got 0"),
    "asked too fast": (
        (PZEM, ("sample_period_ms = 1000", "sample_period_ms = 200")),
        r"meter.sample_period_ms: at least 500 expected",
    ),
    "small module": (
        (PZEM, ("100_000 #", "10_000 #")),
        r"sensor.full_scale_ma: at least Imax 60000 mA expected, got 10000",
    ),
    "pin of the relay": (
        (S0, ("pin = 27", "pin = 25")),
        r"a pin that has no other purpose expected, got 25",
    ),
    "boot pin": ((S0, ("pin = 27", "pin = 12")), r"sensor.pin: pins that are no boot pins"),
    "pulses too dense": (
        (S0, ("= 1000\npulse", "= 5000\npulse")),
        r"sensor.impulses_per_kwh: pulses at least 140 ms apart at Un \* Imax expected, got 52 ms",
    ),
    "pulse too short": ((S0, ("pulse_ms = 80", "pulse_ms = 20")), r"pulse_ms: 30 to 500"),
    "odd meter constant": (
        (S0, ("= 1000\npulse", "= 700\npulse")),
        r"sensor: an energy count of a whole number of 1/3600000 mWh expected",
    ),
    "counts too rare": (
        (PZEM, ("imax_ma = 60_000", "imax_ma = 6_000")),
        r"meter.imax_ma: a count at least every 2000 ms .* got one every 2608 ms",
    ),
    "too much power": (
        (S0, ("imax_ma = 60_000", "imax_ma = 600_000"), ("= 1000\npulse", "= 100\npulse")),
        r"meter.imax_ma: Un \* Imax of at most 41943 W expected, got 138000 W",
    ),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG.keys())
def test_sensor_that_cannot_measure_is_refused_in_one_line(
    case: tuple[tuple[str, *tuple[tuple[str, str], ...]], str], tmp_path: Path
) -> None:
    (name, *changes), message = case
    with pytest.raises(ConfigError, match=message) as caught:
        load_board(wrong(tmp_path, name, *changes))
    assert "board.toml" in str(caught.value)
    assert "\n" not in caught.value.diagnostics()
