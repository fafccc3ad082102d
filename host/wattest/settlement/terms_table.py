"""Terms as people write them: a TOML table to validated ``Terms``, one clear line an error.

The keys are listed in ``docs/settlement.md``. Numbers may be written plain or as strings and stay
exact.
"""

from __future__ import annotations

import datetime as dt
from fractions import Fraction

from wattest.errors import ConfigError
from wattest.settlement.money import Rounding, decimal_text
from wattest.settlement.period import load_zone
from wattest.settlement.quantity import KINDS, Quantity, parse_obis
from wattest.settlement.terms import (
    CalendarPeriods,
    DayWindow,
    DerivedTime,
    FixedPeriods,
    InputPolicy,
    LineTerms,
    PayPerUse,
    PeriodUnit,
    Policy,
    StatusPolicy,
    Subscription,
    Terms,
    Tier,
    Unmetered,
    Window,
)
from wattest.tables import Table, describe, parse_table

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
TEMPLATES = ("SUBSCRIPTION", "PAY_PER_USE")
_MONEY_MAX = Fraction(10**12)
_EARLIEST = dt.datetime(1990, 1, 1, tzinfo=dt.UTC)
_LATEST = dt.datetime(2200, 1, 1, tzinfo=dt.UTC)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_WEEK_S = 7 * 86_400


def parse_terms(text: str, path: str) -> Terms:
    """Read a contract file's text; ``path`` is what errors call it.

    Raises:
        ConfigError: broken TOML or terms that break a rule: path, key, expected, got.
    """
    return terms_from_table(parse_table(text, path))


def terms_from_table(table: Table) -> Terms:
    """Read a contract from a parsed TOML table, its own file or part of a scenario.

    Raises:
        ConfigError: the table breaks a rule: path, key, expected, got.
    """
    zone = table.text("zone", "UTC", pattern=r"[A-Za-z0-9_+/-]{1,40}", expected="an IANA zone")
    load_zone(zone, path=table.path, key=table.dotted("zone"))
    start_ms = _instant_ms(table, "start") if "start" in table else None
    end_ms = _instant_ms(table, "end") if "end" in table else None
    if start_ms is not None and end_ms is not None and end_ms <= start_ms:
        raise table.error("end", "an instant after start expected")
    terms = Terms(
        contract=table.name("contract"),
        title=table.text("title", ""),
        seller=table.name("seller"),
        buyer=table.name("buyer"),
        assets=_assets(table),
        currency=table.text("currency", pattern="[A-Z]{3}", expected="three capital letters"),
        scale=table.integer("currency_scale", 2, maximum=6),
        rounding=Rounding(table.choice("rounding", [*Rounding], Rounding.HALF_EVEN)),
        zone=zone,
        period=_period(table.table("period")),
        start_ms=start_ms,
        end_ms=end_ms,
        pauses=_pauses(table),
        policy=_policy(table.table("policy")),
        lines=_lines(table),
    )
    if terms.seller == terms.buyer:
        raise table.error("buyer", f"another party than the seller expected, got {terms.buyer!r}")
    _check_estimates(table, terms)
    table.finish()
    return terms


def _assets(table: Table) -> tuple[str, ...]:
    names = table.strings("assets")
    if not names or len(names) > 256:
        raise table.error("assets", f"1 to 256 names expected, got {len(names)}")
    for number, name in enumerate(names):
        Table({f"assets[{number}]": name}, table.path, table.prefix).name(f"assets[{number}]")
    if len(set(names)) != len(names):
        raise table.error("assets", "names that differ expected, got one twice")
    return tuple(sorted(names))


def _period(table: Table) -> CalendarPeriods | FixedPeriods:
    kind = table.choice("kind", ("calendar", "fixed"))
    result: CalendarPeriods | FixedPeriods
    if kind == "calendar":
        result = CalendarPeriods(unit=PeriodUnit(table.choice("unit", [*PeriodUnit])))
    else:
        result = FixedPeriods(
            start_ms=_instant_ms(table, "start"),
            duration_ms=1000 * table.integer("duration_s", minimum=1, maximum=3_660 * 86_400),
        )
    table.finish()
    return result


