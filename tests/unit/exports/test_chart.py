"""Charts: ticks at round numbers, jumps that are no slopes, pictures that are well-formed."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattest.cli.contract_chart import draw_chart
from wattest.exports.chart import Chart, Curve, Mark, jumps, nice_step, pieces, svg, ticks

F = Fraction
POINTS = ((F(0), F(0)), (F(5), F(10)), (F(5), F(30)), (F(10), F(40)))
CHART = Chart(
    title="what <it> costs & more",
    x_label="energy, kWh",
    y_label="EUR",
    x_max=F(10),
    curves=(Curve(label="buyer <pays>", points=POINTS), Curve(label="flat", points=POINTS[::3])),
    marks=(Mark(at=(F(9), F(35)), label="1"),),
    gaps=((F(1), F(2)),),
)


@given(st.fractions(min_value=F(1, 10**6), max_value=10**9))
def test_ticks_are_few_and_even_and_within(width: Fraction) -> None:
    found = ticks(F(0), width)
    places = [at for at, _ in found]
    assert 2 <= len(found) <= 6
    assert places[0] == 0
    assert places[-1] <= width
    assert {b - a for a, b in pairwise(places)} == {nice_step(width, 5)}
    assert len({text for _, text in found}) == len(found)


@pytest.mark.parametrize(
    ("width", "texts"),
    [
        (F(10), ["0", "2", "4", "6", "8", "10"]),
        (F(1), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (F(4000), ["0", "1,000", "2,000", "3,000", "4,000"]),
    ],
)
def test_ticks_are_round_numbers(width: Fraction, texts: list[str]) -> None:
    assert [text for _, text in ticks(F(0), width)] == texts


def test_ticks_go_below_zero_where_values_do() -> None:
    assert [text for _, text in ticks(F(-300), F(900))] == ["0", "500"]


def test_jump_cuts_a_curve_in_two() -> None:
    assert list(pieces(POINTS)) == [POINTS[:2], POINTS[2:]]
    assert list(jumps(POINTS)) == [(POINTS[1], POINTS[2])]


def test_picture_is_well_formed_and_within_its_frame() -> None:
    root = ET.fromstring(svg(CHART))
    width, height = (float(text) for text in root.attrib["viewBox"].split()[2:])
    assert root.attrib["aria-label"] == CHART.title
    for element in root.iter():
        for name, value in element.attrib.items():
            limit = width if name in {"x", "x1", "x2", "cx"} else height
            if name in {"x", "x1", "x2", "cx", "y", "y1", "y2", "cy"}:
                assert 0 <= float(value) <= limit
    assert len(root.findall("polyline")) == 3
    assert len(root.findall("rect")) == 1


def test_picture_has_axes_with_units_and_a_legend() -> None:
    texts = [element.text for element in ET.fromstring(svg(CHART)).iter("text")]
    assert {"energy, kWh", "EUR", "buyer <pays>", "flat", "1", "10", "40"} <= set(texts)


def test_curves_differ_without_colour() -> None:
    classes = re.findall(r'polyline class="(k\d)"', svg(CHART))
    assert classes == ["k0", "k0", "k1"]


def test_range_of_a_flat_chart_is_not_empty() -> None:
    flat = Chart(
        title="",
        x_label="",
        y_label="",
        x_max=F(1),
        curves=(Curve(label="", points=((F(0), F(0)), (F(1), F(0)))),),
    )
    low, high = flat.y_range()
    assert low == 0 < high
    ET.fromstring(svg(flat))


def test_terminal_chart_is_plain_and_says_its_units_and_legend() -> None:
    text = draw_chart(CHART)
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) <= 80
    assert text.splitlines()[0] == "  EUR"
    assert "energy, kWh" in text
    assert "•••  flat" in text
    assert draw_chart(CHART) == text
