"""GAIN_SHARE: a fixed part, a performance part at the target, a share of what lies above it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any, ClassVar

from wattest.settlement.fields import (
    decimals,
    quantity_form,
    read_bounds,
    read_decimal,
    read_optional,
    read_positive,
    read_quantity,
)
from wattest.settlement.line import Part, Piece, part
from wattest.settlement.quantity import Quantity
from wattest.settlement.templates.bounds import bounded
from wattest.settlement.templates.template import Draft, Template
from wattest.settlement.terms import Basis, Given, Needs
from wattest.tables import Table, describe


class Below(StrEnum):
    """What is paid below the target."""

    FIXED_ONLY = "fixed_only"
    LINEAR = "linear"
    """The fixed part, and the performance part pro rata to performance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GainShare:
    """At the target exactly ``amount`` is paid; above it ``gain_price`` a unit on top.

    Args:
        code: names the line on the statement.
        quantity: what performance is.
        amount: paid at the target in a full period, major units.
        fixed: part of it that is paid whatever the performance.
        target: performance of a full period, price units, > 0.
        below: what is paid below the target.
        gain_price: for a unit above the target; ``None``: the performance part by the target,
            an exact fraction.
        minimum: least amount for a full period, or ``None``.
        maximum: largest amount for a full period, or ``None``.
        prorate_bounds: minimum and maximum shrink with the active time.
        estimate_cap: most that may be estimated in a period over all assets, price units.
    """

    template: ClassVar[str] = "GAIN_SHARE"
    code: str
    quantity: Quantity
    amount: Fraction
    fixed: Fraction
    target: Fraction
    below: Below = Below.FIXED_ONLY
    gain_price: Fraction | None = None
    minimum: Fraction | None = None
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
            "below": self.below.value,
            "prorate_bounds": self.prorate_bounds,
            **decimals(
                amount=self.amount,
                fixed=self.fixed,
                target=self.target,
                gain_price=self.gain_price,
                minimum=self.minimum,
                maximum=self.maximum,
                estimate_cap=self.estimate_cap,
            ),
        }

    def price(self, given: Given) -> tuple[Piece, ...]:
        """Price performance against the target, then the bounds."""
        parts = self._parts(given.units(self.quantity), given.active)
        share = given.active if self.prorate_bounds else Fraction(1)
        total = sum((part.amount for part in parts), Fraction(0))
        exact, flags = bounded(total, self.minimum, self.maximum, share)
        return (Piece(parts=parts, exact=exact, flags=flags, metered=True),)

    def _parts(self, performance: Fraction, active: Fraction) -> tuple[Part, ...]:
        """Scale fixed part, amount and target by the active share; the slope stays."""
        slope = Fraction(self.amount - self.fixed, self.target)
        target = self.target * active
        if performance >= target:
            gain_price = slope if self.gain_price is None else self.gain_price
            return (
                part("base", active, self.amount),
                part("gain", performance - target, gain_price),
            )
        fixed = part("fixed", active, self.fixed)
        if self.below is Below.FIXED_ONLY:
            return (fixed,)
        return (fixed, part("performance", performance, slope))


def _read(table: Table, code: str, _draft: Draft) -> GainShare:
    minimum, maximum = read_bounds(table)
    amount, fixed = read_decimal(table, "amount"), read_decimal(table, "fixed")
    if fixed > amount:
        raise table.error("fixed", f"at most the amount expected, got {describe(fixed)}")
    return GainShare(
        code=code,
        quantity=read_quantity(table),
        amount=amount,
        fixed=fixed,
        target=read_positive(table, "target"),
        below=Below(table.choice("below", [*Below], Below.FIXED_ONLY)),
        gain_price=read_optional(table, "gain_price"),
        minimum=minimum,
        maximum=maximum,
        prorate_bounds=table.flag("prorate_bounds", True),
        estimate_cap=read_optional(table, "estimate_cap"),
    )


TEMPLATE = Template(name=GainShare.template, read=_read, shares=("base", "fixed"))
