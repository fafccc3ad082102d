"""SUBSCRIPTION: a fixed amount for a whole period, pro rata to its active time."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from wattest.settlement.fields import decimals, read_decimal
from wattest.settlement.line import Piece, part
from wattest.settlement.templates.template import Draft, Template
from wattest.settlement.terms import Basis, Given, Needs
from wattest.tables import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """``amount * active``.

    Args:
        code: names the line on the statement.
        amount: for a full period, major units.
    """

    template: ClassVar[str] = "SUBSCRIPTION"
    code: str
    amount: Fraction

    @property
    def needs(self) -> Needs:
        """Nothing metered."""
        return Needs(basis=Basis.ACTIVE)

    def form(self) -> dict[str, Any]:
        """Return its canonical keys."""
        return dict(decimals(amount=self.amount))

    def price(self, given: Given) -> tuple[Piece, ...]:
        """Price it by the active share alone."""
        only = part("", given.active, self.amount)
        return (Piece(parts=(only,), exact=only.amount),)


def _read(table: Table, code: str, _draft: Draft) -> Subscription:
    return Subscription(code=code, amount=read_decimal(table, "amount"))


TEMPLATE = Template(name=Subscription.template, read=_read, shares=("",))
