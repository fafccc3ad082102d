"""The node's configuration file: checked once, at boot, before anything moves."""

import json

from node.registers import COUNTS_PER_MILLIWH_MIN

# Key -> smallest and largest value. All of them are required and all are integers.
_INTEGERS = {
    "sample_period_ms": (100, 10_000),
    "interval_ms": (1000, 3_600_000),
    "i2c_id": (0, 1),
    "i2c_scl": (0, 48),
    "i2c_sda": (0, 48),
    "i2c_freq_hz": (10_000, 1_000_000),
    "counts_per_milliwatthour": (COUNTS_PER_MILLIWH_MIN, (1 << 30) - 1),
    "power_nw_per_count": (1, (1 << 30) - 1),
    "start_counts": (0, (1 << 24) - 1),
    "relay_pin": (-1, 48),
    "relay_closed_level": (0, 1),
    "relay_at_boot": (0, 1),
    "current_kind": (0, 1),
    "journal_bytes": (16_384, 1 << 28),
    "journal_segment_bytes": (2048, 16_384),
    "watchdog_ms": (0, 600_000),
    "sync_valid_s": (1, 1 << 28),
}
# The same for sensors that count energy.
_ENERGY = {
    "milliwatthours_per_energy_count": (0, 1_000_000),
    "parts_per_energy_count": (0, (1 << 22) - 1),
}
# The same for one kind of sensor.
_SENSORS = {
    "ina228": {
        "sensor_address": (0x40, 0x4F),
        "sensor_config": (0, 0x3FFF),
        "sensor_adc_config": (0, 0xFFFF),
        "sensor_shunt_cal": (1, 32_767),
    },
    "ade7953": {
        "sensor_address": (0x38, 0x38),
        "sensor_pga_voltage": (0, 4),
        "sensor_pga_current": (0, 5),
        "sensor_active_gain": (0x200000, 0x600000),
        "milliwatthours_per_energy_count": (0, 0),
        "parts_per_energy_count": (1, (1 << 16) - 1),
    },
    "pzem004t": {"sensor_address": (1, 247)},
    "played": {"sensor_address": (0x08, 0x77)},
    "s0": {
        "sensor_pin": (0, 48),
        "sensor_pulse_ms": (30, 500),
        "sensor_exporting": (0, 1),
    },
}
_UART = {"uart_id": (1, 2), "uart_tx": (0, 48), "uart_rx": (0, 48)}
# The same with a secure element; its wake pulse is eight zeros, which take 60 us at least.
_ELEMENT = {
    "element_address": (0x08, 0x77),
    "element_slot": (0, 15),
    "element_i2c_id": (0, 1),
    "element_i2c_scl": (0, 48),
    "element_i2c_sda": (0, 48),
    "element_i2c_freq_hz": (10_000, 100_000),
}
_TEXTS = ("board",)
_TEXT_MAX = 32
_SEGMENTS_MIN = 4
_OPTIONAL = ("sensor", "serial", "ueid")


class ConfigError(ValueError):
    """The file is missing or wrong; the message names file, key and what was expected."""


def load(path: str) -> dict:
    """Read and check the configuration.

    Raises:
        ConfigError: see there.
    """
    try:
        with open(path) as file:
            values = json.load(file)
    except OSError:
        raise ConfigError(path + ": cannot be read")
    except ValueError:
        raise ConfigError(path + ": not JSON")
    if not isinstance(values, dict):
        raise ConfigError(path + ": not an object")
    check(values, path)
    return values


def check(values: dict, path: str) -> None:
    """Raise ConfigError unless every key is known, present and in range."""
    integers = _integers(values, path)
    for key in values:
        if key not in integers and key not in _TEXTS and key not in _OPTIONAL:
            raise ConfigError("%s: unknown key %s" % (path, key))
    for key, (low, high) in integers.items():
        value = values.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ConfigError("%s: %s: expected %d..%d, got %s" % (path, key, low, high, value))
    for key in _TEXTS + (("serial",) if "serial" in values else ()):
        value = values.get(key)
        if not isinstance(value, str) or not _printable(value):
            raise ConfigError("%s: %s: expected 1..32 printable ASCII characters" % (path, key))
    if "ueid" in values:
        _check_ueid(values["ueid"], path)
    if values["interval_ms"] % values["sample_period_ms"]:
        raise ConfigError(path + ": interval_ms: not a multiple of sample_period_ms")
    if values["journal_bytes"] < _SEGMENTS_MIN * values["journal_segment_bytes"]:
        raise ConfigError(path + ": journal_bytes: fewer than 4 segments")
    if "element_address" in values and values["element_i2c_id"] == values["i2c_id"]:
        for key in ("i2c_scl", "i2c_sda", "i2c_freq_hz"):
            if values["element_" + key] != values[key]:
                raise ConfigError("%s: element_%s: differs from %s" % (path, key, key))


def _integers(values: dict, path: str) -> dict:
    """The integers this configuration must have: they depend on the sensor."""
    sensor = values.get("sensor")
    if sensor not in _SENSORS:
        known = ", ".join(sorted(_SENSORS))
        raise ConfigError("%s: sensor: expected one of %s, got %s" % (path, known, sensor))
    integers = dict(_INTEGERS)
    integers.update(_SENSORS[sensor])
    if sensor in ("pzem004t", "s0", "played"):
        integers.update(_ENERGY)
    if sensor == "pzem004t" or "uart_id" in values:
        integers.update(_UART)
    if any([key.startswith("element_") for key in values]):
        integers.update(_ELEMENT)
    return integers


def _printable(text: str) -> bool:
    if not 1 <= len(text) <= _TEXT_MAX:
        return False
    return all(" " <= character <= "~" for character in text)


def _check_ueid(value: str, path: str) -> None:
    try:
        size = len(bytes.fromhex(value))
    except (TypeError, ValueError):
        size = 0
    if not 7 <= size <= 33:
        raise ConfigError(path + ": ueid: expected 7..33 bytes in hex")
