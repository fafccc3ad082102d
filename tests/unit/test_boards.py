"""Board files: what they say is exact, and what is wrong in one is said in one line."""

import dataclasses
from fractions import Fraction
from pathlib import Path

import pytest

from wattest.boards import (
    Ina228Wiring,
    board_names,
    load_board,
    measurement_constants,
    node_config,
)
from wattest.data import data_root
from wattest.errors import ConfigError

EMULATED = (data_root() / "boards" / "emulated-esp32.toml").read_text()


def write(folder: Path, text: str) -> str:
    path = folder / "board.toml"
    path.write_text(text)
    return str(path)


def test_every_board_of_the_project_loads():
    assert board_names() == (
        "emulated-esp32",
        "emulated-esp32-10s",
        "emulated-esp32-ade7953",
        "emulated-esp32-atecc608",
        "emulated-esp32-pzem",
        "emulated-esp32-s0",
        "emulated-esp32c3",
        "emulated-esp32s3",
        "esp32-c3-devkitm-1",
        "esp32-c6-devkitc-1",
        "esp32-devkitc",
        "esp32-qemu",
        "esp32-s3-devkitc-1",
    )
    for name in board_names():
        assert load_board(name).name == name


def test_the_emulated_board_is_a_48_volt_100_ampere_meter():
    board = load_board("emulated-esp32")
    assert board.emulated
    assert (board.meter.un_mv, board.meter.imax_ma) == (48_000, 100_000)
    assert board.meter.power_max_milliwatts == 4_800_000
    assert board.meter.starting_milliwatts == 1_920


INA228_BOARDS = [
    name for name in board_names() if isinstance(load_board(name).sensor, Ina228Wiring)
]


@pytest.mark.parametrize("name", INA228_BOARDS)
def test_measurement_constants_are_exact_for_every_board(name):
    board = load_board(name)
    constants = board.constants
    # INA228 data sheet 8.1.2, in exact rationals: SHUNT_CAL = 13107.2e6 * CURRENT_LSB * R.
    ohms = Fraction(board.sensor.shunt_uohm, 10**6)
    current_lsb = Fraction(board.sensor.shunt_cal) / (Fraction("13107.2e6") * ohms)
    assert board.sensor.current_lsb_a == current_lsb
    assert constants.power_nw_per_count == Fraction("3.2") * current_lsb * 10**9
    milliwatthour_j = Fraction("3.6")
    per_count_ms_j = Fraction(constants.power_nw_per_count, 10**9) / 1000
    assert constants.counts_per_milliwatthour == milliwatthour_j / per_count_ms_j


@pytest.mark.parametrize("name", board_names())
def test_no_board_has_its_sensor_on_a_boot_pin(name):
    board = load_board(name)
    pins = {boot.pin for boot in board.boot_pins}
    assert pins
    assert not pins & {board.i2c.scl_pin, board.i2c.sda_pin}


@pytest.mark.parametrize("name", INA228_BOARDS)
def test_the_averaging_window_fits_the_sample_period(name):
    board = load_board(name)
    # Where seconds pass between samples, a window that filled them would let a sample slip by one.
    least_us = min(board.meter.sample_period_ms * 900, 3_000_000)
    assert least_us < board.sensor.window_us
    assert board.sensor.window_us < board.meter.sample_period_ms * 1000


def test_node_config_takes_every_constant_from_the_board():
    config = node_config(
        load_board("emulated-esp32"), serial="N1", interval_ms=60_000, ueid="01aa"
    )
    assert config["sensor_shunt_cal"] == 4096
    assert config["counts_per_milliwatthour"] == 3_600_000
    assert config["power_nw_per_count"] == 1_000_000
    assert config["start_counts"] == 1_920
    assert config["ueid"] == "01aa"
    assert all(isinstance(value, (int, str)) for value in config.values())


def test_a_node_without_a_serial_of_its_own_has_none_in_its_configuration():
    config = node_config(load_board("esp32-devkitc"), serial=None, interval_ms=60_000)
    assert "serial" not in config
    assert config["board"] == "esp32-devkitc"


@pytest.mark.parametrize("name", board_names())
def test_every_board_says_where_its_micropython_is_and_what_its_digest_is(name):
    image = load_board(name).micropython
    assert image.url.startswith("https://micropython.org/resources/firmware/")
    assert image.file_name.startswith(image.board + "-2")
    assert image.file_name.endswith(f"-v{image.version}.bin")
    assert len(bytes.fromhex(image.sha256)) == 32


