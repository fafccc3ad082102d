"""What a contract costs at some usage, as the engine prices it: bills, cash of each party."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from wattest.settlement.amounts import price_at
from wattest.settlement.line import Priced
from wattest.settlement.price import payouts_of, total_of
from wattest.settlement.terms import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What a period costs at some usage.

    Args:
        lines: as the engine priced them.
        total: what the buyer pays, minor units.
        payouts: who gets how much of it, minor units.
    """

    lines: tuple[Priced, ...]
    total: int
    payouts: Mapping[str, int]


def bill_at(
    terms: Terms,
    quantities: Mapping[str, Fraction],
    *,
    availability: Fraction = Fraction(1),
    once: bool = False,
) -> Bill:
    """Price a full ordinary period.

    Args:
        terms: the contract.
        quantities: price units by code of the line; what is not named is 0.
        availability: share of the time the assets were up, 0 to 1.
        once: with what falls due once in the life of the contract.
    """
    lines = price_at(terms, quantities, availability=availability, once=once)
    return Bill(lines=lines, total=total_of(terms, lines), payouts=dict(payouts_of(terms, lines)))
