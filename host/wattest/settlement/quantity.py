"""What a contract counts: a register of the node, or the records themselves.

Registers are compared in whole base counts, so that everything before the price is integers:

    DLMS unit        base count
    30 Wh            milliwatt-hour
    27 W             milliwatt
    7  s             second
    255 (a count)    one
    any other        one thousandth of the unit
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

OBIS_IMPORT = bytes.fromhex("0100010800ff")
OBIS_EXPORT = bytes.fromhex("0100020800ff")
OBIS_USE = bytes.fromhex("0000600800ff")

ENERGY_UNITS: Mapping[str, int] = MappingProxyType({"Wh": 10**3, "kWh": 10**6, "MWh": 10**9})
"""Milliwatt-hours in one unit of price."""
TIME_UNITS: Mapping[str, int] = MappingProxyType({"s": 1, "min": 60, "h": 3_600, "d": 86_400})
"""Seconds in one unit of price."""

_OBIS_TEXT = re.compile(
    r"([0-9]{1,3})-([0-9]{1,3}):([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\*([0-9]{1,3})"
)
_BASE_SCALE = {7: 0, 255: 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One name a contract may write as ``quantity``.

    Args:
        obis: the register, 6 bytes; empty for a count of records.
        units: price units and their base counts; empty where the contract names its own.
        limit: how a delta is checked: ``power``, ``time`` or ``none``.
    """

    obis: bytes
    units: Mapping[str, int]
    limit: str


_COUNT = MappingProxyType({"each": 1})
KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "import_energy": Kind(obis=OBIS_IMPORT, units=ENERGY_UNITS, limit="power"),
        "export_energy": Kind(obis=OBIS_EXPORT, units=ENERGY_UNITS, limit="power"),
        "use_time": Kind(obis=OBIS_USE, units=TIME_UNITS, limit="time"),
        "record_count": Kind(obis=b"", units=_COUNT, limit="none"),
        "transaction_count": Kind(obis=b"", units=_COUNT, limit="none"),
        "register": Kind(obis=b"", units=MappingProxyType({}), limit="none"),
    }
)
"""``record_count`` counts fiscal readings (ctx 0), ``transaction_count`` begun transactions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """The billed quantity of one line, resolved.

    Args:
        name: key of ``KINDS``.
        unit: what the price is for, such as ``kWh``.
        obis: the register; empty for a count of records.
        base_per_unit: base counts in one ``unit``, >= 1.
        modulus: the register rolls over to 0 at this many base counts; 0: never.
    """

    name: str
    unit: str
    obis: bytes
    base_per_unit: int
    modulus: int = 0

    @property
    def is_count(self) -> bool:
        """Whether records are counted instead of a register read."""
        return not self.obis

    @property
    def limit(self) -> str:
        """How a delta is checked for plausibility: ``power``, ``time`` or ``none``."""
        return KINDS[self.name].limit


def to_base(mantissa: int, scale: int, unit: int) -> int:
    """Convert a register of a record to base counts, rounding down what lies below one.

    Args:
        mantissa: as signed by the node.
        scale: decimal exponent, -6 to 6.
        unit: DLMS unit code.
    """
    shift = scale - _BASE_SCALE.get(unit, -3)
    power: int = 10 ** abs(shift)
    return mantissa * power if shift >= 0 else mantissa // power


def parse_obis(text: str) -> bytes:
    """Read ``1-0:1.8.0*255`` or twelve hex digits.

    Raises:
        ValueError: neither of the two.
    """
    match = _OBIS_TEXT.fullmatch(text)
    if match and all(int(group) < 256 for group in match.groups()):
        return bytes(int(group) for group in match.groups())
    if re.fullmatch(r"[0-9A-Fa-f]{12}", text):
        return bytes.fromhex(text)
    raise ValueError(f"OBIS code like 1-0:1.8.0*255 expected, got {text!r}")


def format_obis(obis: bytes) -> str:
    """Write six bytes as ``1-0:1.8.0*255``."""
    a, b, c, d, e, f = obis
    return f"{a}-{b}:{c}.{d}.{e}*{f}"