def test_an_emulated_twin_has_the_chip_flash_and_pins_of_its_real_board():
    for twin, real in [
        ("emulated-esp32s3", "esp32-s3-devkitc-1"),
        ("emulated-esp32c3", "esp32-c3-devkitm-1"),
    ]:
        ours, theirs = load_board(twin), load_board(real)
        assert ours.emulated
        assert not theirs.emulated
        for part in ("chip", "flash", "i2c", "micropython", "boot_pins", "relay"):
            assert getattr(ours, part) == getattr(theirs, part)


def test_node_config_refuses_an_interval_between_samples():
    with pytest.raises(ValueError, match="a multiple of 1000 ms expected, got 1500"):
        node_config(load_board("emulated-esp32"), serial="N1", interval_ms=1500)


def test_an_odd_shunt_cal_is_refused_with_a_step_that_works():
    board = load_board("esp32-devkitc")
    sensor = dataclasses.replace(board.sensor, shunt_cal=3841)
    with pytest.raises(ConfigError, match=r"sensor.shunt_cal: .* whole power_nw_per_count"):
        measurement_constants(sensor, board.meter)


def test_an_unknown_board_name_suggests_the_nearest():
    with pytest.raises(ConfigError, match="got 'esp32-devkit'") as caught:
        load_board("esp32-devkit")
    assert "did you mean 'esp32-devkitc'" in caught.value.hint


WRONG = {
    "digest cut short": (
        'sha256 = "cd',
        'sha256 = "',
        r"micropython.sha256: 64 hex digits expected",
    ),
    "image not by https": (
        '"https://m',
        '"http://m',
        r"micropython.url: https://....bin expected",
    ),
    "unknown key": ("un_mv =", "un_mw =", r"meter.un_mv: value expected, got nothing"),
    "misspelt key": (
        "relay]",
        "rellay]\nx = 1\n[relay]",
        r"board.toml: rellay: unknown key",
    ),
    "text for a number": ("0x40\n", '"0x40"\n', r"sensor.address: a whole number expected"),
    "out of range": ("0x40\n", "0x50\n", r"sensor.address: 64 to 79 expected, got 80"),
    "true is no number": ("id = 0", "id = true", r"i2c.id: a whole number expected, got true"),
    "unknown chip": (
        'chip = "esp32"',
        'chip = "esp8266"',
        r"chip: one of esp32, .* got 'esp8266'",
    ),
    "scl on a boot pin": ("scl_pin = 22", "scl_pin = 12", r"i2c: pins that are no boot pins"),
    "one pin twice": ("scl_pin = 22", "scl_pin = 21", r"i2c.sda_pin: a pin other than SCL"),
    "shunt saturates": (
        "shunt_uohm = 1000",
        "shunt_uohm = 2000",
        r"sensor.shunt_uohm: full scale of at least Imax 100000 mA expected, got 81919 mA",
    ),
    "odd constant": ("shunt_cal = 4096", "shunt_cal = 4097", r"sensor.shunt_cal: .* whole"),
    "too slow converter": (
        "sample_period_ms = 1000",
        "sample_period_ms = 500",
        r"sensor.adc_config: a result within the sample period of 500 ms expected, got 993280",
    ),
    "one-shot converter": ("0xF717", "0x7717", r"sensor.adc_config: continuous"),
    "no flash of that size": ("0x400000", "0x300000", r"flash.size_bytes: 2097152 or"),
    "file system over NVS": ("0x200000", "0x8000", r"flash.vfs_offset: .* behind the end of NVS"),
    "unaligned": ("nvs_offset = 0x9000", "nvs_offset = 0x9001", r"a multiple of 4096"),
    "journal too large": ("524_288", "1_500_000", r"journal.total_bytes: at most half"),
    "two tables": ("[meter]", "[meter]\n[meter]", r"broken TOML"),
    "no table": ("baud = 115_200", "", r"link.baud: value expected, got nothing"),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_board_file_is_refused_with_path_key_expected_and_got(case, tmp_path):
    old, new, message = case
    assert old in EMULATED
    with pytest.raises(ConfigError, match=message) as caught:
        load_board(write(tmp_path, EMULATED.replace(old, new, 1)))
    assert "board.toml" in str(caught.value)
    assert "\n" not in caught.value.diagnostics()


def test_a_folder_in_place_of_a_board_file_is_refused(tmp_path):
    folder = tmp_path / "x.toml"
    folder.mkdir()
    with pytest.raises(ConfigError, match="file expected, got a folder"):
        load_board(folder)


def test_a_missing_board_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="file expected, got nothing there"):
        load_board(tmp_path / "absent.toml")
