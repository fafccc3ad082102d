"""Functions of time made of straight pieces, integrated exactly in whole numbers.

A value is an integer count of ``1/denominator`` of its micro unit, a time an integer count of
nanoseconds. The integral up to each knot is kept doubled (a straight piece's area is half of a
whole number), so a query costs one bisection and a few multiplications, and sums telescope.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from enum import Enum
from fractions import Fraction
from itertools import pairwise
from math import lcm


class Outside(Enum):
    """What the function is before its first knot and after its last."""

    ZERO = "zero"
    HOLD = "hold"
    REPEAT = "repeat"


class Piecewise:
    """A function on ``[start, end)``; piece ``i`` runs straight from ``first[i]`` to ``last[i]``.

    Immutable. Jumps between pieces are allowed.

    Args:
        knots_ns: ``n + 1`` strictly increasing times.
        first: ``n`` values at the left end of each piece.
        last: ``n`` values at the right end.
        denominator: values count ``1/denominator`` micro units, >= 1.
        outside: the function beyond its ends.

    Raises:
        ValueError: lengths do not fit, or times do not increase.
    """

    __slots__ = ("_areas", "_first", "_knots", "_last", "denominator", "outside")

    def __init__(
        self,
        knots_ns: Sequence[int],
        first: Sequence[int],
        last: Sequence[int],
        *,
        denominator: int = 1,
        outside: Outside = Outside.ZERO,
    ) -> None:
        if len(knots_ns) < 2 or len(first) != len(knots_ns) - 1 or len(last) != len(first):
            raise ValueError("n + 1 knots and n pieces expected, n >= 1")
        if any(later <= earlier for earlier, later in pairwise(knots_ns)):
            raise ValueError("strictly increasing knots expected")
        if denominator < 1:
            raise ValueError(f"denominator of at least 1 expected, got {denominator}")
        self._knots = tuple(knots_ns)
        self._first = tuple(first)
        self._last = tuple(last)
        self.denominator = denominator
        self.outside = outside
        areas = [0]
        for left, right, a, b in zip(knots_ns, knots_ns[1:], first, last, strict=False):
            areas.append(areas[-1] + (a + b) * (right - left))
        self._areas = tuple(areas)

    @classmethod
    def hold(
        cls,
        times_ns: Sequence[int],
        values: Sequence[Fraction | int],
        end_ns: int,
        *,
        outside: Outside = Outside.ZERO,
    ) -> Piecewise:
        """Hold each value until the next time, the last one until ``end_ns``."""
        counts, denominator = to_counts(values)
        knots = [*times_ns, end_ns]
        return cls(knots, counts, counts, denominator=denominator, outside=outside)

    @classmethod
    def linear(
        cls,
        times_ns: Sequence[int],
        values: Sequence[Fraction | int],
        *,
        outside: Outside = Outside.ZERO,
    ) -> Piecewise:
        """Connect the values by straight lines."""
        counts, denominator = to_counts(values)
        return cls(times_ns, counts[:-1], counts[1:], denominator=denominator, outside=outside)

    @classmethod
    def constant(cls, value: int) -> Piecewise:
        """Return a function that is ``value`` at all times."""
        return cls((0, 1), (value,), (value,), outside=Outside.HOLD)

    @property
    def start_ns(self) -> int:
        """Time of the first knot."""
        return self._knots[0]

    @property
    def end_ns(self) -> int:
        """Time of the last knot."""
        return self._knots[-1]

    @property
    def minimum(self) -> Fraction:
        """Smallest value, inside and outside."""
        lowest = min((*self._first, *self._last))
        return Fraction(min(lowest, self._beyond()), self.denominator)

    @property
    def maximum(self) -> Fraction:
        """Largest value, inside and outside."""
        highest = max((*self._first, *self._last))
        return Fraction(max(highest, self._beyond()), self.denominator)

    def _beyond(self) -> int:
        return 0 if self.outside is Outside.ZERO else self._first[0]

    def pieces(self) -> Iterable[tuple[int, int, int, int]]:
        """Yield (left ns, right ns, first, last) of each piece, values in counts."""
        return zip(self._knots, self._knots[1:], self._first, self._last, strict=False)

    def scaled(self, factor: Fraction) -> Piecewise:
        """Multiply every value exactly."""
        top, bottom = factor.numerator, factor.denominator
        return Piecewise(
            self._knots,
            [value * top for value in self._first],
            [value * top for value in self._last],
            denominator=self.denominator * bottom,
            outside=self.outside,
        )

    def shifted(self, by_ns: int) -> Piecewise:
        """Move the function in time; a positive ``by_ns`` makes everything later."""
        return Piecewise(
            [knot + by_ns for knot in self._knots],
            self._first,
            self._last,
            denominator=self.denominator,
            outside=self.outside,
        )

    def replaced(self, start_ns: int, end_ns: int, value: Fraction) -> Piecewise:
        """Return the function with a constant value over ``[start, end)``.

        Raises:
            ValueError: the window is empty or begins before the function, or the function repeats.
        """
        if not self.start_ns <= start_ns < end_ns or self.outside is Outside.REPEAT:
            raise ValueError("a window inside of a function that does not repeat expected")
        inner = {*self._knots, start_ns, end_ns}
        if self.outside is Outside.HOLD:
            # What is held beyond the ends stays what it was, even if the window touches them.
            inner |= {min(inner) - 1, max(inner) + 1}
        knots = sorted(inner)
        ends: list[Fraction] = []
        for left, right in pairwise(knots):
            if start_ns <= left < end_ns:
                ends += [value, value]
            else:
                ends += [self.value(left), self._value_before(right)]
        counts, denominator = to_counts(ends)
        return Piecewise(
            knots, counts[0::2], counts[1::2], denominator=denominator, outside=self.outside
        )

    def _value_before(self, t_ns: int) -> Fraction:
        """Return the limit from the left."""
        if not self.start_ns < t_ns <= self.end_ns:
            return self.value(t_ns - 1)
        index = bisect_left(self._knots, t_ns) - 1
        left, right = self._knots[index], self._knots[index + 1]
        a, b = self._first[index], self._last[index]
        return Fraction(a * (right - t_ns) + b * (t_ns - left), (right - left) * self.denominator)

    def first_above(self, limit: Fraction) -> tuple[int, Fraction] | None:
        """Return time and value of the first knot whose magnitude exceeds ``limit``, or None."""
        bound = limit * self.denominator
        for left, right, a, b in self.pieces():
            if abs(a) > bound:
                return left, Fraction(a, self.denominator)
            if abs(b) > bound:
                return right, Fraction(b, self.denominator)
        return None

    def positive_part(self) -> Piecewise:
        """Return ``max(f, 0)``; needs every crossing to be a knot, see ``split_at_zero``."""
        return Piecewise(
            self._knots,
            [max(value, 0) for value in self._first],
            [max(value, 0) for value in self._last],
            denominator=self.denominator,
            outside=self.outside,
        )

    def split_at_zero(self) -> Piecewise:
        """Return the same function with a knot of value 0 wherever a piece changes sign.

        The knot lies on the nearest whole nanosecond; that is part of the function's definition,
        and it is what keeps every energy a rational of small denominator.
        """
        knots = [self._knots[0]]
        first: list[int] = []
        last: list[int] = []
        for left, right, a, b in self.pieces():
            if a * b >= 0:
                knots.append(right)
                first.append(a)
                last.append(b)
                continue
            crossing = left + (2 * (right - left) * a + (a - b)) // (2 * (a - b))
            if crossing > left:
                knots.append(crossing)
                first.append(a)
                last.append(0)
            if crossing < right:
                knots.append(right)
                first.append(0)
                last.append(b)
        return Piecewise(knots, first, last, denominator=self.denominator, outside=self.outside)

    def integral(self, t0_ns: int, t1_ns: int) -> Fraction:
        """Return the exact integral over ``[t0, t1)``, micro units times nanoseconds.

        Raises:
            ValueError: ``t1 < t0``.
        """
        numerator, denominator = self._doubled(t0_ns, t1_ns)
        return Fraction(numerator, 2 * denominator * self.denominator)

    def mean(self, t0_ns: int, t1_ns: int) -> int:
        """Return the mean over ``[t0, t1)`` in micro units, nearest, ties towards plus infinity.

        Raises:
            ValueError: the interval is empty or backward.
        """
        if t1_ns <= t0_ns:
            raise ValueError(f"t0 < t1 expected, got {t0_ns} and {t1_ns}")
        numerator, denominator = self._doubled(t0_ns, t1_ns)
        divisor = denominator * self.denominator * (t1_ns - t0_ns)
        return (numerator + divisor) // (2 * divisor)

    def value(self, t_ns: int) -> Fraction:
        """Return the value at an instant; at a jump, the value after it."""
        start, end = self._knots[0], self._knots[-1]
        if not start <= t_ns < end:
            if self.outside is Outside.ZERO:
                return Fraction(0)
            if self.outside is Outside.HOLD:
                return Fraction(
                    self._first[0] if t_ns < start else self._last[-1], self.denominator
                )
            t_ns = start + (t_ns - start) % (end - start)
        index = bisect_right(self._knots, t_ns) - 1
        left, right = self._knots[index], self._knots[index + 1]
        a, b = self._first[index], self._last[index]
        return Fraction(a * (right - t_ns) + b * (t_ns - left), (right - left) * self.denominator)

    def _doubled(self, t0_ns: int, t1_ns: int) -> tuple[int, int]:
        """Return twice the integral in counts times ns, as numerator and denominator."""
        if t1_ns < t0_ns:
            raise ValueError(f"t0 <= t1 expected, got {t0_ns} and {t1_ns}")
        upper, upper_width = self._area(t1_ns)
        lower, lower_width = self._area(t0_ns)
        if upper_width == lower_width:
            return upper - lower, upper_width
        return upper * lower_width - lower * upper_width, upper_width * lower_width

    def _area(self, t_ns: int) -> tuple[int, int]:
        """Return twice the integral from the start to ``t``, as numerator and denominator."""
        start, end = self._knots[0], self._knots[-1]
        base = 0
        if not start <= t_ns < end:
            if self.outside is Outside.ZERO:
                return (0 if t_ns < start else self._areas[-1]), 1
            if self.outside is Outside.HOLD:
                if t_ns < start:
                    return 2 * self._first[0] * (t_ns - start), 1
                return self._areas[-1] + 2 * self._last[-1] * (t_ns - end), 1
            rounds, rest = divmod(t_ns - start, end - start)
            base, t_ns = rounds * self._areas[-1], start + rest
        index = bisect_right(self._knots, t_ns) - 1
        elapsed = t_ns - self._knots[index]
        a = self._first[index]
        area = base + self._areas[index] + 2 * a * elapsed
        rise = self._last[index] - a
        if rise == 0 or elapsed == 0:
            return area, 1
        width = self._knots[index + 1] - self._knots[index]
        return area * width + rise * elapsed * elapsed, width


def to_counts(values: Sequence[Fraction | int]) -> tuple[list[int], int]:
    """Bring exact values to one denominator."""
    exact = [Fraction(value) for value in values]
    denominator = lcm(*{value.denominator for value in exact}) if exact else 1
    return [value.numerator * (denominator // value.denominator) for value in exact], denominator
