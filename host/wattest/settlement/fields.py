"""How values are spelled in a contract: amounts, instants, windows, tiers, quantities.

Each reader of a TOML table has its writer of the canonical form beside it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from wattest.settlement.money import decimal_text
from wattest.settlement.period import format_instant
from wattest.settlement.quantity import KINDS, Quantity, format_obis, parse_obis
from wattest.settlement.terms import DayWindow, Tier, Window
from wattest.tables import Table, describe

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONEY_MAX = Fraction(10**12)
_EARLIEST = dt.datetime(1990, 1, 1, tzinfo=dt.UTC)
_LATEST = dt.datetime(2200, 1, 1, tzinfo=dt.UTC)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def read_decimal(table: Table, key: str, *, maximum: Fraction | int = _MONEY_MAX) -> Fraction:
    """Read an amount, price or share: not negative, at most nine decimals."""
    value = table.decimal(key, minimum=0, maximum=maximum)
    if (value * 10**9).denominator != 1:
        raise table.error(key, f"at most nine decimals expected, got {describe(table.raw(key))}")
    return value


def read_positive(table: Table, key: str) -> Fraction:
    """Read an amount that a price is divided by."""
    value = read_decimal(table, key)
    if value == 0:
        raise table.error(key, "more than 0 expected, got 0")
    return value


def read_optional(table: Table, key: str) -> Fraction | None:
    """Read an amount that may be left out."""
    return read_decimal(table, key) if key in table else None


def read_bounds(table: Table) -> tuple[Fraction | None, Fraction | None]:
    """Read ``minimum`` and ``maximum``."""
    minimum, maximum = read_optional(table, "minimum"), read_optional(table, "maximum")
    if minimum is not None and maximum is not None and maximum < minimum:
        raise table.error("maximum", f"at least the minimum expected, got {describe(maximum)}")
    return minimum, maximum


def decimals(**values: Fraction | None) -> dict[str, str]:
    """Write the values that are there."""
    return {key: decimal_text(value) for key, value in values.items() if value is not None}


def read_instant(table: Table, key: str) -> int:
    """Read a TOML date-time with offset, or the same as a string, as canonical terms have it."""
    value = table.raw(key)
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            value = None
    if not isinstance(value, dt.datetime) or value.tzinfo is None:
        raise table.error(
            key,
            "a date-time with offset, such as 2026-06-15T00:00:00Z, expected, "
            f"got {describe(table.raw(key))}",
        )
    if not _EARLIEST <= value <= _LATEST or value.microsecond % 1000:
        raise table.error(key, "whole milliseconds between 1990 and 2200 expected")
    return (value - _EPOCH) // dt.timedelta(milliseconds=1)


def read_windows(table: Table, key: str, what: str) -> tuple[Window, ...]:
    """Read ``start`` and ``end`` of windows that ascend and do not touch each other's inside."""
    windows: list[Window] = []
    for entry in table.tables(key):
        window = Window(start_ms=read_instant(entry, "start"), end_ms=read_instant(entry, "end"))
        if window.end_ms <= window.start_ms:
            raise entry.error("end", "an instant after start expected")
        if windows and window.start_ms < windows[-1].end_ms:
            raise entry.error("start", f"{what} in order and apart from each other expected")
        entry.finish()
        windows.append(window)
    return tuple(windows)


def windows_form(windows: Sequence[Window]) -> list[dict[str, str]]:
    """Write windows."""
    return [
        {"start": format_instant(window.start_ms), "end": format_instant(window.end_ms)}
        for window in windows
    ]


