"""Settlement periods: calendars with clock changes, fixed lengths, what lies outside."""

from __future__ import annotations

import importlib.util
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from settlement_bench import make_terms, ms, terms_map, window

from wattest.errors import ConfigError, SettlementError
from wattest.settlement import Terms, load_zone, period_at, periods_between
from wattest.settlement.period import active_ms, format_instant, tariff_cuts

HOUR = 3_600_000


def calendar(unit: str, zone: str = "Europe/Berlin", **changes: Any) -> Terms:
    return make_terms(terms_map(zone=zone, period={"kind": "calendar", "unit": unit}, **changes))


AROUND = """
month   Europe/Berlin       2026-03-15T00:00:00Z 2026-02-28T23:00:00Z 2026-03-31T22:00:00Z 743
month   Europe/Berlin       2026-10-31T23:30:00Z 2026-10-31T23:00:00Z 2026-11-30T23:00:00Z 720
month   Europe/Berlin       2026-10-31T22:59:59Z 2026-09-30T22:00:00Z 2026-10-31T23:00:00Z 745
day     Europe/Berlin       2026-03-29T12:00:00Z 2026-03-28T23:00:00Z 2026-03-29T22:00:00Z 23
day     Europe/Berlin       2026-10-25T12:00:00Z 2026-10-24T22:00:00Z 2026-10-25T23:00:00Z 25
week    UTC                 2026-04-05T23:59:59Z 2026-03-30T00:00:00Z 2026-04-06T00:00:00Z 168
quarter UTC                 2026-05-05T00:00:00Z 2026-04-01T00:00:00Z 2026-07-01T00:00:00Z 2184
year    UTC                 2028-02-29T00:00:00Z 2028-01-01T00:00:00Z 2029-01-01T00:00:00Z 8784
month   UTC                 2026-12-31T23:59:59Z 2026-12-01T00:00:00Z 2027-01-01T00:00:00Z 744
day     Australia/Lord_Howe 2026-04-04T20:00:00Z 2026-04-04T13:00:00Z 2026-04-05T13:30:00Z 24.5
"""


@pytest.mark.parametrize(
    "row", AROUND.strip().splitlines(), ids=lambda row: row[:50].split(":")[0]
)
def test_calendar_period_around_an_instant(row: str) -> None:
    unit, zone, at, start, end, hours = row.split()
    period = period_at(calendar(unit, zone), ms(at))
    assert period == window(start, end)
    assert period.end_ms - period.start_ms == Fraction(hours) * HOUR


def test_march_2026_in_berlin_has_743_hours() -> None:
    period = period_at(calendar("month"), ms("2026-03-10T00:00:00Z"))
    assert (period.end_ms - period.start_ms) == 743 * HOUR


def test_calendar_periods_of_years_lie_end_to_end() -> None:
    terms = calendar("month")
    periods = periods_between(terms, ms("2020-01-15T00:00:00Z"), ms("2040-01-15T00:00:00Z"))
    assert len(periods) == 241
    assert all(a.end_ms == b.start_ms for a, b in pairwise(periods))


def test_fixed_periods_lie_end_to_end_from_their_start() -> None:
    terms = make_terms(
        terms_map(period={"kind": "fixed", "start": "2026-01-05T00:00:00Z", "duration_s": 604_800})
    )
    assert period_at(terms, ms("2026-01-05T00:00:00Z")) == window(
        "2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z"
    )
    assert period_at(terms, ms("2026-01-12T00:00:00Z") - 1).start_ms == ms("2026-01-05T00:00:00Z")
    with pytest.raises(SettlementError, match="first period begins 2026-01-05T00:00:00Z"):
        period_at(terms, ms("2026-01-05T00:00:00Z") - 1)


def test_instant_outside_of_all_tables_is_refused() -> None:
    with pytest.raises(SettlementError, match="between 1970 and 2200 expected, got -1 ms"):
        period_at(calendar("day"), -1)
    with pytest.raises(SettlementError, match="between 1970 and 2200"):
        period_at(calendar("day"), 2**62)


def test_more_periods_than_anybody_wants_are_refused() -> None:
    terms = make_terms(
        terms_map(period={"kind": "fixed", "start": "2026-01-05T00:00:00Z", "duration_s": 1})
    )
    with pytest.raises(SettlementError, match="at most 10,000 periods"):
        periods_between(terms, ms("2026-01-05T00:00:00Z"), ms("2026-01-06T00:00:00Z"))


def test_zone_nobody_knows_is_refused_with_what_to_do() -> None:
    with pytest.raises(
        ConfigError, match="known to this machine expected, got 'No/Where'"
    ) as caught:
        load_zone("No/Where")
    assert "use UTC" in caught.value.diagnostics()


def test_utc_needs_no_zone_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wattest.settlement.period.ZoneInfo", None)
    assert str(load_zone("UTC")) == "UTC"


@pytest.mark.skipif(
    importlib.util.find_spec("tzdata") is not None, reason="the tzdata package is installed"
)
def test_missing_zone_data_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import zoneinfo

    zoneinfo.ZoneInfo.clear_cache()
    monkeypatch.setattr(zoneinfo, "TZPATH", ())
    monkeypatch.setattr("zoneinfo._tzpath.TZPATH", ())
    with pytest.raises(ConfigError, match="known to this machine expected, got 'Asia/Kabul'"):
        load_zone("Asia/Kabul")


@pytest.mark.parametrize(
    ("changes", "active_h"),
    [
        ({}, 720),
        ({"start": "2026-04-11T00:00:00Z"}, 480),
        ({"end": "2026-04-11T00:00:00Z"}, 240),
        ({"start": "2027-01-01T00:00:00Z"}, 0),
        ({"end": "2025-01-01T00:00:00Z"}, 0),
        ({"pauses": [{"start": "2026-03-31T00:00:00Z", "end": "2026-04-02T00:00:00Z"}]}, 696),
        (
            {
                "start": "2026-04-02T00:00:00Z",
                "pauses": [{"start": "2026-03-31T00:00:00Z", "end": "2026-04-03T00:00:00Z"}],
            },
            672,
        ),
    ],
)
def test_active_time_leaves_out_what_is_not_in_force_and_pauses(
    changes: dict[str, Any], active_h: int
) -> None:
    terms = calendar("month", "UTC", **changes)
    period = window("2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z")
    assert active_ms(terms, period) == active_h * HOUR


def test_instants_are_written_with_milliseconds_only_when_needed() -> None:
    assert format_instant(ms("2026-03-01T00:00:00Z")) == "2026-03-01T00:00:00Z"
    assert format_instant(ms("2026-03-01T00:00:00.250Z")) == "2026-03-01T00:00:00.250Z"


def test_tariff_cuts_of_more_than_ten_years_are_refused() -> None:
    with pytest.raises(SettlementError, match="at most ten years"):
        tariff_cuts("UTC", (), 0, 5_000 * 86_400_000)
