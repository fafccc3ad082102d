"""LEASE: a rent, an allowance of use, a price for what lies above it, a deposit."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """``amount * active``, and on a line of its own ``overage`` for each unit above the allowance.

    Args:
        code: names the line of the rent; use above the allowance is ``code.overage``.
        amount: rent for a full period, major units.
        quantity: what is metered; ``None``: any use is included.
        allowance: use that the rent of a full period covers, price units.
        overage: major units for one price unit above it.
        deposit: held from the begin of the contract, given back at its end less damages.
        estimate_cap: most that may be estimated in a period over all assets, price units.
    """

    template: ClassVar[str] = "LEASE"
    code: str
    amount: Fraction
    quantity: Quantity | None
    allowance: Fraction
    overage: Fraction
    deposit: Fraction
    estimate_cap: Fraction | None = None

    @property
    def needs(self) -> Needs:
        """Its quantity if use has a price; a deposit."""
        if self.quantity is None:
            return Needs(basis=Basis.ACTIVE, deposit=self.deposit)
        return Needs(
            quantity=self.quantity,
            estimate_cap=self.estimate_cap,
            basis=Basis.QUANTITY,
            suffixes=("", "overage"),
            deposit=self.deposit,
        )

    def form(self) -> dict[str, Any]:
        """Return its canonical keys."""
        form: dict[str, Any] = dict(decimals(amount=self.amount, deposit=self.deposit))
        if self.quantity is not None:
            form |= quantity_form(self.quantity)
            form |= decimals(
                allowance=self.allowance, overage=self.overage, estimate_cap=self.estimate_cap
            )
        return form

    def price(self, given: Given) -> tuple[Piece, ...]:
        """Price rent and overage, each rounded by itself; the allowance shrinks with the rent."""
        rent = part("", given.active, self.amount)
        first = Piece(parts=(rent,), exact=rent.amount)
        if self.quantity is None:
            return (first,)
        above = max(Fraction(0), given.units(self.quantity) - self.allowance * given.active)
        over = part("overage", above, self.overage)
        return (first, Piece(suffix="overage", parts=(over,), exact=over.amount, metered=True))


def _read(table: Table, code: str, _draft: Draft) -> Lease:
    metered = "quantity" in table
    return Lease(
        code=code,
        amount=read_decimal(table, "amount"),
        quantity=read_quantity(table) if metered else None,
        allowance=read_decimal(table, "allowance") if metered else Fraction(0),
        overage=read_decimal(table, "overage") if metered else Fraction(0),
        deposit=read_optional(table, "deposit") or Fraction(0),
        estimate_cap=read_optional(table, "estimate_cap") if metered else None,
    )


TEMPLATE = Template(name=Lease.template, read=_read, shares=("",))
