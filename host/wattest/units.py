"""Exact quantities: durations, powers, energies, and their decimal texts. No floats."""

from __future__ import annotations

import re
from fractions import Fraction

NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
MS_PER_S = 1_000

FEMTOJOULES_PER_NANOJOULE = 1_000_000
"""One microwatt over one nanosecond is one femtojoule."""

NANOJOULES_PER_MILLIWATTHOUR = 3_600_000_000
NANOJOULES_PER_WATTHOUR = 3_600_000_000_000

_DURATION_NS = {
    "ns": 1,
    "us": NS_PER_US,
    "ms": NS_PER_MS,
    "s": NS_PER_S,
    "min": 60 * NS_PER_S,
    "m": 60 * NS_PER_S,
    "h": 3_600 * NS_PER_S,
    "d": 86_400 * NS_PER_S,
}
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|ms|min|s|m|h|d)")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


def parse_duration_ns(text: str) -> int:
    """Read a duration such as ``90s``, ``1.5h``, ``1h30m``, ``250ms`` or ``7d``.

    Returns:
        Whole nanoseconds, >= 0.

    Raises:
        ValueError: not a duration, or not a whole number of nanoseconds.
    """
    compact = text.replace(" ", "")
    parts = _DURATION_PART.findall(compact)
    if not parts or "".join(number + unit for number, unit in parts) != compact:
        raise ValueError(f"duration expected like 90s, 1.5h or 1h30m, got {text!r}")
    total = sum(Fraction(number) * _DURATION_NS[unit] for number, unit in parts)
    if total != int(total):
        raise ValueError(f"duration expected in whole nanoseconds, got {text!r}")
    return int(total)


def format_duration(duration_ns: int) -> str:
    """Write a duration in its largest two fitting units: ``1h30m``, ``43h27m``, ``250ms``.

    Exact: a smaller remainder adds further units.
    """
    if duration_ns < 0:
        return "-" + format_duration(-duration_ns)
    if duration_ns == 0:
        return "0s"
    parts = []
    rest = duration_ns
    for unit in ("h", "m", "s", "ms", "us", "ns"):
        count, rest = divmod(rest, _DURATION_NS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def parse_decimal(text: str) -> Fraction:
    """Read a decimal number exactly; an exponent of at most three digits is allowed.

    Raises:
        ValueError: not a finite decimal number.
    """
    if _DECIMAL.fullmatch(text) is None:
        raise ValueError(f"decimal number expected, got {text!r}")
    return Fraction(text)


def format_decimal(value: Fraction | int, places: int) -> str:
    """Write an exact value with a fixed number of decimals, ties to even.

    Args:
        value: the exact value.
        places: digits after the point, >= 0.
    """
    scaled = round(Fraction(value) * 10**places)
    sign = "-" if scaled < 0 else ""
    digits = str(abs(scaled)).rjust(places + 1, "0")
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else sign + digits
