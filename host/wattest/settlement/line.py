"""What pricing one line of a contract gives, before and after its one rounding."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from wattest.settlement.flags import Flag


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One factor times another on a line: a tier of a window, a share of a subscription.

    Args:
        window: name of the time-of-use window, or what the template calls this part, or ``""``.
        tier: number of the tier from 1, or 0 where there is only one price.
        quantity: price units, exact.
        price: major units for one price unit, exact.
        amount: quantity times price, exact.
    """

    window: str
    tier: int
    quantity: Fraction
    price: Fraction
    amount: Fraction


def part(window: str, quantity: Fraction, price: Fraction) -> Part:
    """Return a part that is no tier."""
    return Part(window=window, tier=0, quantity=quantity, price=price, amount=quantity * price)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What a template says about one line of the statement; a template may draw several.

    Args:
        suffix: of its code: ``""`` is the code of the terms, ``overage`` makes ``code.overage``.
        parts: how the amount came about.
        exact: the amount before rounding, major units; a credit is negative.
        flags: what applied.
        metered: it carries the evidence of the line's quantity.
        metric: the measure of performance that chose the price, or ``None``.
        shares: ``(party, weight)`` of those the seller pays; empty: the buyer pays the seller.
        once: it falls due once in the life of a contract, however often the contract starts.
        accrued: of an amount recognised over several periods, major units until the end of the
            period before and until the end of this one, exact; ``None``: nothing is spread.
    """

    parts: tuple[Part, ...]
    exact: Fraction
    suffix: str = ""
    flags: tuple[Flag, ...] = ()
    metered: bool = False
    metric: Fraction | None = None
    shares: tuple[tuple[str, int], ...] = ()
    once: bool = False
    accrued: tuple[Fraction, Fraction] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """One line of the statement: how its amount came about, exact, and rounded once.

    Args:
        code: of the statement's line.
        line: code of the terms' line it was drawn from.
        template: of the terms' line.
        active: share of the period it was priced with.
        minor: the amount, minor units.
        payer: party.
        payees: ``(party, minor units)``; their sum is ``minor``.
        recognised: minor units of a spread amount that belong to this period, or ``None``.
        parts: as in ``Piece``; so are ``exact``, ``flags``, ``metered``, ``metric``, ``once``.
    """

    code: str
    line: str
    template: str
    active: Fraction
    parts: tuple[Part, ...]
    exact: Fraction
    minor: int
    flags: tuple[Flag, ...]
    payer: str
    payees: tuple[tuple[str, int], ...]
    metered: bool
    metric: Fraction | None
    once: bool
    recognised: int | None
