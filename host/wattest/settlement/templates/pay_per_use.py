"""PAY_PER_USE: a price for each unit, graduated tiers, time of use, least and largest amount."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from wattest.settlement.fields import (
    day_window_form,
    decimals,
    quantity_form,
    read_bounds,
    read_day_windows,
    read_optional,
    read_quantity,
    read_tiers,
    tiers_form,
)
from wattest.settlement.line import Part, Piece
from wattest.settlement.quantity import Quantity
from wattest.settlement.templates.bounds import bounded
from wattest.settlement.templates.template import Draft, Template
from wattest.settlement.terms import Basis, DayWindow, Given, Needs, Tier
from wattest.tables import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class PayPerUse:
    """A price for each unit of a counted quantity.

    Args:
        code: names the line on the statement.
        quantity: what is counted.
        tiers: prices outside of every time-of-use window; the last has no end.
        windows: time-of-use windows, the first that covers an instant wins.
        minimum: least amount for a full period, or ``None``.
        maximum: largest amount for a full period, or ``None``.
        prorate_bounds: minimum and maximum shrink with the active time.
        estimate_cap: most that may be estimated in a period over all assets, price units.
    """

    template: ClassVar[str] = "PAY_PER_USE"
    code: str
    quantity: Quantity
    tiers: tuple[Tier, ...]
    windows: tuple[DayWindow, ...] = ()
    minimum: Fraction | None = None
    maximum: Fraction | None = None
    prorate_bounds: bool = True
    estimate_cap: Fraction | None = None

    @property
    def needs(self) -> Needs:
        """Its quantity, shared out to its windows."""
        return Needs(
            quantity=self.quantity,
            windows=self.windows,
            estimate_cap=self.estimate_cap,
            basis=Basis.QUANTITY,
        )

    def form(self) -> dict[str, Any]:
        """Return its canonical keys."""
        form: dict[str, Any] = {
            **quantity_form(self.quantity),
            **tiers_form(self.tiers),
            "prorate_bounds": self.prorate_bounds,
            **decimals(minimum=self.minimum, maximum=self.maximum, estimate_cap=self.estimate_cap),
        }
        if self.windows:
            form["time_of_use"] = [day_window_form(window) for window in self.windows]
        return form

    def price(self, given: Given) -> tuple[Piece, ...]:
        """Price window by window, each with its own tiers; then the bounds."""
        parts = self._parts(given)
        share = given.active if self.prorate_bounds else Fraction(1)
        total = sum((part.amount for part in parts), Fraction(0))
        exact, flags = bounded(total, self.minimum, self.maximum, share)
        return (Piece(parts=tuple(parts), exact=exact, flags=flags, metered=True),)

    def _parts(self, given: Given) -> list[Part]:
        by_window, base = given.by_window, self.quantity.base_per_unit
        parts: list[Part] = []
        for index, window in enumerate(self.windows):
            if index in by_window:
                parts += tier_parts(window.name, window.tiers, Fraction(by_window[index], base))
        if -1 in by_window or not parts:
            parts += tier_parts("", self.tiers, Fraction(by_window.get(-1, 0), base))
        return parts


def tier_parts(name: str, tiers: Sequence[Tier], quantity: Fraction) -> list[Part]:
    """Split a quantity over graduated tiers; a tier that is not reached makes no part."""
    parts = []
    floor = Fraction(0)
    for number, tier in enumerate(tiers, 1):
        top = quantity if tier.up_to is None else min(quantity, tier.up_to)
        if top > floor or number == 1:
            parts.append(
                Part(
                    window=name,
                    tier=number if len(tiers) > 1 else 0,
                    quantity=top - floor,
                    price=tier.price,
                    amount=(top - floor) * tier.price,
                )
            )
            floor = top
    return parts


def _read(table: Table, code: str, _draft: Draft) -> PayPerUse:
    quantity = read_quantity(table)
    minimum, maximum = read_bounds(table)
    windows = read_day_windows(table)
    if windows and quantity.is_count:
        raise table.error("time_of_use", "a register as quantity expected, got a count of records")
    return PayPerUse(
        code=code,
        quantity=quantity,
        tiers=read_tiers(table),
        windows=windows,
        minimum=minimum,
        maximum=maximum,
        prorate_bounds=table.flag("prorate_bounds", True),
        estimate_cap=read_optional(table, "estimate_cap"),
    )


TEMPLATE = Template(name=PayPerUse.template, read=_read)
