"""FREEMIUM: a free volume, a price for each unit above it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from wattest.settlement.fields import (
    decimals,
    quantity_form,
    read_decimal,
    read_optional,
    read_quantity,
)
from wattest.settlement.line import Piece, part
from wattest.settlement.quantity import Quantity
from wattest.settlement.templates.template import Draft, Template
from wattest.settlement.terms import Basis, Given, Needs
from wattest.tables import Table

_CARRY_MAX = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Freemium:
    """``unit_price * max(0, quantity - free * active - carried)``.

    Args:
        code: names the line on the statement.
        quantity: what is metered.
        free: volume of a full period that costs nothing, price units.
        unit_price: major units for one price unit above it.
        carry: for how many later periods an unused rest of the free volume stays free.
        estimate_cap: most that may be estimated in a period over all assets, price units.
    """

    template: ClassVar[str] = "FREEMIUM"
    code: str
    quantity: Quantity
    free: Fraction
    unit_price: Fraction
    carry: int = 0
    estimate_cap: Fraction | None = None

    @property
    def needs(self) -> Needs:
        """Its quantity, of earlier periods too if it carries over."""
        return Needs(
            quantity=self.quantity,
            estimate_cap=self.estimate_cap,
            lookback=self.carry,
            basis=Basis.QUANTITY,
        )

    def form(self) -> dict[str, Any]:
        """Return its canonical keys."""
        return {
            **quantity_form(self.quantity),
            "carry": self.carry,
            **decimals(free=self.free, price=self.unit_price, estimate_cap=self.estimate_cap),
        }

    def price(self, given: Given) -> tuple[Piece, ...]:
        """Price what lies above the free volume of this period and what earlier ones left."""
        used = given.units(self.quantity)
        free = self.free * given.active + self._carried(given)
        parts = (
            part("free", min(used, free), Fraction(0)),
            part("", max(Fraction(0), used - free), self.unit_price),
        )
        return (Piece(parts=parts, exact=parts[1].amount, metered=True),)

    def _carried(self, given: Given) -> Fraction:
        """Return what the earlier periods left, the oldest used first.

        The count begins ``carry`` periods before this one with nothing left over.
        """
        left: list[Fraction] = []
        for active, count in given.history:
            own = self.free * active
            used = Fraction(count, self.quantity.base_per_unit)
            wanted = max(Fraction(0), used - own)
            for place, rest in enumerate(left):
                taken = min(rest, wanted)
                left[place] -= taken
                wanted -= taken
            left.append(max(Fraction(0), own - used))
        return sum(left, Fraction(0))


def _read(table: Table, code: str, _draft: Draft) -> Freemium:
    return Freemium(
        code=code,
        quantity=read_quantity(table),
        free=read_decimal(table, "free"),
        unit_price=read_decimal(table, "price"),
        carry=table.integer("carry", 0, maximum=_CARRY_MAX),
        estimate_cap=read_optional(table, "estimate_cap"),
    )


TEMPLATE = Template(name=Freemium.template, read=_read)
