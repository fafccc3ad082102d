"""Over which usage a contract is looked at: what drives its price, where the price turns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

from wattest.exports.chart import nice_step
from wattest.exports.explain_prices import Bill, bill_at
from wattest.settlement.period import period_at
from wattest.settlement.quantity import Quantity
from wattest.settlement.templates import PayPerUse
from wattest.settlement.terms import FixedPeriods, Terms, Window
from wattest.settlement.terms_form import terms_to_map

AVAILABILITY = "availability"
_EXAMPLE_MS = 1_775_001_600_000
"""1 April 2026, 00:00 UTC: the period of examples, where the contract names no first instant."""
_HOUR_MS = 3_600_000
_GRID = 96
_WORDS = {
    "import_energy": "energy drawn",
    "export_energy": "energy delivered",
    "use_time": "time in use",
    "record_count": "readings",
    "transaction_count": "sessions begun",
}
_THRESHOLDS = {"up_to", "target", "allowance", "free", "reference"}
"""Keys of a line that are places on the axis of usage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """One quantity that a price depends on.

    Args:
        name: of the quantity, or ``availability``.
        words: what people call it.
        unit: of the axis.
        base: base counts in one unit.
        lines: codes of the lines that count it, with units of the axis in one of theirs.
        thresholds: places the terms name, ascending, units of the axis.
        example: a usage for examples.
        end: end of the axis.
        begin: its begin.
    """

    name: str
    words: str
    unit: str
    base: int
    lines: tuple[tuple[str, Fraction], ...]
    thresholds: tuple[Fraction, ...]
    example: Fraction
    end: Fraction
    begin: Fraction = Fraction(0)

    @property
    def said(self) -> str:
        """The quantity with its unit: ``energy drawn, kWh``."""
        return f"{self.words}, {self.unit}" if self.unit else self.words


class Model:
    """A contract and the usage it is looked at with.

    Args:
        terms: the contract.
        drivers: to look at it with; ``None``: its own.
    """

    def __init__(self, terms: Terms, *, drivers: tuple[Driver, ...] | None = None) -> None:
        self.terms = terms
        self._drivers = drivers
        self.form: Mapping[str, Any] = terms_to_map(terms)
        self.period = example_period(terms)

    @cached_property
    def drivers(self) -> tuple[Driver, ...]:
        """What the price depends on, in the order of the lines; availability last."""
        if self._drivers is not None:
            return self._drivers
        found = tuple(_drivers(self))
        if not self.terms.uses_availability:
            return found
        bands = tuple(
            sorted(
                {
                    Fraction(band["from"])
                    for line, form in zip(self.terms.lines, self.form["line"], strict=True)
                    if line.needs.availability
                    for band in form["bands"]
                }
            )
        )
        return (
            *found,
            Driver(
                name=AVAILABILITY,
                words="availability of the assets",
                unit="%",
                base=1000,
                lines=(),
                thresholds=tuple(100 * at for at in bands if 0 < at < 1),
                begin=_begin([100 * at for at in bands if 0 < at < 1]),
                example=Fraction(100),
                end=Fraction(100),
            ),
        )

    def usage(
        self, driver: Driver | None = None, at: Fraction = Fraction(0)
    ) -> dict[str, Fraction]:
        """Return quantities by line: the examples of all drivers, but ``at`` for one of them."""
        return {
            code: (at if driver is not None and each.name == driver.name else each.example) * share
            for each in self.drivers
            for code, share in each.lines
        }

    def bill(
        self, driver: Driver | None = None, at: Fraction = Fraction(0), *, once: bool = False
    ) -> Bill:
        """Price a full period at the examples of all drivers, but ``at`` for one of them."""
        available = Fraction(1)
        if driver is not None and driver.name == AVAILABILITY:
            available = at / 100
        usage = self.usage(driver, at)
        return bill_at(self.terms, usage, availability=available, once=once)

    def other(self, terms: Terms) -> Model:
        """Return the model of other terms, looked at with the same drivers."""
        return Model(terms, drivers=self.drivers)

    def paid(self, bill: Bill) -> int:
        """Return what the buyer pays, minor units."""
        return bill.total

    def net(self, bill: Bill) -> int:
        """Return what stays with the seller, minor units."""
        return bill.payouts[self.terms.seller]


def example_period(terms: Terms) -> Window:
    """Return a settlement period to make examples with: the first whole one, if it has a begin."""
    at = terms.start_ms if terms.start_ms is not None else _EXAMPLE_MS
    if isinstance(terms.period, FixedPeriods):
        at = max(at, terms.period.start_ms)
    period = period_at(terms, at)
    return period if period.start_ms >= at else period_at(terms, period.end_ms)


