"""A contract over its usage: curves of what is paid, where they turn, where they break even."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from wattest.exports.chart import Chart, Curve, Mark, Point
from wattest.exports.explain_prices import Bill
from wattest.exports.explain_sampler import Crossing, Jump, Sampler, Turn
from wattest.exports.explain_usage import (
    AVAILABILITY,
    Driver,
    Model,
    end_of_axis,
    grid,
    window_terms,
)
from wattest.exports.words import price
from wattest.settlement.flags import Flag

_CURVES_MAX = 4
_DOUBLINGS_MAX = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageStudy:
    """What a contract does over one driver.

    Args:
        driver: with the end of its axis.
        chart: the picture.
        jumps: of what the buyer pays.
        turns: of bounds.
        cost_minor: the seller's cost of a period, or ``None``.
        seller: break-even points of the seller against its cost.
        seller_begins: the seller meets its cost without any usage.
        elsewhere: price of a unit that the buyer compares with, or ``None``.
        buyer: break-even points of the buyer against it.
        buyer_ends: at the end of the axis the contract costs no more than elsewhere.
    """

    driver: Driver
    chart: Chart
    jumps: tuple[Jump, ...]
    turns: tuple[Turn, ...]
    cost_minor: int | None
    seller: tuple[Crossing, ...]
    seller_begins: bool
    elsewhere: Fraction | None
    buyer: tuple[Crossing, ...]
    buyer_ends: bool


def study(
    model: Model,
    driver: Driver,
    *,
    cost_minor: int | None = None,
    elsewhere: Fraction | None = None,
) -> UsageStudy:
    """Look at a contract over one driver.

    Args:
        model: the contract.
        driver: one of its drivers.
        cost_minor: what a period costs the seller, minor units, or ``None``.
        elsewhere: what a unit of the driver costs the buyer otherwise, major units, or ``None``.
    """
    driver = _far_enough(model, driver, cost_minor)
    scale = 10**model.terms.scale
    sampler = Sampler(model, driver)
    places, jumps = sampler.places()
    turns = tuple(sampler.turns(places))
    places = sorted({*places, *(turn.at for turn in turns)})
    seller: tuple[Crossing, ...] = ()
    buyer: tuple[Crossing, ...] = ()
    if cost_minor is not None:
        level = cost_minor
        seller = tuple(sampler.crossings(places, lambda at: sampler.net(at) - level, sampler.net))
    if elsewhere is not None:
        level_price = elsewhere * scale
        buyer = tuple(
            sampler.crossings(places, lambda at: level_price * at - sampler.paid(at), sampler.paid)
        )
    curves = _curves(model, driver, sampler, (places, jumps))
    curves += _levels(model, driver, cost_minor, elsewhere)
    curves += list(_windows(model, driver))[: _CURVES_MAX - len(curves)]
    marks = [
        Mark(at=(crossing.at, Fraction(crossing.minor, scale)), label=str(number_))
        for number_, crossing in enumerate((*seller, *buyer), 1)
    ]
    return UsageStudy(
        driver=driver,
        chart=Chart(
            title=f"What a period costs over {driver.words}",
            x_label=driver.said,
            y_label=f"{model.terms.currency} a period",
            x_max=driver.end,
            x_min=driver.begin,
            curves=tuple(curves),
            marks=tuple(marks),
        ),
        jumps=tuple(jumps),
        turns=turns,
        cost_minor=cost_minor,
        seller=seller,
        seller_begins=cost_minor is not None and sampler.net(driver.begin) >= cost_minor,
        elsewhere=elsewhere,
        buyer=buyer,
        buyer_ends=elsewhere is not None
        and sampler.paid(driver.end) <= elsewhere * scale * driver.end,
    )


def _curves(
    model: Model,
    driver: Driver,
    sampler: Sampler,
    found: tuple[Sequence[Fraction], Sequence[Jump]],
) -> list[Curve]:
    """Return what the buyer pays and what the seller receives; one curve where they agree."""
    axis = (driver, 10**model.terms.scale)
    curves = [
        _curve("buyer pays", *found, sampler.paid, axis),
        _curve("seller receives", *found, sampler.net, axis),
    ]
    if curves[0].points == curves[1].points:
        return [replace(curves[0], label="buyer pays, seller receives")]
    return curves


def _levels(
    model: Model, driver: Driver, cost_minor: int | None, elsewhere: Fraction | None
) -> list[Curve]:
    """Return what the amounts are compared with."""
    curves = []
    if cost_minor is not None:
        cost = Fraction(cost_minor, 10**model.terms.scale)
        points = tuple((at, cost) for at in (driver.begin, driver.end))
        curves.append(Curve(label="seller's cost of a period", points=points))
    if elsewhere is not None:
        points = tuple((at, elsewhere * at) for at in (driver.begin, driver.end))
        each = price(elsewhere, model.terms.scale, model.terms.currency)
        label = f"buyer elsewhere, {each} a {driver.unit or 'unit'}"
        curves.append(Curve(label=label, points=points))
    return curves


def _curve(
    label: str,
    places: Sequence[Fraction],
    jumps: Sequence[Jump],
    value: Callable[[Fraction], int],
    axis: tuple[Driver, int],
) -> Curve:
    driver, scale = axis
    cliffs = {jump.at for jump in jumps}
    points: list[Point] = []
    for at in places:
        if at in cliffs:
            points.append((at, Fraction(value(at - Fraction(1, driver.base)), scale)))
        points.append((at, Fraction(value(at), scale)))
    return Curve(label=label, points=tuple(points))


def _windows(model: Model, driver: Driver) -> Iterator[Curve]:
    """Yield what the buyer pays if all usage falls into one time-of-use window."""
    scale = 10**model.terms.scale
    for code, _ in driver.lines:
        for name, terms in window_terms(model.terms, code):
            other = model.other(terms)
            points = tuple(
                (at, Fraction(other.paid(other.bill(driver, at)), scale)) for at in grid(driver)
            )
            yield Curve(label=f"the same, all of it in {name!r}", points=points)


def _far_enough(model: Model, driver: Driver, cost_minor: int | None) -> Driver:
    """Move the end of the axis so that a cap and the seller's break-even are to be seen."""
    if driver.name == AVAILABILITY:
        return driver
    end = driver.end
    capped = any(key in line for line in model.form["line"] for key in ("maximum",))
    wanted: list[Callable[[Bill], bool]] = []
    if capped:
        wanted.append(_is_capped)
    if cost_minor is not None:
        wanted.append(lambda bill: model.net(bill) >= cost_minor)
    for holds in wanted:
        at = end
        for _ in range(_DOUBLINGS_MAX):
            if holds(model.bill(driver, at)):
                end = max(end, at)
                break
            at *= 2
    return driver if end == driver.end else replace(driver, end=end_of_axis(end))


def _is_capped(bill: Bill) -> bool:
    return any(flag is Flag.MAXIMUM for line in bill.lines for flag in line.flags)
