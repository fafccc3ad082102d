"""How numbers, amounts, times and spans read to a person; no locale, equal everywhere."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from fractions import Fraction

from wattest.settlement.money import format_minor
from wattest.settlement.period import TIME_MS_MAX, load_zone

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MS = dt.timedelta(milliseconds=1)
_PRICE_PLACES = 9
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_SPANS = ((86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute"), (1000, "second"))


def grouped(text: str) -> str:
    """Group the whole digits of a decimal: ``-1234.50`` is ``-1,234.50``."""
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    whole, point, rest = digits.partition(".")
    return f"{sign}{int(whole):,}{point}{rest}"


def amount(minor: int, scale: int, currency: str) -> str:
    """Say an amount: ``1,234.50 EUR``."""
    return f"{grouped(format_minor(minor, scale))} {currency}"


def price(value: Fraction, scale: int, currency: str) -> str:
    """Say a price with at least the decimals of the currency: ``9.50 EUR``.

    It is exact, but for a fraction that no decimal is: that one has a sign before it.
    """
    scaled = value * 10**_PRICE_PLACES
    places = format_minor(round(scaled), _PRICE_PLACES).rstrip("0")
    whole, _, rest = places.partition(".")
    text = f"{whole}.{rest.ljust(scale, '0')}" if scale or rest else whole
    lead = "" if scaled.denominator == 1 else "≈ "
    return f"{lead}{grouped(text)} {currency}"


def number(value: Fraction | int, places: int = 6) -> str:
    """Say a number: exactly if ``places`` decimals do, else rounded there, with a sign for it."""
    exact = Fraction(value)
    scaled = exact * 10**places
    text = format_minor(round(scaled), places) if places else str(round(scaled))
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return grouped(text) if scaled.denominator == 1 else f"≈ {grouped(text)}"


def percent(share: Fraction, places: int = 3) -> str:
    """Say a share: ``97.5 %``."""
    return f"{number(share * 100, places)} %"


def span(duration_ms: int) -> str:
    """Say a duration in its two largest units: ``1 hour``, ``2 days 3 hours``, ``30 minutes``.

    From a minute on it is rounded to whole seconds.
    """
    parts: list[str] = []
    rest = duration_ms if duration_ms < 60_000 else (duration_ms + 500) // 1000 * 1000
    for unit_ms, name in _SPANS:
        count, rest = divmod(rest, unit_ms)
        if count:
            parts.append(counted(count, name))
    if rest:
        parts.append(f"{rest} ms")
    return " ".join(parts[:2]) or "no time"


def counted(count: int, name: str) -> str:
    """Say how many: ``1 day``, ``1,200 days``, ``2 entries``."""
    plural = f"{name[:-1]}ies" if name.endswith("y") and name[-2:] != "ay" else f"{name}s"
    return f"{count:,} {name if count == 1 else plural}"


def instant(time_ms: int, zone: str) -> str:
    """Say an instant: ``1 March 2026, 00:00 +01:00``; seconds only where there are any."""
    local = (_EPOCH + time_ms * _MS).astimezone(load_zone(zone))
    clock = f"{local.hour:02d}:{local.minute:02d}"
    if local.second or time_ms % 1000:
        clock += f":{local.second:02d}"
    if time_ms % 1000:
        clock += f".{time_ms % 1000:03d}"
    offset = local.strftime("%z")
    place = "UTC" if zone == "UTC" else f"{offset[:3]}:{offset[3:5]}"
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year}, {clock} {place}"


def local_day(time_ms: int, zone: str) -> dt.date:
    """Return the day an instant falls on in a zone; what no calendar holds is moved to its end."""
    kept = min(max(time_ms, 0), TIME_MS_MAX - 1)
    day: dt.date = (_EPOCH + kept * _MS).astimezone(load_zone(zone)).date()
    return day


def listed(names: Sequence[str], *, last: str = "and") -> str:
    """Say a list: ``a``, ``a and b``, ``a, b and c``."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"
