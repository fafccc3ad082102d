"""PAY_FOR_PERFORMANCE: a fixed amount times what the band of a metric says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any, ClassVar

from wattest.settlement.fields import (
    decimals,
    quantity_form,
    read_decimal,
    read_optional,
    read_positive,
    read_quantity,
)
from wattest.settlement.flags import Flag
from wattest.settlement.line import Piece, part
from wattest.settlement.quantity import Quantity
from wattest.settlement.templates.bounds import Band, band_of, bands_form, read_bands
from wattest.settlement.templates.template import Draft, Template
from wattest.settlement.terms import Basis, Given, Needs
from wattest.tables import Table

_MULTIPLIER_MAX = 10
_CREDIT_CAP = Fraction(1, 2)


class Metric(StrEnum):
    """What performance is measured by."""

    AVAILABILITY = "availability"
    ENERGY_RATIO = "energy_ratio"
    """The quantity by what was promised."""
    BOTH = "both"
    """The lesser of the two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayForPerformance:
    """``amount * active * multiplier``, reduced by no more than ``credit_cap`` of it.

    Args:
        code: names the line on the statement.
        amount: for a full period, major units.
        metric: what the bands are asked for.
        bands: descending; the first whose start is not above the metric holds.
        credit_cap: largest reduction as a share of the amount, 0 to 1.
        quantity: of the energy ratio; ``None`` for availability alone.
        reference: the promised quantity for a full period, price units, > 0; ``None`` likewise.
        prorate_reference: it shrinks with the active time.
        estimate_cap: most that may be estimated in a period over all assets, price units.
    """

    template: ClassVar[str] = "PAY_FOR_PERFORMANCE"
    code: str
    amount: Fraction
    metric: Metric
    bands: tuple[Band, ...]
    credit_cap: Fraction
    quantity: Quantity | None = None
    reference: Fraction | None = None
    prorate_reference: bool = False
    estimate_cap: Fraction | None = None

    @property
    def needs(self) -> Needs:
        """Availability, its quantity, or both."""
        return Needs(
            quantity=self.quantity,
            estimate_cap=self.estimate_cap,
            availability=self.metric is not Metric.ENERGY_RATIO,
            basis=Basis.DOWNTIME if self.quantity is None else Basis.QUANTITY,
        )

    def form(self) -> dict[str, Any]:
        """Return its canonical keys."""
        form: dict[str, Any] = {
            "metric": self.metric.value,
            "bands": bands_form(self.bands, "multiplier"),
            **decimals(amount=self.amount, credit_cap=self.credit_cap),
        }
        if self.quantity is not None:
            form |= quantity_form(self.quantity)
            form |= decimals(reference=self.reference, estimate_cap=self.estimate_cap)
            form["prorate_reference"] = self.prorate_reference
        return form

    def price(self, given: Given) -> tuple[Piece, ...]:
        """Price by the band of the metric."""
        metric = self._measure(given)
        multiplier = band_of(self.bands, metric)
        least = 1 - self.credit_cap
        flags: tuple[Flag, ...] = ()
        if multiplier < least:
            multiplier, flags = least, (Flag.CREDIT_CAP,)
        only = part("", given.active * multiplier, self.amount)
        return (
            Piece(
                parts=(only,),
                exact=only.amount,
                flags=flags,
                metric=metric,
                metered=self.quantity is not None,
            ),
        )

    def _measure(self, given: Given) -> Fraction:
        if self.quantity is None or self.reference is None:
            return given.availability
        promised = self.reference * (given.active if self.prorate_reference else 1)
        ratio = Fraction(given.units(self.quantity), promised) if promised else Fraction(1)
        if self.metric is Metric.ENERGY_RATIO:
            return ratio
        return min(ratio, given.availability)


def _read(table: Table, code: str, _draft: Draft) -> PayForPerformance:
    metric = Metric(table.choice("metric", [*Metric]))
    rated = metric is not Metric.AVAILABILITY
    cap = read_decimal(table, "credit_cap", maximum=1) if "credit_cap" in table else _CREDIT_CAP
    return PayForPerformance(
        code=code,
        amount=read_decimal(table, "amount"),
        metric=metric,
        bands=read_bands(table, "multiplier", maximum=_MULTIPLIER_MAX),
        credit_cap=cap,
        quantity=read_quantity(table) if rated else None,
        reference=read_positive(table, "reference") if rated else None,
        prorate_reference=table.flag("prorate_reference", False) if rated else False,
        estimate_cap=read_optional(table, "estimate_cap") if rated else None,
    )


TEMPLATE = Template(name=PayForPerformance.template, read=_read)
