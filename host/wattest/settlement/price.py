"""From quantities to money: tiers, time-of-use windows, minimum, maximum, one rounding.

Order, always: formula, then the least amount, then the largest, then the rounding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from wattest.settlement.money import round_to_minor
from wattest.settlement.terms import LineTerms, PayPerUse, Subscription, Terms, Tier
from wattest.settlement.track import Flag


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One factor times another on a line: a tier of a window, or the subscription.

    Args:
        window: name of the time-of-use window, or ``""``.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """A line's amount: how it came about, exact, and rounded once."""

    parts: tuple[Part, ...]
    exact: Fraction
    minor: int
    flags: tuple[Flag, ...]


def price_line(
    terms: Terms, line: LineTerms, by_window: Mapping[int, int], active: Fraction
) -> Priced:
    """Price one line.

    Args:
        terms: for scale and rounding.
        line: one of its lines.
        by_window: base counts by time-of-use window, -1 outside of all; ignored by a subscription.
        active: active share of the period, 0 to 1.
    """
    if isinstance(line, Subscription):
        amount = line.amount * active
        parts: tuple[Part, ...] = (
            Part(window="", tier=0, quantity=active, price=line.amount, amount=amount),
        )
        flags: tuple[Flag, ...] = ()
    else:
        parts = _use_parts(line, by_window)
        amount, flags = _bounded(line, sum((part.amount for part in parts), Fraction(0)), active)
    minor = round_to_minor(amount, scale=terms.scale, rounding=terms.rounding)
    return Priced(parts=parts, exact=amount, minor=minor, flags=flags)


def _use_parts(line: PayPerUse, by_window: Mapping[int, int]) -> tuple[Part, ...]:
    parts: list[Part] = []
    for index, window in enumerate(line.windows):
        if index in by_window:
            quantity = Fraction(by_window[index], line.quantity.base_per_unit)
            parts.extend(_tier_parts(window.name, window.tiers, quantity))
    if -1 in by_window or not parts:
        quantity = Fraction(by_window.get(-1, 0), line.quantity.base_per_unit)
        parts.extend(_tier_parts("", line.tiers, quantity))
    return tuple(parts)


def _tier_parts(name: str, tiers: Sequence[Tier], quantity: Fraction) -> list[Part]:
    """Split a quantity over graduated tiers; a tier that is not reached makes no part."""
    parts = []
    floor = Fraction(0)
    for number, tier in enumerate(tiers, 1):
        top = quantity if tier.up_to is None else min(quantity, tier.up_to)
        if top > floor or number == 1:
            parts.append(
                Part(
                    window=name,
                    tier=number if len(tiers) > 1 else 0,
                    quantity=top - floor,
                    price=tier.price,
                    amount=(top - floor) * tier.price,
                )
            )
            floor = top
    return parts


def _bounded(
    line: PayPerUse, amount: Fraction, active: Fraction
) -> tuple[Fraction, tuple[Flag, ...]]:
    """Apply the least and the largest amount, in this order."""
    share = active if line.prorate_bounds else Fraction(1)
    flags: tuple[Flag, ...] = ()
    if line.minimum is not None and amount < line.minimum * share:
        amount, flags = line.minimum * share, (Flag.MINIMUM,)
    if line.maximum is not None and amount > line.maximum * share:
        amount, flags = line.maximum * share, (Flag.MAXIMUM,)
    return amount, flags
