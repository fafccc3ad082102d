"""Prices along one axis of usage: cliffs, bounds and crossings, each to the very count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from wattest.exports.explain_prices import Bill
from wattest.exports.explain_usage import Driver, Model, grid
from wattest.settlement.flags import Flag

_CLIFF_MINOR = 2
_HALVINGS = 7
_VISIBLE = 32
BOUNDS = {
    Flag.MINIMUM: "least amount",
    Flag.MAXIMUM: "largest amount",
    Flag.CREDIT_CAP: "largest reduction",
}
"""Flags of bounds, as people call them."""


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


class Sampler:
    """Prices at places of one axis, each place once."""

    def __init__(self, model: Model, driver: Driver) -> None:
        self._model = model
        self._driver = driver
        self._bills: dict[Fraction, Bill] = {}

    def bill(self, at: Fraction) -> Bill:
        """Return the bill at a place."""
        if at not in self._bills:
            self._bills[at] = self._model.bill(self._driver, at)
        return self._bills[at]

    def paid(self, at: Fraction) -> int:
        """Return what the buyer pays there, minor units."""
        return self._model.paid(self.bill(at))

    def net(self, at: Fraction) -> int:
        """Return what stays with the seller there, minor units."""
        return self._model.net(self.bill(at))

    def places(self) -> tuple[list[Fraction], list[Jump]]:
        """Return where to price, and the cliffs among them, each at its first count."""
        even = grid(self._driver)
        steps = [self._step(low, high) for low, high in pairwise(even)]
        found = set(even)
        jumps = []
        for number, (low, high) in enumerate(pairwise(even)):
            beside = [steps[at] for at in (number - 1, number + 1) if 0 <= at < len(steps)]
            if steps[number] <= min(beside) + _CLIFF_MINOR:
                continue
            at = self._cliff(low, high)
            if at is not None:
                before = at - Fraction(1, self._driver.base)
                jumps.append(Jump(at=at, before=self.paid(before), after=self.paid(at)))
                found.add(at)
        return sorted(found), jumps

    def _step(self, low: Fraction, high: Fraction) -> int:
        return abs(self.paid(high) - self.paid(low))

    def _cliff(self, low: Fraction, high: Fraction) -> Fraction | None:
        """Return the first count behind a cliff between two places, or None if there is none.

        A slope loses half of its change with each halving, a cliff keeps its own; what is less
        than a small part of the change between the places is no cliff that anybody would see.
        """
        base = self._driver.base
        a, b = int(low * base), int(high * base)
        whole = self._step(low, high)
        halvings = 0
        while b - a > 1:
            ends = (Fraction(a, base), Fraction((a + b) // 2, base), Fraction(b, base))
            left, right = self._step(*ends[:2]), self._step(*ends[1:])
            halvings += 1
            if halvings >= _HALVINGS and max(left, right) * _VISIBLE <= whole:
                return None
            if left >= right:
                b = (a + b) // 2
            else:
                a = (a + b) // 2
        count = Fraction(1, base)
        at = Fraction(b, base)
        beside = [self._step(at, at + count)]
        if b >= 2:
            beside.append(self._step(at - 2 * count, at - count))
        own = self._step(at - count, at)
        return at if own > _CLIFF_MINOR + 2 * max(beside) else None

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
                    if flag in BOUNDS:
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
