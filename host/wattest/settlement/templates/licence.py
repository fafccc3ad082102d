"""LICENCE: an asset bundle bought once, a warranty, then a subscription or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from wattest.settlement.fields import decimals, read_decimal, read_instant
from wattest.settlement.line import Piece, part
from wattest.settlement.period import TIME_MS_MAX, format_instant
from wattest.settlement.templates.bounds import falls_due, read_day
from wattest.settlement.templates.template import Draft, Template
from wattest.settlement.terms import Basis, Given, Needs, Window
from wattest.tables import Table

_NAMES_MAX = 64
_AFTERWARDS = ("nothing", "subscription")


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """``amount`` once; after the warranty ``subscription * active`` on a line of its own.

    Args:
        code: names the line of the price; the later subscription is ``code.service``.
        amount: price of the bundle, major units.
        bundle: names of what it holds, for people.
        at_ms: when the price falls due, ms since 1970 UTC.
        warranty_end_ms: until then service costs nothing.
        subscription: for a full period after it, or ``None``: nothing comes afterwards.
    """

    template: ClassVar[str] = "LICENCE"
    code: str
    amount: Fraction
    bundle: tuple[str, ...]
    at_ms: int
    warranty_end_ms: int
    subscription: Fraction | None = None

    @property
    def needs(self) -> Needs:
        """The active time after the warranty."""
        if self.subscription is None:
            return Needs()
        return Needs(
            basis=Basis.ACTIVE,
            suffixes=("", "service"),
            spans=(Window(start_ms=self.warranty_end_ms, end_ms=TIME_MS_MAX),),
        )

    def form(self) -> dict[str, Any]:
        """Return its canonical keys."""
        form: dict[str, Any] = {
            **decimals(amount=self.amount, subscription=self.subscription),
            "at": format_instant(self.at_ms),
            "warranty_end": format_instant(self.warranty_end_ms),
            "afterwards": _AFTERWARDS[self.subscription is not None],
        }
        if self.bundle:
            form["bundle"] = list(self.bundle)
        return form

    def price(self, given: Given) -> tuple[Piece, ...]:
        """Price the bundle in its period, and the time after the warranty."""
        due = part("", falls_due(given, self.at_ms), self.amount)
        first = Piece(parts=(due,), exact=due.amount, once=True)
        if self.subscription is None:
            return (first,)
        service = part("service", given.active, self.subscription)
        return (first, Piece(suffix="service", parts=(service,), exact=service.amount))


def _read(table: Table, code: str, draft: Draft) -> Licence:
    at_ms = read_day(table, "at", draft)
    warranty_end_ms = read_instant(table, "warranty_end")
    if warranty_end_ms < at_ms:
        raise table.error("warranty_end", "an instant not before the price falls due expected")
    bundle = table.strings("bundle", ())
    if len(bundle) > _NAMES_MAX or not all(name.isprintable() and name for name in bundle):
        raise table.error("bundle", f"at most {_NAMES_MAX} printable names expected")
    afterwards = table.choice("afterwards", _AFTERWARDS)
    return Licence(
        code=code,
        amount=read_decimal(table, "amount"),
        bundle=bundle,
        at_ms=at_ms,
        warranty_end_ms=warranty_end_ms,
        subscription=read_decimal(table, "subscription") if afterwards == "subscription" else None,
    )


TEMPLATE = Template(name=Licence.template, read=_read, shares=("service",))
