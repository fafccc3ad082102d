"""Charts as values, and as inline SVG: curves with jumps, axes with units and ticks, marks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from wattest.exports.markup import esc
from wattest.exports.words import grouped
from wattest.settlement.money import format_minor

_WIDTH, _HEIGHT = 460, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 14, 44
_LEGEND_ROW = 18
_TICKS = 5

Point = tuple[Fraction, Fraction]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A line of a chart.

    Args:
        label: what the legend calls it.
        points: ascending x; two points at one x are a jump. At least one.
    """

    label: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A point worth a word: a break-even, the edge of a cliff.

    Args:
        at: where.
        label: one to three words beside it.
    """

    at: Point
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart over one quantity.

    Args:
        title: what it shows, for people who cannot see it too.
        x_label: quantity and unit of the axis below.
        y_label: quantity and unit of the axis at the left.
        x_max: end of the axis below.
        x_min: its begin, less than its end.
        curves: at most four.
        marks: points with a word.
        gaps: stretches of x without data.
        x_ticks: places and texts of ticks where numbers of x are no words, such as dates.
    """

    title: str
    x_label: str
    y_label: str
    x_max: Fraction
    curves: tuple[Curve, ...]
    marks: tuple[Mark, ...] = ()
    gaps: tuple[tuple[Fraction, Fraction], ...] = ()
    x_ticks: tuple[tuple[Fraction, str], ...] = ()
    x_min: Fraction = Fraction(0)

    def y_range(self) -> tuple[Fraction, Fraction]:
        """Return the range of the axis at the left: it holds 0, every curve and every mark."""
        values = [y for curve in self.curves for _, y in curve.points]
        values += [mark.at[1] for mark in self.marks]
        low, high = min([Fraction(0), *values]), max([Fraction(0), *values])
        if low == high:
            high = Fraction(1)
        step = nice_step(high - low, _TICKS)
        return low // step * step, -(-high // step) * step


def nice_step(width: Fraction, count: int) -> Fraction:
    """Return 1, 2 or 5 times a power of ten so that about ``count`` steps fill ``width`` > 0."""
    rough = width / count
    power = Fraction(1)
    while power > rough:
        power /= 10
    while power * 10 <= rough:
        power *= 10
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)


def ticks(low: Fraction, high: Fraction, count: int = _TICKS) -> list[tuple[Fraction, str]]:
    """Return places and texts of ticks: round numbers within ``low`` to ``high``."""
    step = nice_step(high - low, count)
    places = 0
    while (step * 10**places).denominator != 1:
        places += 1
    first = -(-low // step)
    found = []
    at = first * step
    while at <= high:
        found.append((at, grouped(format_minor(int(at * 10**places), places))))
        at += step
    return found


class _Frame:
    """Turns values into places of the picture."""

    def __init__(self, chart: Chart) -> None:
        self.x_min, self.width = chart.x_min, chart.x_max - chart.x_min
        self.low, self.high = chart.y_range()

    def x(self, value: Fraction) -> str:
        return _place(_LEFT + (value - self.x_min) / self.width * (_WIDTH - _LEFT - _RIGHT))

    def y(self, value: Fraction) -> str:
        share = (value - self.low) / (self.high - self.low)
        return _place(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM))


def svg(chart: Chart) -> str:
    """Draw a chart; colours and dashes come from the page's style sheet."""
    frame = _Frame(chart)
    height = _HEIGHT + _LEGEND_ROW * len(chart.curves)
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{esc(chart.title)}">',
        f"<title>{esc(chart.title)}</title>",
        *_gaps(chart, frame),
        *_axes(chart, frame),
    ]
    for number, curve in enumerate(chart.curves):
        parts.extend(_curve(curve, number, frame))
    parts.extend(_marks(chart, frame))
    parts.extend(_legend(chart.curves))
    parts.append("</svg>")
    return "\n".join(parts)


