"""GAIN_SHARE_BONUS: a fixed amount always, and a share of the value above the target."""

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
class GainShareBonus:
    """``amount * active``, and on a line of its own ``share`` of the value of what lies above.

    Args:
        code: names the line of the amount; the bonus is ``code.bonus``.
        quantity: what performance is.
        amount: for a full period, major units.
        target: performance of a full period, price units.
        value: of one unit above or below the target, major units.
        share: of a gain that the seller gets, 0 to 1.
        loss_share: of a loss that the seller bears, 0 to 1.
        maximum: largest bonus for a full period, or ``None``.
        prorate_bounds: the maximum shrinks with the active time.
        estimate_cap: most that may be estimated in a period over all assets, price units.
    """

    template: ClassVar[str] = "GAIN_SHARE_BONUS"
    code: str
    quantity: Quantity
    amount: Fraction
    target: Fraction
    value: Fraction
    share: Fraction
    loss_share: Fraction = Fraction(0)
    maximum: Fraction | None = None
    prorate_bounds: bool = True
    estimate_cap: Fraction | None = None

    @property
    def needs(self) -> Needs:
        """Its quantity; two lines."""
        return Needs(
            quantity=self.quantity,
            estimate_cap=self.estimate_cap,
            basis=Basis.QUANTITY,
            suffixes=("", "bonus"),
        )

    def form(self) -> dict[str, Any]:
        """Return its canonical keys."""
        return {
            **quantity_form(self.quantity),
            "prorate_bounds": self.prorate_bounds,
            **decimals(
                amount=self.amount,
                target=self.target,
                value=self.value,
                share=self.share,
                loss_share=self.loss_share,
                maximum=self.maximum,
                estimate_cap=self.estimate_cap,
            ),
        }

    def price(self, given: Given) -> tuple[Piece, ...]:
        """Price the amount and the bonus, each rounded by itself."""
        base = part("", given.active, self.amount)
        above = given.units(self.quantity) - self.target * given.active
        share = self.share if above >= 0 else self.loss_share
        bonus = part("bonus", above if share else Fraction(0), self.value * share)
        bound = given.active if self.prorate_bounds else Fraction(1)
        exact, flags = bounded(bonus.amount, None, self.maximum, bound)
        return (
            Piece(parts=(base,), exact=base.amount),
            Piece(suffix="bonus", parts=(bonus,), exact=exact, flags=flags, metered=True),
        )


def _read(table: Table, code: str, _draft: Draft) -> GainShareBonus:
    loss_share = Fraction(0)
    if "loss_share" in table:
        loss_share = read_decimal(table, "loss_share", maximum=1)
    return GainShareBonus(
        code=code,
        quantity=read_quantity(table),
        amount=read_decimal(table, "amount"),
        target=read_decimal(table, "target"),
        value=read_decimal(table, "value"),
        share=read_decimal(table, "share", maximum=1),
        loss_share=loss_share,
        maximum=read_optional(table, "maximum"),
        prorate_bounds=table.flag("prorate_bounds", True),
        estimate_cap=read_optional(table, "estimate_cap"),
    )


TEMPLATE = Template(name=GainShareBonus.template, read=_read, shares=("",))
