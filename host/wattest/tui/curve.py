"""A curve of a whole run in bounded room: when it is full, neighbours become their mean."""

from __future__ import annotations

from itertools import pairwise

POINTS_MAX = 480


class Curve:
    """Points of time and value in the order of time.

    Args:
        points_max: an even number; beyond it two neighbours become one.
    """

    def __init__(self, points_max: int = POINTS_MAX) -> None:
        assert points_max >= 2, "room for two points"
        assert points_max % 2 == 0, "pairs are merged"
        self._points_max = points_max
        self._merged = 1
        self._points: list[tuple[int, int]] = []
        self._waiting: list[tuple[int, int]] = []

    @property
    def points(self) -> tuple[tuple[int, int], ...]:
        """(time in ms, value), oldest first; the newest value as it came."""
        return (*self._points, *self._waiting[-1:])

    def add(self, time_ms: int, value: int) -> None:
        """Add a value; one that is older than the newest is left out."""
        newest = self._waiting or self._points
        if newest and time_ms <= newest[-1][0]:
            return
        self._waiting.append((time_ms, value))
        if len(self._waiting) < self._merged:
            return
        self._points.append(_mean(self._waiting))
        self._waiting = []
        if len(self._points) >= self._points_max:
            pairs = zip(self._points[::2], self._points[1::2], strict=True)
            self._points = [_mean(list(pair)) for pair in pairs]
            self._merged *= 2


def _mean(points: list[tuple[int, int]]) -> tuple[int, int]:
    """Return the last time and the mean value: a mean belongs to the interval it ends."""
    return points[-1][0], sum(value for _, value in points) // len(points)


def sparkline(sizes: tuple[tuple[int, int], ...], width: int) -> str:
    """Draw how a count grew: one character a span of time, its height the growth in it.

    Args:
        sizes: (time in ms, count), times ascending, counts never falling.
        width: how many characters at most.
    """
    if len(sizes) < 2 or width < 1:
        return ""
    start_ms, span_ms = sizes[0][0], sizes[-1][0] - sizes[0][0]
    grown = [0] * width
    for (_, before), (time_ms, after) in pairwise(sizes):
        grown[min((time_ms - start_ms) * width // max(span_ms, 1), width - 1)] += after - before
    highest = max(grown)
    steps = " ▁▂▃▄▅▆▇█"
    return "".join(steps[-(-value * 8 // highest)] if highest else " " for value in grown)
