"""SLA_CREDIT: a share of other lines back to the buyer, by bands of availability."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from wattest.settlement.fields import decimals, read_decimal
from wattest.settlement.flags import Flag
from wattest.settlement.line import Piece, part
from wattest.settlement.templates.bounds import (
    Band,
    band_of,
    bands_form,
    read_bands,
    read_others,
)
from wattest.settlement.templates.template import Draft, Template
from wattest.settlement.terms import Basis, Given, Needs
from wattest.tables import Table

_CREDIT_CAP = Fraction(1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlaCredit:
    """``-min(credit, credit_cap)`` times the rounded amounts of other lines, if they are above 0.

    Args:
        code: names the line on the statement.
        on: codes of those lines.
        bands: descending; the first whose start is not above the availability holds.
        credit_cap: largest credit as a share, 0 to 1.
    """

    template: ClassVar[str] = "SLA_CREDIT"
    code: str
    on: tuple[str, ...]
    bands: tuple[Band, ...]
    credit_cap: Fraction = _CREDIT_CAP

    @property
    def needs(self) -> Needs:
        """Availability, and the lines before it."""
        return Needs(availability=True, basis=Basis.DOWNTIME)

    def form(self) -> dict[str, Any]:
        """Return its canonical keys."""
        return {
            "on": list(self.on),
            "bands": bands_form(self.bands, "credit"),
            **decimals(credit_cap=self.credit_cap),
        }

    def price(self, given: Given) -> tuple[Piece, ...]:
        """Price the credit by the band of availability."""
        credit = band_of(self.bands, given.availability)
        flags: tuple[Flag, ...] = ()
        if credit > self.credit_cap:
            credit, flags = self.credit_cap, (Flag.CREDIT_CAP,)
        due = Fraction(sum(given.earlier[code] for code in self.on), 10**given.terms.scale)
        back = part("credit", max(Fraction(0), due), -credit)
        return (Piece(parts=(back,), exact=back.amount, flags=flags, metric=given.availability),)


def _read(table: Table, code: str, draft: Draft) -> SlaCredit:
    cap = _CREDIT_CAP
    if "credit_cap" in table:
        cap = read_decimal(table, "credit_cap", maximum=1)
    return SlaCredit(
        code=code,
        on=read_others(table, "on", draft),
        bands=read_bands(table, "credit", maximum=1),
        credit_cap=cap,
    )


TEMPLATE = Template(name=SlaCredit.template, read=_read)
