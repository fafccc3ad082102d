"""The board's own file, /stimulus.json: what it plays, and on which pins."""

import json

import machine
from machine import Pin

# Key -> smallest and largest value; all are required.
_PULSES = {
    "pin": (0, 48),
    "impulses_per_kwh": (1, 100_000),
    "pulse_ms": (30, 500),
    "exporting": (0, 1),
}
_BLOCK = {
    "i2c_id": (0, 1),
    "scl": (0, 48),
    "sda": (0, 48),
    "address": (0x08, 0x77),
}
_ROLES = {"s0": _PULSES, "i2c": _BLOCK}


class SettingsError(ValueError):
    """The file is missing or wrong; the message names file, key and what was expected."""


def load(path: str):
    """Read and check the file.

    Returns:
        The role, ready to play; nothing flows yet.

    Raises:
        SettingsError: see there.
    """
    try:
        with open(path) as file:
            values = json.load(file)
    except OSError:
        raise SettingsError(path + ": cannot be read")
    except ValueError:
        raise SettingsError(path + ": not JSON")
    if not isinstance(values, dict) or values.get("role") not in _ROLES:
        raise SettingsError("%s: role: expected one of %s" % (path, ", ".join(sorted(_ROLES))))
    role = values.pop("role")
    _check(values, _ROLES[role], path)
    return _pulses(values) if role == "s0" else _block(values, path)


def _check(values: dict, known: dict, path: str) -> None:
    for key in values:
        if key not in known:
            raise SettingsError("%s: unknown key %s" % (path, key))
    for key, (low, high) in known.items():
        value = values.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise SettingsError("%s: %s: expected %d..%d, got %s" % (path, key, low, high, value))


def _pulses(values: dict):
    from player.pulses import Pulses

    number = values.pop("pin")
    return Pulses(Pin(number, Pin.OPEN_DRAIN, value=1), **values)


def _block(values: dict, path: str):
    target = getattr(machine, "I2CTarget", None)
    if target is None:
        raise SettingsError(path + ": role: this chip cannot be an I2C target; S3, C3 and C6 can")
    from player.block import Block

    def serve(memory):
        return target(
            values["i2c_id"],
            addr=values["address"],
            mem=memory,
            scl=Pin(values["scl"]),
            sda=Pin(values["sda"]),
        )

    return Block(serve)