def read_quantity(table: Table) -> Quantity:
    """Read ``quantity`` and what names its unit and register."""
    name = table.choice("quantity", tuple(KINDS))
    kind = KINDS[name]
    modulus = table.integer("modulus", 0, minimum=2) if "modulus" in table else 0
    if modulus and not kind.obis and name != "register":
        raise table.error("modulus", "a register as quantity expected, got a count of records")
    if name != "register":
        unit = table.choice("unit", tuple(kind.units), next(iter(kind.units), ""))
        if "unit" not in table and len(kind.units) > 1:
            raise table.error("unit", f"one of {', '.join(kind.units)} expected, got nothing")
        return Quantity(
            name=name,
            unit=unit,
            obis=kind.obis,
            base_per_unit=kind.units[unit],
            modulus=modulus,
        )
    text = table.text("obis")
    try:
        obis = parse_obis(text)
    except ValueError as exc:
        raise table.error("obis", str(exc)) from None
    return Quantity(
        name=name,
        unit=table.text("unit", pattern=r"[!-~]{1,16}", expected="1 to 16 printable characters"),
        obis=obis,
        base_per_unit=table.integer("base_per_unit", minimum=1, maximum=10**15),
        modulus=modulus,
    )


def quantity_form(quantity: Quantity) -> dict[str, Any]:
    """Write a quantity."""
    form: dict[str, Any] = {"quantity": quantity.name, "unit": quantity.unit}
    if quantity.name == "register":
        form["obis"] = format_obis(quantity.obis)
        form["base_per_unit"] = quantity.base_per_unit
    if quantity.modulus:
        form["modulus"] = quantity.modulus
    return form


def read_tiers(table: Table) -> tuple[Tier, ...]:
    """Read either ``price`` or ``tiers``; the last tier has no ``up_to``, the others ascend."""
    if "tiers" not in table:
        return (Tier(up_to=None, price=read_decimal(table, "price")),)
    if "price" in table:
        raise table.error("price", "either price or tiers expected, got both")
    entries = table.tables("tiers")
    if not entries or len(entries) > 32:
        raise table.error("tiers", f"1 to 32 tiers expected, got {len(entries)}")
    tiers: list[Tier] = []
    floor = Fraction(0)
    for number, entry in enumerate(entries):
        last = number == len(entries) - 1
        if last and "up_to" in entry:
            raise entry.error("up_to", "no upper end expected in the last tier, got one")
        up_to = None if last else read_decimal(entry, "up_to")
        if up_to is not None:
            if up_to <= floor:
                raise entry.error(
                    "up_to", f"more than {decimal_text(floor)} expected, got {describe(up_to)}"
                )
            floor = up_to
        tiers.append(Tier(up_to=up_to, price=read_decimal(entry, "price")))
        entry.finish()
    return tuple(tiers)


def tiers_form(tiers: tuple[Tier, ...]) -> dict[str, Any]:
    """Write one price, or tiers."""
    if len(tiers) == 1:
        return {"price": decimal_text(tiers[0].price)}
    return {"tiers": [decimals(price=tier.price, up_to=tier.up_to) for tier in tiers]}


def read_day_windows(table: Table) -> tuple[DayWindow, ...]:
    """Read ``time_of_use``."""
    return tuple(_day_window(entry) for entry in table.tables("time_of_use"))


def _day_window(table: Table) -> DayWindow:
    names = table.strings("days", DAYS)
    for name in names:
        if name not in DAYS:
            raise table.error("days", f"days out of {', '.join(DAYS)} expected, got {name!r}")
    if not names or len(set(names)) != len(names):
        raise table.error("days", "one to seven days, none twice, expected")
    window = DayWindow(
        name=table.name("name"),
        days=tuple(sorted(DAYS.index(name) for name in names)),
        start_min=_minute(table, "from"),
        end_min=_minute(table, "to"),
        tiers=read_tiers(table),
    )
    if window.start_min in (window.end_min, 1440) or window.end_min == 0:
        raise table.error(
            "to", "another time of day than from expected (a whole day: 00:00 to 24:00)"
        )
    table.finish()
    return window


def _minute(table: Table, key: str) -> int:
    text = table.text(
        key,
        pattern=r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00",
        expected="a time of day like 06:30",
    )
    return 60 * int(text[:2]) + int(text[3:])


def day_window_form(window: DayWindow) -> dict[str, Any]:
    """Write a time-of-use window."""
    return {
        "name": window.name,
        "days": [DAYS[day] for day in window.days],
        "from": f"{window.start_min // 60:02d}:{window.start_min % 60:02d}",
        "to": f"{window.end_min // 60:02d}:{window.end_min % 60:02d}",
        **tiers_form(window.tiers),
    }
