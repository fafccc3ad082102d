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
    "sensor_address": (0x40, 0x4F),
    "sensor_config": (0, 0x3FFF),
    "sensor_adc_config": (0, 0xFFFF),
    "sensor_shunt_cal": (1, 32_767),
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
_TEXTS = ("board",)
_TEXT_MAX = 32
_SEGMENTS_MIN = 4
_OPTIONAL = ("serial", "ueid")


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
    for key in values:
        if key not in _INTEGERS and key not in _TEXTS and key not in _OPTIONAL:
            raise ConfigError("%s: unknown key %s" % (path, key))
    for key, (low, high) in _INTEGERS.items():
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
