"""COMMISSION: what the seller pays to brokers out of the net of the other lines."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from wattest.settlement.fields import decimals, read_bounds, read_decimal
from wattest.settlement.line import Piece, part
from wattest.settlement.templates.bounds import bounded, read_others
from wattest.settlement.templates.template import Draft, Template
from wattest.settlement.terms import Given, Needs
from wattest.tables import Table

_BROKERS_MAX = 32
_WEIGHT_MAX = 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class Commission:
    """``min(net, clamp(rate * net))``, nothing of a net below 0; the buyer pays no more by it.

    Args:
        code: names the line on the statement.
        rate: share of the net, 0 to 1.
        brokers: ``(party, weight)``, parties ascending: who shares it, by largest remainder.
        on: codes of the lines the net is of; empty: all before it.
        minimum: least commission of a full period, or ``None``.
        maximum: largest commission of a full period, or ``None``.
        prorate_bounds: minimum and maximum shrink with the active time.
    """

    template: ClassVar[str] = "COMMISSION"
    code: str
    rate: Fraction
    brokers: tuple[tuple[str, int], ...]
    on: tuple[str, ...] = ()
    minimum: Fraction | None = None
    maximum: Fraction | None = None
    prorate_bounds: bool = True

    @property
    def needs(self) -> Needs:
        """The lines before it; its brokers."""
        return Needs(parties=tuple(name for name, _ in self.brokers), follows=True)

    def form(self) -> dict[str, Any]:
        """Return its canonical keys."""
        form: dict[str, Any] = {
            "brokers": [{"party": name, "weight": weight} for name, weight in self.brokers],
            "prorate_bounds": self.prorate_bounds,
            **decimals(rate=self.rate, minimum=self.minimum, maximum=self.maximum),
        }
        if self.on:
            form["on"] = list(self.on)
        return form

    def price(self, given: Given) -> tuple[Piece, ...]:
        """Price the net of rounded lines; never more than what earlier commissions left of it."""
        codes = self.on or tuple(given.earlier)
        unit: int = 10**given.terms.scale
        net = Fraction(sum(given.earlier[code] for code in codes), unit)
        whole = Fraction(sum(given.earlier.values()) - given.fees, unit)
        net = max(Fraction(0), net)
        rated = part("", net, self.rate)
        share = given.active if self.prorate_bounds else Fraction(1)
        exact, flags = bounded(rated.amount, self.minimum, self.maximum, share)
        exact = max(Fraction(0), min(exact, net, whole))
        return (Piece(parts=(rated,), exact=exact, flags=flags, shares=self.brokers),)


def _read(table: Table, code: str, draft: Draft) -> Commission:
    minimum, maximum = read_bounds(table)
    return Commission(
        code=code,
        rate=read_decimal(table, "rate", maximum=1),
        brokers=_brokers(table, draft),
        on=read_others(table, "on", draft) if "on" in table else (),
        minimum=minimum,
        maximum=maximum,
        prorate_bounds=table.flag("prorate_bounds", True),
    )


def _brokers(table: Table, draft: Draft) -> tuple[tuple[str, int], ...]:
    entries = table.tables("brokers")
    if not entries or len(entries) > _BROKERS_MAX:
        raise table.error("brokers", f"1 to {_BROKERS_MAX} brokers expected, got {len(entries)}")
    brokers: dict[str, int] = {}
    for entry in entries:
        party = entry.name("party")
        if party in (draft.seller, draft.buyer, *brokers):
            raise entry.error("party", f"a party of its own expected, got {party!r} again")
        brokers[party] = entry.integer("weight", 1, minimum=1, maximum=_WEIGHT_MAX)
        entry.finish()
    return tuple(sorted(brokers.items()))


TEMPLATE = Template(name=Commission.template, read=_read)
