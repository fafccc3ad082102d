"""A chart made of characters, for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wattest.exports.chart import Chart

_WIDTH, _HEIGHT = 76, 18
_MARKERS = ("braille", "dot", "x", "+")


def draw_chart(chart: Chart) -> str:
    """Draw a chart 76 characters wide, its legend below, without colours."""
    import plotext

    from wattest.exports.chart import pieces, ticks

    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plotsize(_WIDTH, _HEIGHT)
    for number, curve in enumerate(chart.curves):
        for piece in pieces(curve.points):
            plotext.plot(
                [float(x) for x, _ in piece],
                [float(y) for _, y in piece],
                marker=_MARKERS[number % len(_MARKERS)],
            )
    for mark in chart.marks:
        plotext.scatter([float(mark.at[0])], [float(mark.at[1])], marker=mark.label[:1])
    low, high = chart.y_range()
    plotext.xlim(float(chart.x_min), float(chart.x_max))
    plotext.ylim(float(low), float(high))
    for set_ticks, found in (
        (plotext.xticks, ticks(chart.x_min, chart.x_max)),
        (plotext.yticks, ticks(low, high)),
    ):
        set_ticks([float(at) for at, _ in found], [text for _, text in found])
    drawn = plotext.uncolorize(plotext.build()).rstrip("\n")
    plotext.clear_figure()
    signs = ("⠉⠉⠉", "•••", "xxx", "+++")
    legend = [
        f"  {signs[number % len(signs)]}  {curve.label}"
        for number, curve in enumerate(chart.curves)
    ]
    lines = [line.rstrip() for line in drawn.split("\n")]
    return "\n".join([f"  {chart.y_label}", *lines, chart.x_label.rjust(_WIDTH), *legend])
