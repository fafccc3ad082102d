"""The two plots of the selected node: power beside its expectation, and the energy registers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from textual_plotext import PlotextPlot

from wattest.tui.node_view import NodeView
from wattest.tui.words import elapsed_text

_CELLS_PER_TICK = 12
_CELLS_PER_DOT = 3
_FRAME_ROWS = 3  # above and below the canvas, and the labels of the time axis
_TICK_GAPS_MAX = 7
_MILLI = 1000
_STEPS_MS = tuple(60_000 * n for n in (1, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 7200))
_METERED, _EXPECTED = (123, 216, 143), (120, 220, 232)
_OTHER, _DOUBTED = (255, 216, 102), (255, 97, 136)

Points = tuple[tuple[int, int], ...]
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dots:
    """Points drawn one by one.

    Args:
        points: (time in ms, value in thousandths).
        colour: of the marks.
        marker: one character, or plotext's name of one.
        thinned: leave out points until the marks stand a few cells apart.
    """

    points: Points
    colour: Colour
    marker: str = "dot"
    thinned: bool = True


class CurvePlot(PlotextPlot):
    """A plot of curves over the time since the run began: a line, and marks on top of it.

    Args:
        resized: called when the plot has another size.
    """

    def __init__(self, resized: Callable[[], None], *, id: str) -> None:  # noqa: A002 - Textual's
        super().__init__(id=id, classes="panel")
        self._resized = resized

    def on_resize(self) -> None:
        """Ask to be drawn again."""
        self._resized()

    def draw(self, line: Points, *scattered: Dots, start_ms: int, sign: int) -> None:
        """Draw curves.

        Args:
            line: drawn as a line.
            scattered: drawn on top of it as single marks, so that the line is seen below them.
            start_ms: begin of the run.
            sign: 1 or -1; values are thousandths, times this.
        """
        plot = self.plt
        plot.clear_figure()
        points = [*line, *(point for dots in scattered for point in dots.points)]
        if points:
            self._frame(points, start_ms, sign)
        if line:
            xs, ys = _axes(line, sign)
            plot.plot(xs, ys, color=_METERED, marker="braille")
        for dots in scattered:
            if dots.points:
                step = max(len(dots.points) * _CELLS_PER_DOT // max(self.size.width, 1), 1)
                xs, ys = _axes(dots.points[:: -step if dots.thinned else -1], sign)
                plot.scatter(xs, ys, color=dots.colour, marker=dots.marker)
        self.refresh()

    def _frame(self, points: list[tuple[int, int]], start_ms: int, sign: int) -> None:
        times_ms = [time_ms for time_ms, _ in points]
        values = [sign * value for _, value in points]
        low, high = min(0, *values), max(0, *values)
        self.plt.ylim(low / _MILLI, max(high, low + _MILLI) / _MILLI)
        self.plt.yfrequency(tick_count(self.size.height - _FRAME_ROWS))
        first, last = min(times_ms), max(*times_ms, min(times_ms) + 1)
        self.plt.xlim(first, last)
        room = max(self.size.width // _CELLS_PER_TICK, 1)
        ticks = ticks_ms(first - start_ms, last - start_ms, room)
        labels = [elapsed_text(tick)[:-3] for tick in ticks]
        self.plt.xticks([float(tick + start_ms) for tick in ticks], labels)


def tick_count(rows: int) -> int:
    """Return how many labels an axis of so many rows gets, each the same number of rows apart."""
    gaps = max(rows - 1, 1)
    return 1 + max(count for count in range(1, _TICK_GAPS_MAX + 1) if gaps % count == 0)


def ticks_ms(first_ms: int, last_ms: int, count: int) -> list[int]:
    """Return round times since the run began, from first to last.

    Args:
        first_ms: begin of the axis, since the run began.
        last_ms: its end.
        count: how many steps at most; so few that no label touches another, since the plot would
            then place them in the order of a set, another one in every process.
    """
    span_ms = last_ms - first_ms
    step_ms = next((step for step in _STEPS_MS if span_ms <= count * step), max(span_ms, 1))
    return list(range(-(-first_ms // step_ms) * step_ms, last_ms + 1, step_ms))


def _axes(points: Points, sign: int) -> tuple[list[float], list[float]]:
    times_ms, values = zip(*points, strict=True)
    return [float(time_ms) for time_ms in times_ms], [sign * value / _MILLI for value in values]


class PowerPlot(CurvePlot):
    """Mean power between readings, beside what the plant model expects of the same spans."""

    def show(self, node: NodeView, start_ms: int) -> None:
        """Draw the curves of a node; power that it delivers is drawn upwards."""
        way = "out" if node.delivers else "in"
        doubted = node.doubted.points
        mark = " x in doubt" if doubted else ""
        self.border_title = f"{node.info.asset}, W {way}: ⠤ metered • model{mark}"
        self.draw(
            node.metered.points,
            Dots(points=node.expected.points, colour=_EXPECTED),
            Dots(points=doubted, colour=_DOUBTED, marker="x", thinned=False),
            start_ms=start_ms,
            sign=-1 if node.delivers else 1,
        )


class EnergyPlot(CurvePlot):
    """The registers as they grew."""

    def show(self, node: NodeView, start_ms: int) -> None:
        """Draw the registers of a node: the larger one as the line."""
        more, less = ("out", "in") if node.delivers else ("in", "out")
        self.border_title = f"{node.info.asset}, Wh: ⠤ {more} • {less}"
        curves = (node.imported.points, node.exported.points)
        line, dots = reversed(curves) if node.delivers else curves
        self.draw(line, Dots(points=dots, colour=_OTHER), start_ms=start_ms, sign=1)
