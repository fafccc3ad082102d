"""Sets of time: ascending half-open spans of ms that do not touch, and what one does with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Spans = tuple[tuple[int, int], ...]
"""``(start, end)``, start < end, each start after the end before it."""


def union(spans: Iterable[tuple[int, int]]) -> Spans:
    """Return the time that any of these covers; empty and upside-down ones cover nothing."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if end <= start:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return tuple(merged)


def common(one: Sequence[tuple[int, int]], other: Sequence[tuple[int, int]]) -> Spans:
    """Return the time that both cover."""
    found: list[tuple[int, int]] = []
    i = j = 0
    while i < len(one) and j < len(other):
        start, end = max(one[i][0], other[j][0]), min(one[i][1], other[j][1])
        if start < end:
            found.append((start, end))
        if one[i][1] <= other[j][1]:
            i += 1
        else:
            j += 1
    return tuple(found)


def without(one: Sequence[tuple[int, int]], other: Sequence[tuple[int, int]]) -> Spans:
    """Return the time that the first covers and the second does not."""
    found: list[tuple[int, int]] = []
    for start, end in one:
        at = start
        for low, high in other:
            if high <= at or low >= end:
                continue
            if low > at:
                found.append((at, low))
            at = max(at, high)
        if at < end:
            found.append((at, end))
    return tuple(found)


def length_ms(spans: Iterable[tuple[int, int]]) -> int:
    """Return how much time spans cover, ms."""
    return sum(end - start for start, end in spans)
