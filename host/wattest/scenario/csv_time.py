"""Times of a CSV file: text to whole nanoseconds, or one clear reason why not."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

from wattest.units import NS_PER_MS, NS_PER_S, parse_decimal

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
# Month and day names depend on the machine's language, so only digits are read.
_PATTERN_LETTERS = set("YmdHMSfzyIpj")

_DECIMAL_UNITS_NS = {"elapsed": NS_PER_S, "unix": NS_PER_S, "unix_ms": NS_PER_MS}


def time_reader(time_format: str, time_zone: str) -> Callable[[str], int]:
    """Return a function from text to ns: since 1970 UTC, or since zero for ``elapsed``.

    The function raises ``ValueError`` with the reason.

    Raises:
        ValueError: the format itself is unusable.
    """
    if time_format in _DECIMAL_UNITS_NS:
        unit_ns = _DECIMAL_UNITS_NS[time_format]
        return lambda text: _decimal_time(text, unit_ns)
    zone = _zone(time_zone)
    if time_format == "iso":
        return lambda text: _instant_ns(_iso(text), zone)
    letters = set(re.findall(r"%(.)", time_format)) - {"%"}
    if not letters or not letters <= _PATTERN_LETTERS:
        raise ValueError(
            "iso, elapsed, unix, unix_ms or a pattern such as %d/%m/%Y %H:%M:%S expected, "
            f"got {time_format!r}"
        )
    return lambda text: _instant_ns(_patterned(text, time_format), zone)


def is_absolute(time_format: str) -> bool:
    """Tell whether times of this format are instants, not mere distances."""
    return time_format != "elapsed"


def _zone(text: str) -> dt.timezone:
    if text == "UTC":
        return dt.UTC
    sign = -1 if text[0] == "-" else 1
    hours, minutes = text[1:].split(":")
    return dt.timezone(sign * dt.timedelta(hours=int(hours), minutes=int(minutes)))


def _iso(text: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"ISO date-time such as 2026-06-15T12:00:00+00:00 expected, got {text!r}"
        ) from None


def _patterned(text: str, pattern: str) -> dt.datetime:
    try:
        # The zone, if any, is applied by the caller.
        return dt.datetime.strptime(text, pattern)  # noqa: DTZ007
    except ValueError:
        raise ValueError(f"time of the form {pattern} expected, got {text!r}") from None


def _instant_ns(moment: dt.datetime, zone: dt.timezone) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return _not_negative((moment - _EPOCH) // _MICROSECOND * 1000, moment.isoformat())


def _decimal_time(text: str, unit_ns: int) -> int:
    try:
        exact = parse_decimal(text) * unit_ns
    except ValueError:
        raise ValueError(f"time as a decimal number expected, got {text!r}") from None
    if exact.denominator != 1:
        raise ValueError(f"whole nanoseconds expected, got {text!r}")
    return _not_negative(int(exact), text)


def _not_negative(time_ns: int, text: str) -> int:
    if time_ns < 0:
        raise ValueError(f"time not before zero expected, got {text}")
    return time_ns
