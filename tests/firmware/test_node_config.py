"""The configuration file is checked whole, and the first fault is named."""

import json
from pathlib import Path

import pytest
from node import config
from node.keystore import KeyStore

from emulated import CONFIG
from wattest.boards import board_names, load_board, node_config

FAULTS = {
    "unknown key": ({"serail": "x"}, "unknown key serail"),
    "serial empty": ({"serial": ""}, "serial: expected 1..32 printable ASCII"),
    "serial long": ({"serial": "x" * 33}, "serial: expected 1..32"),
    "serial not ASCII": ({"serial": "Zähler"}, "serial: expected 1..32"),
    "board a number": ({"board": 7}, "board: expected 1..32"),
    "period a float": ({"sample_period_ms": 1000.0}, "sample_period_ms: expected 100..10000"),
    "period a bool": ({"relay_at_boot": True}, "relay_at_boot: expected 0..1"),
    "period missing": ({"sample_period_ms": None}, "sample_period_ms: expected 100..10000"),
    "interval off the grid": ({"interval_ms": 1500}, "not a multiple of sample_period_ms"),
    "counts too few": ({"counts_per_milliwatthour": 1000}, "counts_per_milliwatthour: expected"),
    "counts too many": ({"counts_per_milliwatthour": 1 << 30}, "counts_per_milliwatthour"),
    "address": ({"sensor_address": 0x50}, "sensor_address: expected 64..79, got 80"),
    "no sensor": (
        {"sensor": None},
        "sensor: expected one of ade7953, ina228, played, pzem004t, s0",
    ),
    "unknown sensor": ({"sensor": "hlw8032"}, "sensor: expected one of .* got hlw8032"),
    "key of another sensor": ({"sensor_pin": 4}, "unknown key sensor_pin"),
    "sensor without its keys": (
        {"sensor": "s0", "sensor_address": None, "sensor_config": None}
        | {"sensor_adc_config": None, "sensor_shunt_cal": None}
        | {"milliwatthours_per_energy_count": 1000, "parts_per_energy_count": 0}
        | {"sensor_pulse_ms": 80, "sensor_exporting": 0},
        "sensor_pin: expected 0..48, got None",
    ),
    "module without a port": (
        {"sensor": "pzem004t", "sensor_address": 1, "sensor_config": None}
        | {"sensor_adc_config": None, "sensor_shunt_cal": None}
        | {"milliwatthours_per_energy_count": 1000, "parts_per_energy_count": 0},
        "uart_id: expected 1..2, got None",
    ),
    "journal small": (
        {"journal_bytes": 16_384, "journal_segment_bytes": 8192},
        "journal_bytes: fewer than 4 segments",
    ),
    "ueid short": ({"ueid": "0102"}, "ueid: expected 7..33 bytes in hex"),
    "ueid not hex": ({"ueid": "zz" * 9}, "ueid: expected 7..33 bytes in hex"),
}


@pytest.mark.parametrize(("change", "message"), FAULTS.values(), ids=FAULTS)
def test_fault_is_named(change: dict[str, object], message: str) -> None:
    values = {key: value for key, value in {**CONFIG, **change}.items() if value is not None}
    with pytest.raises(config.ConfigError, match=message.replace("..", r"\.\.")):
        config.check(values, "/node.json")


def test_good_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "node.json"
    path.write_text(json.dumps({**CONFIG, "ueid": "01" * 17}))
    assert config.load(str(path))["serial"] == CONFIG["serial"]


@pytest.mark.parametrize(
    "board", [name for name in board_names() if load_board(name).secure_element is None]
)
def test_configuration_of_every_board_file_is_good(board: str) -> None:
    config.check(node_config(load_board(board), serial="x", interval_ms=60_000), "/node.json")


def test_file_without_a_serial_is_good() -> None:
    config.check({key: CONFIG[key] for key in CONFIG if key != "serial"}, "/node.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "cannot be read"), ("{", "not JSON"), ("[]", "not an object")],
)
def test_file_that_is_no_configuration_is_refused(
    text: str | None,
    message: str,
    tmp_path: Path,
) -> None:
    path = tmp_path / "node.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(config.ConfigError, match=message):
        config.load(str(path))


class FakeNvs:
    """NVS whose values are durable once committed."""

    def __init__(self) -> None:
        self.values: dict[str, bytes | int] = {}
        self.commits = 0

    def get_blob(self, key: str, buf: bytearray) -> int:
        if key not in self.values:
            raise OSError(0x1102, "ESP_ERR_NVS_NOT_FOUND")
        value = self.values[key]
        buf[: len(value)] = value
        return len(value)

    def set_blob(self, key: str, value: bytes) -> None:
        self.values[key] = bytes(value)

    def get_i32(self, key: str) -> int:
        if key not in self.values:
            raise OSError(0x1102, "ESP_ERR_NVS_NOT_FOUND")
        return self.values[key]

    def set_i32(self, key: str, value: int) -> None:
        self.values[key] = value

    def commit(self) -> None:
        self.commits += 1


def test_key_store_keeps_and_commits_each_secret() -> None:
    nvs = FakeNvs()
    store = KeyStore(nvs)
    assert (store.private_key(), store.command_key(), store.interval_ms()) == (None, None, None)
    assert store.command_counter() == 0
    private = bytes(range(32))
    store.keep_private_key(private)
    assert store.private_key() == private
    store.keep_command_counter((1 << 63) - 1)
    assert KeyStore(nvs).command_counter() == (1 << 63) - 1
    store.keep_interval_ms(5000)
    assert store.interval_ms() == 5000
    assert nvs.commits == 3


def test_blob_of_another_size_is_no_key() -> None:
    nvs = FakeNvs()
    nvs.set_blob("cmdkey", b"short")
    assert KeyStore(nvs).command_key() is None
