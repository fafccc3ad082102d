"""Settlement periods: half-open windows of UTC, from a calendar or a fixed length.

Local time is only ever turned into UTC instants, with the operating system's zone data as a
table. A calendar day may have 23 or 25 hours: March 2026 in Europe/Berlin has 743.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from zoneinfo import ZoneInfo

from wattest.errors import ConfigError, SettlementError
from wattest.settlement.terms import (
    CalendarPeriods,
    DayWindow,
    FixedPeriods,
    PeriodUnit,
    Terms,
    Window,
)

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MS = dt.timedelta(milliseconds=1)
_DAY = dt.timedelta(days=1)
_QUARTER_HOUR_MS = 900_000
_SPAN_MS_MAX = 3_660 * 86_400_000
TIME_MS_MAX = 7_258_118_400_000
"""First instant of 2200: beyond it no zone table says anything."""


def load_zone(name: str, *, path: str = "", key: str = "zone") -> dt.tzinfo:
    """Return the zone of an IANA name; ``UTC`` needs no zone data.

    Raises:
        ConfigError: no such zone in this machine's zone data.
    """
    if name == "UTC":
        return dt.UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as exc:
        raise ConfigError(
            f"an IANA time zone known to this machine expected, got {name!r}",
            path=path,
            key=key,
            hint="use UTC, or install the zone data of the operating system (package tzdata)",
        ) from exc


def format_instant(time_ms: int) -> str:
    """Write ms since 1970 UTC as RFC 3339: ``2026-03-01T00:00:00Z``, ``.250Z`` where needed."""
    moment = _EPOCH + time_ms * _MS
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    millis = time_ms % 1000
    return f"{text}.{millis:03d}Z" if millis else f"{text}Z"


def period_at(terms: Terms, time_ms: int) -> Window:
    """Return the settlement period an instant belongs to.

    Raises:
        SettlementError: the instant is outside of 1970 to 2200, or before the first fixed period.
    """
    if not 0 <= time_ms < TIME_MS_MAX:
        raise SettlementError(f"an instant between 1970 and 2200 expected, got {time_ms} ms")
    rule = terms.period
    if isinstance(rule, CalendarPeriods):
        return _calendar_period(terms.zone, rule.unit, time_ms)
    if time_ms < rule.start_ms:
        raise SettlementError(
            f"contract {terms.contract}: its first period begins {format_instant(rule.start_ms)}, "
            f"got {format_instant(time_ms)}"
        )
    number = (time_ms - rule.start_ms) // rule.duration_ms
    start = rule.start_ms + number * rule.duration_ms
    return Window(start_ms=start, end_ms=start + rule.duration_ms)


def periods_between(terms: Terms, start_ms: int, end_ms: int) -> tuple[Window, ...]:
    """Return, in order, all settlement periods that share an instant with ``[start_ms, end_ms)``.

    Raises:
        SettlementError: as ``period_at``, or more than 10,000 periods.
    """
    found: list[Window] = []
    at = start_ms
    while at < end_ms:
        if len(found) == 10_000:
            raise SettlementError("at most 10,000 periods at once expected, got more")
        found.append(period_at(terms, at))
        at = found[-1].end_ms
    return tuple(found)


def service_window(terms: Terms, period: Window) -> Window:
    """Return the part of a period in which the contract is in force; it may be empty."""
    start = period.start_ms if terms.start_ms is None else max(period.start_ms, terms.start_ms)
    end = period.end_ms if terms.end_ms is None else min(period.end_ms, terms.end_ms)
    return Window(start_ms=start, end_ms=max(start, end))


def in_force(terms: Terms, period: Window) -> bool:
    """Whether the contract is in force in some part of a period."""
    service = service_window(terms, period)
    return service.end_ms > service.start_ms


def periods_within(terms: Terms, start_ms: int, end_ms: int) -> Iterator[Window]:
    """Yield the periods that share an instant with ``[start_ms, end_ms)`` and with the contract.

    Raises:
        SettlementError: more than 10,000 periods.
    """
    if isinstance(terms.period, FixedPeriods):
        start_ms = max(start_ms, terms.period.start_ms)
    for period in periods_between(terms, start_ms, end_ms):
        if in_force(terms, period):
            yield period


def active_ms(terms: Terms, period: Window, spans: Sequence[Window] | None = None) -> int:
    """Return how long the contract is in force and not paused in a period, ms.

    Args:
        terms: of the contract.
        period: the settlement period.
        spans: only time in one of these counts, ascending, apart; ``None``: all.
    """
    service = service_window(terms, period)
    total = 0
    for span in (service,) if spans is None else spans:
        start, end = max(service.start_ms, span.start_ms), min(service.end_ms, span.end_ms)
        total += max(0, end - start) - overlap_ms(terms.pauses, start, end)
    return total


def overlap_ms(windows: Iterable[Window], start_ms: int, end_ms: int) -> int:
    """Return how much of ``[start_ms, end_ms)`` lies in windows that are apart, ms."""
    return sum(
        max(0, min(end_ms, window.end_ms) - max(start_ms, window.start_ms)) for window in windows
    )


def previous_periods(terms: Terms, period: Window, count: int) -> tuple[Window, ...]:
    """Return up to ``count`` periods before one, ascending, none from before the contract."""
    first_ms = terms.start_ms or 0
    if isinstance(terms.period, FixedPeriods):
        first_ms = max(first_ms, terms.period.start_ms)
    found: list[Window] = []
    while len(found) < count:
        end_ms = found[-1].start_ms if found else period.start_ms
        if end_ms <= first_ms:
            break
        found.append(period_at(terms, end_ms - 1))
    return tuple(reversed(found))


def periods_ended(terms: Terms, from_ms: int, until_ms: int, *, limit: int) -> int:
    """Count the periods, from the one that holds an instant, that end by another instant.

    Args:
        terms: of the contract.
        from_ms: the first period counted holds it.
        until_ms: the last period counted ends at it or before.
        limit: no more than this are counted.
    """
    if isinstance(terms.period, FixedPeriods):
        from_ms = max(from_ms, terms.period.start_ms)
    count = 0
    while count < limit:
        end_ms = period_at(terms, from_ms).end_ms
        if end_ms > until_ms:
            break
        count, from_ms = count + 1, end_ms
    return count


@lru_cache(maxsize=256)
def tariff_cuts(
    zone: str, windows: tuple[DayWindow, ...], start_ms: int, end_ms: int
) -> tuple[tuple[int, int], ...]:
    """Cut ``[start_ms, end_ms)`` where another time-of-use window begins to hold.

    Returns:
        ``(instant, window)`` ascending, the first at ``start_ms``; ``window`` is an index into
        ``windows``, -1 outside of all. Neighbours differ.

    Raises:
        SettlementError: the span is longer than ten years.
    """
    if end_ms - start_ms > _SPAN_MS_MAX:
        raise SettlementError("a period of at most ten years expected, got a longer one")
    info = load_zone(zone)
    minutes = sorted({0, *(w.start_min for w in windows), *(w.end_min % 1440 for w in windows)})
    cuts: list[tuple[int, int]] = []
    for instant in _candidates(info, minutes, start_ms, end_ms):
        local = (_EPOCH + instant * _MS).astimezone(info)
        minute = 60 * local.hour + local.minute
        label = -1
        for index, window in enumerate(windows):
            if window.covers(local.weekday(), minute):
                label = index
                break
        if not cuts or cuts[-1][1] != label:
            cuts.append((instant, label))
    return tuple(cuts)


def _candidates(info: dt.tzinfo, minutes: list[int], start_ms: int, end_ms: int) -> list[int]:
    """Return every instant at which a window may begin or end, ascending, from ``start_ms`` on."""
    found = {start_ms}
    day = (_EPOCH + start_ms * _MS).astimezone(info).date()
    while (midnight := _utc_ms(info, day, 0)) < end_ms:
        tomorrow = _utc_ms(info, day + _DAY, 0)
        if tomorrow - midnight == 86_400_000:
            found.update(midnight + minute * 60_000 for minute in minutes)
        else:  # a clock change: local times repeat or are skipped, so look at every quarter hour
            found.update(range(midnight, tomorrow, _QUARTER_HOUR_MS))
            for minute in minutes:
                found.update(_utc_ms(info, day, minute, fold=fold) for fold in (0, 1))
        day += _DAY
    return sorted(instant for instant in found if start_ms <= instant < end_ms)


def _utc_ms(info: dt.tzinfo, day: dt.date, minute: int, *, fold: int = 0) -> int:
    local = dt.datetime(
        day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=info, fold=fold
    )
    return (local.astimezone(dt.UTC) - _EPOCH) // _MS


@lru_cache(maxsize=256)
def _calendar_period(zone: str, unit: PeriodUnit, time_ms: int) -> Window:
    info = load_zone(zone)
    day = (_EPOCH + time_ms * _MS).astimezone(info).date()
    first, after = _calendar_days(unit, day)
    return Window(start_ms=_utc_ms(info, first, 0), end_ms=_utc_ms(info, after, 0))


def _calendar_days(unit: PeriodUnit, day: dt.date) -> tuple[dt.date, dt.date]:
    """Return the first day of the unit around ``day`` and the first day after it."""
    if unit is PeriodUnit.DAY:
        return day, day + _DAY
    if unit is PeriodUnit.WEEK:
        monday = day - day.weekday() * _DAY
        return monday, monday + 7 * _DAY
    months = {PeriodUnit.MONTH: 1, PeriodUnit.QUARTER: 3, PeriodUnit.YEAR: 12}[unit]
    number = (12 * day.year + day.month - 1) // months * months
    return _month(number), _month(number + months)


def _month(number: int) -> dt.date:
    """Return the first day of the month with this number, counted from year 0."""
    return dt.date(number // 12, number % 12 + 1, 1)