def _axes(chart: Chart, frame: _Frame) -> Iterator[str]:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    for value, text in ticks(frame.low, frame.high):
        y = frame.y(value)
        yield f'<line class="grid" x1="{_LEFT}" y1="{y}" x2="{right}" y2="{y}"/>'
        yield f'<text x="{_LEFT - 6}" y="{y}" dy=".35em" text-anchor="end">{esc(text)}</text>'
    for value, text in chart.x_ticks or ticks(chart.x_min, chart.x_max):
        x = frame.x(value)
        yield f'<line class="grid" x1="{x}" y1="{_TOP}" x2="{x}" y2="{bottom + 4}"/>'
        anchor = "end" if value > chart.x_min + frame.width * Fraction(19, 20) else "middle"
        yield f'<text x="{x}" y="{bottom + 18}" text-anchor="{anchor}">{esc(text)}</text>'
    zero = frame.y(Fraction(0))
    yield f'<line class="axis" x1="{_LEFT}" y1="{zero}" x2="{right}" y2="{zero}"/>'
    yield f'<line class="axis" x1="{_LEFT}" y1="{_TOP}" x2="{_LEFT}" y2="{bottom}"/>'
    yield f'<text x="{right}" y="{bottom + 36}" text-anchor="end">{esc(chart.x_label)}</text>'
    middle = (_TOP + bottom) // 2
    yield (
        f'<text x="12" y="{middle}" text-anchor="middle" transform="rotate(-90 12 {middle})">'
        f"{esc(chart.y_label)}</text>"
    )


def _curve(curve: Curve, number: int, frame: _Frame) -> Iterator[str]:
    for piece in pieces(curve.points):
        places = " ".join(f"{frame.x(x)},{frame.y(y)}" for x, y in piece)
        yield f'<polyline class="k{number % 4}" points="{places}"/>'
    for (x0, y0), (x1, y1) in jumps(curve.points):
        low, high = frame.y(y0), frame.y(y1)
        yield f'<line class="jump" x1="{frame.x(x0)}" y1="{low}" x2="{frame.x(x1)}" y2="{high}"/>'
        yield f'<circle class="ring" cx="{frame.x(x0)}" cy="{low}" r="3"/>'
        yield f'<circle class="dot" cx="{frame.x(x1)}" cy="{high}" r="3"/>'


def pieces(points: Sequence[Point]) -> Iterator[tuple[Point, ...]]:
    """Cut a curve at its jumps."""
    begin = 0
    for i in range(1, len(points)):
        if points[i][0] == points[i - 1][0]:
            yield tuple(points[begin:i])
            begin = i
    yield tuple(points[begin:])


def jumps(points: Sequence[Point]) -> Iterator[tuple[Point, Point]]:
    """Yield both ends of every jump of a curve."""
    for before, after in pairwise(points):
        if before[0] == after[0] and before[1] != after[1]:
            yield before, after


def _marks(chart: Chart, frame: _Frame) -> Iterator[str]:
    for mark in chart.marks:
        x, y = mark.at
        right = x > chart.x_min + frame.width * Fraction(4, 5)
        dx, anchor = ("-8", "end") if right else ("8", "start")
        yield f'<circle class="ring" cx="{frame.x(x)}" cy="{frame.y(y)}" r="5"/>'
        yield (
            f'<text x="{frame.x(x)}" y="{frame.y(y)}" dx="{dx}" dy="-8" text-anchor="{anchor}">'
            f"{esc(mark.label)}</text>"
        )


def _gaps(chart: Chart, frame: _Frame) -> Iterator[str]:
    for start, end in chart.gaps:
        width = _place((end - start) / frame.width * (_WIDTH - _LEFT - _RIGHT))
        yield (
            f'<rect class="gap" x="{frame.x(start)}" y="{_TOP}" width="{width}" '
            f'height="{_HEIGHT - _TOP - _BOTTOM}"/>'
        )


def _legend(curves: Iterable[Curve]) -> Iterator[str]:
    for number, curve in enumerate(curves):
        y = _HEIGHT + _LEGEND_ROW * number + 6
        yield f'<line class="k{number % 4}" x1="{_LEFT}" y1="{y}" x2="{_LEFT + 34}" y2="{y}"/>'
        yield f'<text x="{_LEFT + 42}" y="{y}" dy=".35em">{esc(curve.label)}</text>'


def _place(value: Fraction) -> str:
    return format_minor(round(value * 100), 2)
