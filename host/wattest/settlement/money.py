"""Money: exact rationals inside a line, one rounding to whole minor units at its end.

Minor units are integers of ``10 ** -scale`` of the currency (cents for EUR with scale 2). Texts of
amounts and quantities are exact decimals; nothing here depends on a locale.
"""

from __future__ import annotations

import re
from enum import StrEnum
from fractions import Fraction

_EXACT = re.compile(r"(-?[0-9]+)(?:/([1-9][0-9]*))?")
_PLACES_MAX = 30


class Rounding(StrEnum):
    """How the exact amount of a line becomes minor units."""

    HALF_EVEN = "half_even"
    HALF_UP = "half_up"
    """Ties go away from zero."""
    DOWN = "down"
    """Towards zero."""


def round_to_minor(amount: Fraction, *, scale: int, rounding: Rounding) -> int:
    """Round an exact amount to whole minor units.

    Args:
        amount: in major units of the currency, either sign.
        scale: decimals of the currency, >= 0.
        rounding: what happens to the part below one minor unit.

    Returns:
        Minor units; the rounding is symmetric about zero.
    """
    ten: int = 10**scale
    scaled = amount * ten
    whole, rest = divmod(abs(scaled.numerator), scaled.denominator)
    twice = 2 * rest
    if rounding is Rounding.HALF_UP:
        up = twice >= scaled.denominator
    elif rounding is Rounding.HALF_EVEN:
        up = twice > scaled.denominator or (twice == scaled.denominator and whole % 2 == 1)
    else:
        up = False
    minor = whole + 1 if up else whole
    return -minor if scaled < 0 else minor


def format_minor(minor: int, scale: int) -> str:
    """Write minor units as a decimal string with ``scale`` decimals: ``-725`` is ``"-7.25"``."""
    digits = str(abs(minor)).rjust(scale + 1, "0")
    text = f"{digits[:-scale]}.{digits[-scale:]}" if scale else digits
    return f"-{text}" if minor < 0 else text


def decimal_text(value: Fraction | int) -> str:
    """Write a finite decimal exactly and shortest: ``"0.085"``, ``"120"``.

    Raises:
        ValueError: the value has no finite decimal expansion of 30 places or less.
    """
    exact = Fraction(value)
    for places in range(_PLACES_MAX + 1):
        scaled = exact * 10**places
        if scaled.denominator == 1:
            return format_minor(scaled.numerator, places)
    raise ValueError(f"finite decimal expected, got {exact}")


def number_text(value: Fraction) -> str:
    """Write a rational as the shortest decimal if it has one of 30 places or less, else exactly.

    ``"0.085"``, ``"9/146"``.
    """
    try:
        return decimal_text(value)
    except ValueError:
        return exact_text(value)


def exact_text(value: Fraction) -> str:
    """Write any rational exactly: ``"3/8"``, ``"120"``; no loss, whatever its size."""
    return str(value)


def parse_exact(text: str) -> Fraction:
    """Read what ``exact_text`` writes, lowest terms only.

    Raises:
        ValueError: another spelling.
    """
    match = _EXACT.fullmatch(text)
    value = Fraction(int(match[1]), int(match[2] or 1)) if match else Fraction(0)
    if str(value) != text:
        raise ValueError(f"rational in lowest terms expected, got {text!r}")
    return value
