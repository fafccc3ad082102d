"""What the chart of a contract shows, in words: floors, caps, cliffs, break-even points."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

from wattest.exports.explain_curves import UsageStudy
from wattest.exports.explain_sampler import BOUNDS
from wattest.exports.explain_usage import Model
from wattest.exports.words import amount, number


def said_of(model: Model, found: UsageStudy) -> Iterator[str]:
    """Say what the picture shows: floors, caps, cliffs, break-even points."""
    terms, driver = model.terms, found.driver

    def money(minor: int) -> str:
        return amount(minor, terms.scale, terms.currency)

    def place(at: Fraction) -> str:
        return f"{number(at, 3)} {driver.unit}".strip()

    for turn in found.turns:
        bound = BOUNDS[turn.flag]
        where = "From" if turn.begins else "Up to"
        yield (
            f"{where} {place(turn.at)} the {bound} of {turn.code!r} holds: {money(turn.minor)}."
        )
    for jump in found.jumps:
        yield (
            f"At {place(jump.at)} there is a cliff: just below the buyer pays "
            f"{money(jump.before)}, from there on {money(jump.after)}."
        )
    yield from _said_seller(found, money, place)
    yield from _said_buyer(found, money, place)


def _said_seller(
    found: UsageStudy, money: Callable[[int], str], place: Callable[[Fraction], str]
) -> Iterator[str]:
    if found.cost_minor is None:
        return
    cost = money(found.cost_minor)
    for number_, crossing in enumerate(found.seller, 1):
        at = place(crossing.at)
        if crossing.upwards:
            said = f"The seller breaks even at {at}: from there on its cost of {cost} is met"
        else:
            said = f"From {at} on the seller no longer meets its cost of {cost}"
        yield f"{said} (point {number_})."
    if not found.seller and found.seller_begins:
        yield f"The seller meets its cost of {cost} everywhere in the chart."
    elif not found.seller:
        yield f"The seller meets its cost of {cost} nowhere in the chart."


def _said_buyer(
    found: UsageStudy, money: Callable[[int], str], place: Callable[[Fraction], str]
) -> Iterator[str]:
    for number_, crossing in enumerate(found.buyer, len(found.seller) + 1):
        side = "no more than" if crossing.upwards else "more than"
        yield (
            f"The buyer breaks even at {place(crossing.at)}: from there on this contract costs "
            f"{side} elsewhere (point {number_}, {money(crossing.minor)})."
        )
    if found.elsewhere is not None and not found.buyer:
        side = "no more than" if found.buyer_ends else "more than"
        yield f"For the buyer this contract costs {side} elsewhere at any usage shown."