def _pauses(table: Table) -> tuple[Window, ...]:
    pauses: list[Window] = []
    for entry in table.tables("pauses"):
        window = Window(start_ms=_instant_ms(entry, "start"), end_ms=_instant_ms(entry, "end"))
        if window.end_ms <= window.start_ms:
            raise entry.error("end", "an instant after start expected")
        if pauses and window.start_ms < pauses[-1].end_ms:
            raise entry.error("start", "pauses in order and apart from each other expected")
        entry.finish()
        pauses.append(window)
    return tuple(pauses)


def _policy(table: Table) -> Policy:
    policy = Policy(
        max_gap_ms=1000 * table.integer("max_gap_s", 3_600, minimum=1, maximum=_WEEK_S),
        unmetered=Unmetered(table.choice("unmetered", [*Unmetered], Unmetered.ZERO)),
        derived_time=DerivedTime(table.choice("derived_time", [*DerivedTime], DerivedTime.ACCEPT)),
        input=InputPolicy(table.choice("input", [*InputPolicy], InputPolicy.SENSOR)),
        status=StatusPolicy(table.choice("status", [*StatusPolicy], StatusPolicy.ACCEPT)),
        tolerance=Fraction(table.integer("tolerance_percent", 10, maximum=100), 100),
    )
    table.finish()
    return policy


def _lines(table: Table) -> tuple[LineTerms, ...]:
    entries = table.tables("line")
    if not entries or len(entries) > 64:
        raise table.error("line", f"1 to 64 lines expected, got {len(entries)}")
    lines: list[LineTerms] = []
    for entry in entries:
        template = entry.choice("template", TEMPLATES)
        code = entry.name("code")
        if code in [line.code for line in lines]:
            raise entry.error("code", f"a code of its own expected, got {code!r} again")
        if template == "SUBSCRIPTION":
            lines.append(Subscription(code=code, amount=_decimal(entry, "amount")))
        else:
            lines.append(_pay_per_use(entry, code))
        entry.finish()
    return tuple(lines)


def _pay_per_use(table: Table, code: str) -> PayPerUse:
    quantity = _quantity(table)
    minimum = _decimal(table, "minimum") if "minimum" in table else None
    maximum = _decimal(table, "maximum") if "maximum" in table else None
    if minimum is not None and maximum is not None and maximum < minimum:
        raise table.error("maximum", f"at least the minimum expected, got {describe(maximum)}")
    windows = tuple(_day_window(entry) for entry in table.tables("time_of_use"))
    if windows and quantity.is_count:
        raise table.error("time_of_use", "a register as quantity expected, got a count of records")
    return PayPerUse(
        code=code,
        quantity=quantity,
        tiers=_tiers(table),
        windows=windows,
        minimum=minimum,
        maximum=maximum,
        prorate_bounds=table.flag("prorate_bounds", True),
        estimate_cap=_decimal(table, "estimate_cap") if "estimate_cap" in table else None,
    )


def _quantity(table: Table) -> Quantity:
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


def _tiers(table: Table) -> tuple[Tier, ...]:
    """Read either ``price`` or ``tiers``; the last tier has no ``up_to``, the others ascend."""
    if "tiers" not in table:
        return (Tier(up_to=None, price=_decimal(table, "price")),)
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
        up_to = None if last else _decimal(entry, "up_to")
        if up_to is not None:
            if up_to <= floor:
                raise entry.error(
                    "up_to", f"more than {decimal_text(floor)} expected, got {describe(up_to)}"
                )
            floor = up_to
        tiers.append(Tier(up_to=up_to, price=_decimal(entry, "price")))
        entry.finish()
    return tuple(tiers)


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
        tiers=_tiers(table),
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


def _decimal(table: Table, key: str) -> Fraction:
    """Read an amount or price: not negative, at most nine decimals."""
    value = table.decimal(key, minimum=0, maximum=_MONEY_MAX)
    if (value * 10**9).denominator != 1:
        raise table.error(key, f"at most nine decimals expected, got {describe(table.raw(key))}")
    return value


def _instant_ms(table: Table, key: str) -> int:
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


def _check_estimates(table: Table, terms: Terms) -> None:
    """A party agrees to estimates only up to an amount."""
    if terms.policy.unmetered is not Unmetered.ESTIMATE:
        return
    for number, line in enumerate(terms.lines):
        if (
            isinstance(line, PayPerUse)
            and not line.quantity.is_count
            and line.estimate_cap is None
        ):
            raise ConfigError(
                'value expected because policy.unmetered is "estimate", got nothing',
                path=table.path,
                key=table.dotted(f"line[{number}].estimate_cap"),
            )
