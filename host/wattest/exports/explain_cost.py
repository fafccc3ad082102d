"""What a contract costs the seller over its life, for break-even: nothing here moves money."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from wattest.exports.explain_usage import Model
from wattest.exports.words import amount, counted, listed, price

_ONCE = ("development", "delivery", "disposal")
_RUNNING = ("operation", "maintenance")


def once_minor(model: Model) -> int:
    """Return what the seller gets once in the life of the contract, minor units."""
    usual = model.bill()
    return model.net(model.bill(once=True)) - model.net(usual)


def period_cost(model: Model) -> int | None:
    """Return what a period costs the seller, minor units, rounded up; ``None``: nobody said.

    What is spent once is spread over the periods of the life, less what the buyer pays once.
    """
    cost = model.terms.life_cycle
    if cost is None:
        return None
    once = cost.development + cost.delivery + cost.disposal
    running = cost.operation + cost.maintenance
    scale: int = 10**model.terms.scale
    exact = (once - Fraction(once_minor(model), scale)) / cost.periods + running
    return -int(-exact * scale // 1)


def life_cycle_words(model: Model) -> Iterator[str]:
    """Say what the seller spends over the life of the contract, and when it has it back."""
    terms, cost = model.terms, model.terms.life_cycle
    per_period = period_cost(model)
    if cost is None or per_period is None:
        return
    money = (terms.scale, terms.currency)
    once, running = (
        listed(
            [
                f"{price(getattr(cost, name), *money)} for {name}"
                for name in names
                if getattr(cost, name)
            ]
        )
        for names in (_ONCE, _RUNNING)
    )
    paid = once_minor(model)
    parts = []
    if once:
        parts.append(f"once {once}")
    if running:
        parts.append(f"each period {running}")
    yield f"The seller spends {listed(parts) or 'nothing'}."
    less = f", less the {amount(paid, *money)} that are paid once" if paid else ""
    yield (
        f"Spread over {counted(cost.periods, 'period')}{less}, that is "
        f"{amount(per_period, *money)} a period."
    )
    yield from _payback(model, paid)


def _payback(model: Model, paid: int) -> Iterator[str]:
    """Say after how many periods with the usage of the examples everything is earned back."""
    terms, cost = model.terms, model.terms.life_cycle
    assert cost is not None
    scale: int = 10**terms.scale
    surplus = model.net(model.bill()) - (cost.operation + cost.maintenance) * scale
    spent = (cost.development + cost.delivery + cost.disposal) * scale - paid
    if spent <= 0:
        yield "What is paid once covers what is spent once from the first day."
    elif surplus <= 0:
        yield (
            "With the usage of the example bill below, the seller never has it back: a period "
            "brings no more than it costs to run."
        )
    else:
        periods = -(-spent // surplus)
        rest = "that is within" if periods <= cost.periods else "that is longer than"
        yield (
            "With the usage of the example bill below, the seller has all of it back after "
            f"{counted(int(periods), 'period')}; {rest} the {cost.periods:,} of the life."
        )
