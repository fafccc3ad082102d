"""STARTUP_FEE: an amount that falls due once: start-up, investment or installation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any, ClassVar

from wattest.settlement.fields import decimals, read_decimal
from wattest.settlement.line import Piece, part
from wattest.settlement.period import format_instant, periods_ended
from wattest.settlement.templates.bounds import falls_due, read_day
from wattest.settlement.templates.template import Draft, Template
from wattest.settlement.terms import Given, Needs
from wattest.tables import Table

_PERIODS_MAX = 600


class Purpose(StrEnum):
    """What the fee is for."""

    STARTUP = "startup"
    INVESTMENT = "investment"
    INSTALLATION = "installation"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartupFee:
    """``amount`` in the period that ``at_ms`` lies in; a part back if the seller ends early.

    Args:
        code: names the line on the statement; a refund is ``code.refund``.
        amount: major units.
        at_ms: when it falls due, ms since 1970 UTC.
        purpose: what it is for.
        periods: how many periods it is recognised over, and refunded by.
        refund: ``amount * (periods - k) / periods`` goes back to the buyer when the seller ends
            the contract after ``k`` whole periods.
    """

    template: ClassVar[str] = "STARTUP_FEE"
    code: str
    amount: Fraction
    at_ms: int
    purpose: Purpose = Purpose.STARTUP
    periods: int = 1
    refund: bool = False

    @property
    def needs(self) -> Needs:
        """Nothing metered; two lines if a refund is agreed."""
        return Needs(suffixes=("", "refund") if self.refund else ("",))

    def form(self) -> dict[str, Any]:
        """Return its canonical keys."""
        return {
            **decimals(amount=self.amount),
            "at": format_instant(self.at_ms),
            "purpose": self.purpose.value,
            "periods": self.periods,
            "refund": self.refund,
        }

    def price(self, given: Given) -> tuple[Piece, ...]:
        """Price it in its period, and the refund in the period the contract ends in."""
        due = part("", falls_due(given, self.at_ms), self.amount)
        first = Piece(parts=(due,), exact=due.amount, once=True, accrued=self._accrued(given))
        if not self.refund:
            return (first,)
        back = part("refund", self._unused(given), -self.amount)
        return (first, Piece(suffix="refund", parts=(back,), exact=back.amount, once=True))

    def _accrued(self, given: Given) -> tuple[Fraction, Fraction] | None:
        """Return what is recognised before and up to the end of this period, exact."""
        period = given.period
        if self.periods == 1 or period is None:
            return None
        before, after = (
            periods_ended(given.terms, self.at_ms, until_ms, limit=self.periods)
            for until_ms in (period.start_ms, period.end_ms)
        )
        return self.amount * Fraction(before, self.periods), self.amount * Fraction(
            after, self.periods
        )

    def _unused(self, given: Given) -> Fraction:
        """Return the share of the fee that goes back, 0 in every period but the last."""
        terms, period = given.terms, given.period
        if period is None or terms.end_ms is None or terms.ended_by != "seller":
            return Fraction(0)
        if not period.start_ms < terms.end_ms <= period.end_ms or terms.end_ms <= self.at_ms:
            return Fraction(0)
        used = periods_ended(terms, self.at_ms, terms.end_ms, limit=self.periods)
        return Fraction(self.periods - used, self.periods)


def _read(table: Table, code: str, draft: Draft) -> StartupFee:
    return StartupFee(
        code=code,
        amount=read_decimal(table, "amount"),
        at_ms=read_day(table, "at", draft),
        purpose=Purpose(table.choice("purpose", [*Purpose], Purpose.STARTUP)),
        periods=table.integer("periods", 1, minimum=1, maximum=_PERIODS_MAX),
        refund=table.flag("refund", False),
    )


TEMPLATE = Template(name=StartupFee.template, read=_read)
