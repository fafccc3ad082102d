"""The two plots of the selected node: power beside its expectation, and the energy registers."""

from __future__ import annotations

from textual_plotext import PlotextPlot

from wattest.tui.node_view import NodeView
from wattest.tui.words import elapsed_text

_TICKS = 4
_MILLI = 1000
_METERED, _EXPECTED, _IMPORTED = "green", "cyan", "orange"

Points = tuple[tuple[int, int], ...]


class CurvePlot(PlotextPlot):
    """A plot of curves over the time since the run began."""

    def draw(self, curves: list[tuple[Points, str, str]], *, start_ms: int, sign: int = 1) -> None:
        """Draw curves of (points, colour, marker); values in thousandths, times ``sign``."""
        plot = self.plt
        plot.clear_figure()
        times_ms = [time_ms for points, _, _ in curves for time_ms, _ in points]
        values = [sign * value for points, _, _ in curves for _, value in points]
        if times_ms:
            low, high = min(0, *values), max(0, *values)
            plot.ylim(low / _MILLI, max(high, low + _MILLI) / _MILLI)
            first, last = min(times_ms), max(*times_ms, min(times_ms) + 1)
            plot.xlim(first, last)
            ticks = [first + (last - first) * i // (_TICKS - 1) for i in range(_TICKS)]
            plot.xticks(
                [float(tick) for tick in ticks],
                [elapsed_text(tick - start_ms)[:-3] for tick in ticks],
            )
        for points, colour, marker in curves:
            if points:
                xs, ys = zip(*points, strict=True)
                plot.plot(list(xs), [sign * y / _MILLI for y in ys], color=colour, marker=marker)
        self.refresh()


class PowerPlot(CurvePlot):
    """Mean power between readings, beside what the plant model expects of the same spans."""

    def show(self, node: NodeView, start_ms: int) -> None:
        """Draw the curves of a node; power that it delivers is drawn upwards."""
        way = "out of" if node.delivers else "into"
        self.border_title = f"power {way} {node.info.asset}, W: ⣀ metered  • expected"
        self.draw(
            [
                (node.expected.points, _EXPECTED, "dot"),
                (node.metered.points, _METERED, "braille"),
            ],
            start_ms=start_ms,
            sign=-1 if node.delivers else 1,
        )


class EnergyPlot(CurvePlot):
    """The registers as they grew."""

    def show(self, node: NodeView, start_ms: int) -> None:
        """Draw the registers of a node."""
        self.border_title = f"energy of {node.info.asset}, Wh: ⣀ out  • in"
        self.draw(
            [
                (node.imported.points, _IMPORTED, "dot"),
                (node.exported.points, _METERED, "braille"),
            ],
            start_ms=start_ms,
        )
