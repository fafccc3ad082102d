"""SHORTFALL: damages the seller owes for each unit below what was promised."""

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
from wattest.settlement.templates.bounds import bounded
from wattest.settlement.templates.template import Draft, Template
from wattest.settlement.terms import Basis, Given, Needs
from wattest.tables import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """``-damages * max(0, target * active - quantity)``: a credit to the buyer.

    Args:
        code: names the line on the statement.
        quantity: what was promised.
        target: for a full period, price units.
        damages: major units for one price unit that is missing.
        maximum: largest damages for a full period, or ``None``.
        prorate_bounds: the maximum shrinks with the active time.
        estimate_cap: most that may be estimated in a period over all assets, price units.
    """

    template: ClassVar[str] = "SHORTFALL"
    code: str
    quantity: Quantity
    target: Fraction
    damages: Fraction
    maximum: Fraction | None = None
    prorate_bounds: bool = True
    estimate_cap: Fraction | None = None

    @property
    def needs(self) -> Needs:
        """Its quantity."""
        return Needs(quantity=self.quantity, estimate_cap=self.estimate_cap, basis=Basis.QUANTITY)

    def form(self) -> dict[str, Any]:
        """Return its canonical keys."""
        return {
            **quantity_form(self.quantity),
            "prorate_bounds": self.prorate_bounds,
            **decimals(
                target=self.target,
                damages=self.damages,
                maximum=self.maximum,
                estimate_cap=self.estimate_cap,
            ),
        }

    def price(self, given: Given) -> tuple[Piece, ...]:
        """Price what is missing, as a credit."""
        promised = self.target * given.active
        missing = max(Fraction(0), promised - given.units(self.quantity))
        owed = part("missing", missing, -self.damages)
        share = given.active if self.prorate_bounds else Fraction(1)
        exact, flags = bounded(-owed.amount, None, self.maximum, share)
        return (Piece(parts=(owed,), exact=-exact, flags=flags, metered=True),)


def _read(table: Table, code: str, _draft: Draft) -> Shortfall:
    return Shortfall(
        code=code,
        quantity=read_quantity(table),
        target=read_decimal(table, "target"),
        damages=read_decimal(table, "damages"),
        maximum=read_optional(table, "maximum"),
        prorate_bounds=table.flag("prorate_bounds", True),
        estimate_cap=read_optional(table, "estimate_cap"),
    )


TEMPLATE = Template(name=Shortfall.template, read=_read)
