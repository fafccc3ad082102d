"""A contract over its usage: curves of what is paid, where they turn, where they break even."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from wattest.exports.chart import Chart, Curve, Mark, Point
from wattest.exports.explain_prices import Bill
from wattest.exports.explain_usage import (
    AVAILABILITY,
    Driver,
    Model,
    end_of_axis,
    grid,
    window_terms,
)
from wattest.exports.words import amount, number
from wattest.exports.words import price as price_words
from wattest.settlement.flags import Flag

_CURVES_MAX = 4
_CLIFF_MINOR = 2
_DOUBLINGS_MAX = 24
_BOUNDS = {
    Flag.MINIMUM: "least amount",
    Flag.MAXIMUM: "largest amount",
    Flag.CREDIT_CAP: "largest reduction",
}

Money = Callable[[Bill], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """A cliff: one count more of usage, and the amount is another one."""

    at: Fraction
    before: int
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A bound of a line begins or ends to hold here."""

    at: Fraction
    code: str
    flag: Flag
    begins: bool
    minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A break-even point.

    Args:
        at: units of the axis; from here on.
        minor: the amount there.
        upwards: what is compared is at least the level from here on; else below it.
    """

    at: Fraction
    minor: int
    upwards: bool


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
    sampler = _Sampler(model, driver)
    places, jumps = sampler.places()
    turns = tuple(sampler.turns(places))
    places = sorted({*places, *(turn.at for turn in turns)})
    seller: tuple[Crossing, ...] = ()
    buyer: tuple[Crossing, ...] = ()
    if cost_minor is not None:
        level = cost_minor
        seller = tuple(sampler.crossings(places, lambda at: sampler.net(at) - level, sampler.net))
    if elsewhere is not None:
        price = elsewhere * scale
        buyer = tuple(
            sampler.crossings(places, lambda at: price * at - sampler.paid(at), sampler.paid)
        )
    curves = [
        _curve("buyer pays", places, jumps, sampler.paid, (driver, scale)),
        _curve("seller receives", places, jumps, sampler.net, (driver, scale)),
    ]
    if curves[0].points == curves[1].points:
        curves = [replace(curves[0], label="buyer pays, seller receives")]
    level_ends = (driver.begin, driver.end)
    if cost_minor is not None:
        cost = Fraction(cost_minor, scale)
        points = tuple((at, cost) for at in level_ends)
        curves.append(Curve(label="seller's cost of a period", points=points))
    if elsewhere is not None:
        points = tuple((at, elsewhere * at) for at in level_ends)
        each = price_words(elsewhere, model.terms.scale, model.terms.currency)
        label = f"buyer elsewhere, {each} a {driver.unit or 'unit'}"
        curves.append(Curve(label=label, points=points))
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


class _Sampler:
    """Prices at places of one axis, each place once."""

    def __init__(self, model: Model, driver: Driver) -> None:
        self._model = model
        self._driver = driver
        self._bills: dict[Fraction, Bill] = {}

    def bill(self, at: Fraction) -> Bill:
        if at not in self._bills:
            self._bills[at] = self._model.bill(self._driver, at)
        return self._bills[at]

    def paid(self, at: Fraction) -> int:
        return self._model.paid(self.bill(at))

    def net(self, at: Fraction) -> int:
        return self._model.net(self.bill(at))

    def places(self) -> tuple[list[Fraction], list[Jump]]:
        """Return where to price, and the cliffs among them, each at its first count."""
        even = grid(self._driver)
        steps = sorted(abs(self.paid(high) - self.paid(low)) for low, high in pairwise(even))
        usual = steps[len(steps) // 2]
        found = set(even)
        jumps = []
        for low, high in pairwise(even):
            if abs(self.paid(high) - self.paid(low)) <= usual + _CLIFF_MINOR:
                continue
            before, at = self._steepest(low, high)
            if abs(self.paid(at) - self.paid(before)) > _CLIFF_MINOR:
                jumps.append(Jump(at=at, before=self.paid(before), after=self.paid(at)))
                found.add(at)
        return sorted(found), jumps

    def _steepest(self, low: Fraction, high: Fraction) -> tuple[Fraction, Fraction]:
        """Halve towards the larger change, down to one count."""
        return self._halve(
            low,
            high,
            lambda a, middle, b: (
                abs(self.paid(middle) - self.paid(a)) >= abs(self.paid(b) - self.paid(middle))
            ),
        )

    def _halve(
        self,
        low: Fraction,
        high: Fraction,
        left: Callable[[Fraction, Fraction, Fraction], bool],
    ) -> tuple[Fraction, Fraction]:
        base = self._driver.base
        a, b = int(low * base), int(high * base)
        while b - a > 1:
            middle = (a + b) // 2
            ends = (Fraction(a, base), Fraction(middle, base), Fraction(b, base))
            if left(*ends):
                b = middle
            else:
                a = middle
        return Fraction(a, base), Fraction(b, base)

    def turns(self, places: Sequence[Fraction]) -> Iterator[Turn]:
        """Yield where a bound of a line begins or ends to hold."""
        for low, high in pairwise(places):
            for number_, line in enumerate(self.bill(low).lines):
                after = self.bill(high).lines[number_].flags
                for flag in sorted(set(line.flags) ^ set(after)):
                    if flag in _BOUNDS:
                        yield self._turn(low, high, number_, flag)

    def _turn(self, low: Fraction, high: Fraction, place: int, flag: Flag) -> Turn:
        def holds(at: Fraction) -> bool:
            return flag in self.bill(at).lines[place].flags

        first = holds(low)
        before, at = self._halve(low, high, lambda _a, middle, _b: holds(middle) != first)
        held = self.bill(before if first else at).lines[place]
        return Turn(
            at=before if first else at,
            code=held.code,
            flag=flag,
            begins=not first,
            minor=held.minor,
        )

    def crossings(
        self,
        places: Sequence[Fraction],
        excess: Callable[[Fraction], int | Fraction],
        value: Callable[[Fraction], int],
    ) -> Iterator[Crossing]:
        """Yield where ``excess`` goes from below 0 to 0 or more, or back below 0."""
        for low, high in pairwise(places):
            first = excess(low) >= 0
            if (excess(high) >= 0) == first or low == 0 == excess(low):
                continue
            at = self._crossing(low, high, excess, first)
            yield Crossing(at=at, minor=value(at), upwards=not first)

    def _crossing(
        self,
        low: Fraction,
        high: Fraction,
        excess: Callable[[Fraction], int | Fraction],
        first: bool,
    ) -> Fraction:
        """Return the first count at which ``excess >= 0`` is no longer ``first``."""

        def turned(_low: Fraction, middle: Fraction, _high: Fraction) -> bool:
            return (excess(middle) >= 0) != first

        return self._halve(low, high, turned)[1]


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


def said_of(model: Model, found: UsageStudy) -> Iterator[str]:
    """Say what the picture shows: floors, caps, cliffs, break-even points."""
    terms, driver = model.terms, found.driver

    def money(minor: int) -> str:
        return amount(minor, terms.scale, terms.currency)

    def place(at: Fraction) -> str:
        return f"{number(at, 3)} {driver.unit}".strip()

    for turn in found.turns:
        bound = _BOUNDS[turn.flag]
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
