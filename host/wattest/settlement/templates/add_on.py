"""ADD_ON: an amount for a full period, over windows of its own."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from wattest.settlement.fields import decimals, read_decimal, read_windows, windows_form
from wattest.settlement.line import Piece, part
from wattest.settlement.templates.template import Draft, Template
from wattest.settlement.terms import Basis, Given, Needs, Window
from wattest.tables import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOn:
    """``amount`` times the active share of the period that lies in the windows.

    Args:
        code: names the line on the statement.
        amount: for a full period, major units.
        windows: when it is booked, ascending, apart from each other.
    """

    template: ClassVar[str] = "ADD_ON"
    code: str
    amount: Fraction
    windows: tuple[Window, ...]

    @property
    def needs(self) -> Needs:
        """Active time in its windows."""
        return Needs(basis=Basis.ACTIVE, spans=self.windows)

    def form(self) -> dict[str, Any]:
        """Return its canonical keys."""
        return {**decimals(amount=self.amount), "windows": windows_form(self.windows)}

    def price(self, given: Given) -> tuple[Piece, ...]:
        """Price it by the active share alone."""
        only = part("", given.active, self.amount)
        return (Piece(parts=(only,), exact=only.amount),)


def _read(table: Table, code: str, _draft: Draft) -> AddOn:
    windows = read_windows(table, "windows", "windows")
    if not windows:
        raise table.error("windows", "one window or more expected, got none")
    return AddOn(code=code, amount=read_decimal(table, "amount"), windows=windows)


TEMPLATE = Template(name=AddOn.template, read=_read, shares=("",))