def grid(driver: Driver) -> list[Fraction]:
    """Return ascending places to price at: even steps and every threshold."""
    width = driver.end - driver.begin
    even = {driver.begin + width * step / _GRID for step in range(_GRID + 1)}
    counts = {Fraction(int(at * driver.base), driver.base) for at in even}
    return sorted(counts | {at for at in driver.thresholds if at <= driver.end})


def rounded(value: Fraction, digits: int = 2) -> Fraction:
    """Return a positive value with few digits, for examples."""
    power = Fraction(10)
    while power <= value:
        power *= 10
    while power > value * 10 and power > Fraction(1, 10**9):
        power /= 10
    step: Fraction = power / 10**digits
    nearest = Fraction(round(value / step)) * step
    return max(step, nearest)


def window_terms(terms: Terms, code: str) -> Iterator[tuple[str, Terms]]:
    """Yield terms in which one time-of-use window of a line holds all the time."""
    for number, line in enumerate(terms.lines):
        if line.code == code and isinstance(line, PayPerUse):
            for window in line.windows:
                only = replace(line, tiers=window.tiers, windows=())
                lines = (*terms.lines[:number], only, *terms.lines[number + 1 :])
                yield window.name, replace(terms, lines=lines)


def _drivers(model: Model) -> Iterator[Driver]:
    groups: dict[tuple[str, bytes], list[tuple[str, Quantity, Mapping[str, Any]]]] = {}
    for line, form in zip(model.terms.lines, model.form["line"], strict=True):
        quantity = line.needs.quantity
        if quantity is not None:
            groups.setdefault((quantity.name, quantity.obis), []).append(
                (line.code, quantity, form)
            )
    for (name, _), members in groups.items():
        first = members[0][1]
        thresholds = sorted(
            {
                Fraction(text) * quantity.base_per_unit / first.base_per_unit
                for _, quantity, form in members
                for text in _named(form, _THRESHOLDS)
            }
        )
        usual = _usual(first, model)
        top = max([*thresholds, Fraction(0)])
        unit = first.unit if first.unit != "each" else ""
        yield Driver(
            name=name if name != "register" else f"register {first.obis.hex()}",
            words=_WORDS.get(name, unit),
            unit=unit,
            base=first.base_per_unit,
            lines=tuple(
                (code, Fraction(first.base_per_unit, quantity.base_per_unit))
                for code, quantity, _ in members
            ),
            thresholds=tuple(thresholds),
            example=_whole(
                rounded(top * Fraction(13, 10) if top else usual * Fraction(13, 20)), first
            ),
            end=end_of_axis(top * Fraction(8, 5) if top else usual),
        )


def _begin(bands: Sequence[Fraction]) -> Fraction:
    """Return where an axis of availability begins: the bands lie in its upper half."""
    lowest = min([*bands, Fraction(100)])
    return Fraction(max(0, int(2 * lowest - 100) // 10 * 10)) if bands else Fraction(0)


def _usual(quantity: Quantity, model: Model) -> Fraction:
    """Return a usage of a period that is not unusual: 1 kW all the time, a quarter in use."""
    hours = Fraction(model.period.end_ms - model.period.start_ms, _HOUR_MS)
    counts = {
        "import_energy": hours * 10**6 * len(model.terms.assets),
        "export_energy": hours * 10**6 * len(model.terms.assets),
        "use_time": hours * 900,
        "record_count": hours * 4,
        "transaction_count": max(hours / 6, Fraction(1)),
    }.get(quantity.name, Fraction(1000 * quantity.base_per_unit))
    return counts / quantity.base_per_unit


def end_of_axis(value: Fraction) -> Fraction:
    """Return the next whole number of nice steps, for an axis."""
    step = nice_step(value, 5)
    return Fraction(-(-value // step)) * step


def _whole(value: Fraction, quantity: Quantity) -> Fraction:
    """Round to whole base counts, at least one."""
    return Fraction(max(1, round(value * quantity.base_per_unit)), quantity.base_per_unit)


def _named(form: object, keys: set[str]) -> Iterator[str]:
    """Yield the values of keys anywhere below a table."""
    if isinstance(form, Mapping):
        for key, value in form.items():
            if key in keys and isinstance(value, str):
                yield value
            elif key != "time_of_use":
                yield from _named(value, keys)
    elif isinstance(form, Sequence) and not isinstance(form, str):
        for item in form:
            yield from _named(item, keys)
