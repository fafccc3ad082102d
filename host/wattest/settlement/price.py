"""From quantities to money: each line of the terms prices itself, then it is rounded once.

Order, always: formula, then the least amount, then the largest, then the rounding. Lines are
priced in the order of the terms; a line may look at the rounded amounts of the lines before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from wattest.settlement.line import Piece, Priced
from wattest.settlement.money import round_to_minor
from wattest.settlement.terms import Given, LineTerms, Terms, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What one line of the terms is priced with.

    Args:
        active: active share of the period, 0 to 1.
        by_window: billable base counts by time-of-use window, -1 outside of all.
        history: ``(active share, base counts)`` of the earlier periods it asks for, in order.
    """

    active: Fraction
    by_window: Mapping[int, int | Fraction]
    history: tuple[tuple[Fraction, int | Fraction], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Everything a period is priced with.

    Args:
        period: the settlement period; ``None``: any ordinary one.
        lines: by code of the terms' lines; one for each.
        availability: share of time the assets were up.
        once: whether what falls due once falls into an ordinary period.
    """

    period: Window | None
    lines: Mapping[str, Counted]
    availability: Fraction = Fraction(1)
    once: bool = False


def price_lines(terms: Terms, counts: Counts) -> tuple[Priced, ...]:
    """Price every line of a contract, in the order of its terms."""
    priced: list[Priced] = []
    earlier: dict[str, int] = {}
    fees = 0
    for line in terms.lines:
        counted = counts.lines[line.code]
        given = Given(
            terms=terms,
            period=counts.period,
            once=counts.once,
            active=counted.active,
            by_window=counted.by_window,
            availability=counts.availability,
            earlier=earlier,
            fees=fees,
            history=counted.history,
        )
        drawn = [_round(terms, line, piece, counted.active) for piece in line.price(given)]
        priced += drawn
        total = sum(item.minor for item in drawn)
        if line.needs.follows:
            fees += total
        else:
            earlier = {**earlier, line.code: total}
    return tuple(priced)


def _round(terms: Terms, line: LineTerms, piece: Piece, active: Fraction) -> Priced:
    minor = _minor(terms, piece.exact)
    recognised = None
    if piece.accrued is not None:
        before, after = piece.accrued
        recognised = _minor(terms, after) - _minor(terms, before)
    if piece.shares:
        payer = terms.seller
        parts = split(minor, [weight for _, weight in piece.shares])
        payees = tuple((name, share) for (name, _), share in zip(piece.shares, parts, strict=True))
    else:
        payer, payees = terms.buyer, ((terms.seller, minor),)
    return Priced(
        code=f"{line.code}.{piece.suffix}" if piece.suffix else line.code,
        line=line.code,
        template=line.template,
        active=active,
        parts=piece.parts,
        exact=piece.exact,
        minor=minor,
        flags=piece.flags,
        payer=payer,
        payees=payees,
        metered=piece.metered,
        metric=piece.metric,
        once=piece.once,
        recognised=recognised,
    )


def _minor(terms: Terms, exact: Fraction) -> int:
    return round_to_minor(exact, scale=terms.scale, rounding=terms.rounding)


def split(minor: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Split minor units by weight so that nothing is lost: the largest remainders get one more.

    Args:
        minor: what is split, >= 0.
        weights: each >= 1; of equal remainders the earlier one wins.
    """
    whole = sum(weights)
    shares = [minor * weight // whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda i: (-(minor * weights[i] % whole), i))
    for i in order[: minor - sum(shares)]:
        shares[i] += 1
    return tuple(shares)


class Paid(Protocol):
    """A rounded line: who pays whom how many minor units."""

    @property
    def minor(self) -> int:
        """The amount."""
        ...

    @property
    def payer(self) -> str:
        """Party."""
        ...

    @property
    def payees(self) -> tuple[tuple[str, int], ...]:
        """Parties and their shares."""
        ...


def total_of(terms: Terms, lines: Iterable[Paid]) -> int:
    """Return what the buyer owes, minor units."""
    return sum(line.minor for line in lines if line.payer == terms.buyer)


def payouts_of(terms: Terms, lines: Iterable[Paid]) -> tuple[tuple[str, int], ...]:
    """Return who gets what of that: the seller first, then brokers by name; their sum is it."""
    paid = dict.fromkeys((terms.seller, *terms.brokers), 0)
    for line in lines:
        for party, minor in line.payees:
            paid[party] += minor
            if line.payer != terms.buyer:
                paid[line.payer] -= minor
    return tuple(paid.items())
