"""Marks, words and curves: what the screens are made of, without a screen."""

from __future__ import annotations

import pytest
from scripted import Script

from ledger_samples import EPOCH_MS
from wattest.operations.events import RecordLogged, RecordRefused
from wattest.tui import words
from wattest.tui.curve import Curve, sparkline
from wattest.tui.marks import DOUBTED, NOTHING, STALE, VERIFIED, twin_mark, verdict_mark
from wattest.tui.plots import tick_count, ticks_ms
from wattest.tui.speeds import SPEEDS, faster, slower


@pytest.mark.parametrize(
    ("milliwatts", "text"),
    [
        (0, "0.0 W"),
        (-99, "0.0 W"),
        (100, "0.1 W in"),
        (-1_234_567, "1,234.5 W out"),
        (60_000, "60.0 W in"),
        (-123_456_789, "123.4 kW out"),
    ],
)
def test_power_is_written_with_its_direction_as_a_word(milliwatts: int, text: str) -> None:
    assert words.power_text(milliwatts) == text


@pytest.mark.parametrize(
    ("milliwatts", "text"), [(0, "+0.0 W"), (-50, "-0.0 W"), (72_349, "+72.3 W")]
)
def test_a_difference_is_written_with_its_sign(milliwatts: int, text: str) -> None:
    assert words.difference_text(milliwatts) == text


def test_a_decimal_is_cut_and_never_rounded_up() -> None:
    assert [words.fixed(1_999, places) for places in range(4)] == ["1", "1.9", "1.99", "1.999"]
    assert words.energy_text(12_345_678, 3) == "12,345.678 Wh"
    assert words.energy_text(1_234_567_890) == "1,234.5 kWh"


@pytest.mark.parametrize(
    ("age_ms", "text"),
    [
        (None, "of unknown age"),
        (-5_000, "0 s old"),
        (119_999, "119 s old"),
        (120_000, "2 min old"),
        (7_200_000, "2 h old"),
    ],
)
def test_an_age_is_written_in_a_fitting_unit(age_ms: int | None, text: str) -> None:
    assert words.age_text(age_ms) == text


def test_times_are_utc_and_long_runs_count_days() -> None:
    assert words.instant_text(EPOCH_MS) == "2026-01-01 00:00:00 UTC"
    assert words.clock_text(EPOCH_MS + 3_661_000) == "01:01:01"
    assert words.elapsed_text(90_061_000) == "1d 01:01:01"
    assert words.elapsed_text(-1) == "00:00:00"


@pytest.mark.parametrize(
    ("part", "bar"), [(-1, "░░░░"), (0, "░░░░"), (3, "█░░░"), (10, "████"), (99, "████")]
)
def test_a_bar_stays_within_its_width(part: int, bar: str) -> None:
    assert words.bar_text(part, 10, 4) == bar


def test_a_bar_of_nothing_is_empty() -> None:
    assert words.bar_text(1, 0, 3) == "░░░"


def test_speed_goes_up_to_no_brake_and_down_to_real_time() -> None:
    speed: float | None = SPEEDS[0]
    seen = []
    while speed is not None:
        seen.append(speed)
        speed = faster(speed)
    assert tuple(seen) == SPEEDS
    assert faster(None) is None
    assert slower(None) == SPEEDS[-1]
    assert slower(SPEEDS[0]) == SPEEDS[0]
    assert slower(61.0) == 60.0


def test_a_curve_keeps_every_point_while_there_is_room() -> None:
    curve = Curve(4)
    for time_ms in (1, 2, 3):
        curve.add(time_ms, 10 * time_ms)
    assert curve.points == ((1, 10), (2, 20), (3, 30))


def test_a_full_curve_keeps_its_shape_its_length_and_its_newest_point() -> None:
    curve = Curve(8)
    for time_ms in range(1, 1_001):
        curve.add(time_ms, time_ms)
    times = [time_ms for time_ms, _ in curve.points]
    assert len(times) <= 9
    assert times == sorted(times)
    assert times[0] <= 250
    assert curve.points[-1] == (1_000, 1_000)
    for time_ms, value in curve.points[:-1]:
        assert time_ms - 256 <= value <= time_ms


def test_a_curve_leaves_out_what_is_older_than_its_newest_point() -> None:
    curve = Curve(4)
    for time_ms in (5, 4, 5, 6):
        curve.add(time_ms, time_ms)
    assert curve.points == ((5, 5), (6, 6))


def test_a_sparkline_shows_growth_and_not_size() -> None:
    assert sparkline(((0, 100), (10, 180), (20, 180), (30, 220)), 3) == " █▄"
    assert sparkline(((0, 5),), 3) == ""
    assert sparkline(((0, 5), (9, 5)), 3) == "   "


@pytest.mark.parametrize("minutes", [1, 7, 45, 60, 200, 1_440, 10_080, 100_000])
def test_ticks_are_round_few_and_inside(minutes: int) -> None:
    ticks = ticks_ms(-30_000, minutes * 60_000, 4)
    assert 1 <= len(ticks) <= 5
    assert all(-30_000 <= tick <= minutes * 60_000 for tick in ticks)


def test_a_twin_is_marked_by_what_it_rests_on() -> None:
    script = Script()
    (logged,) = [e for e in script.minute("pump") if isinstance(e, RecordLogged)]
    now_ms = script.now_ms
    assert twin_mark(None, now_ms) is NOTHING
    assert twin_mark(logged.twin, now_ms) is VERIFIED
    assert twin_mark(logged.twin, now_ms + 181_000) is STALE


def test_a_twin_whose_record_is_contradicted_is_in_doubt() -> None:
    script = Script()
    list(script.minute("pump"))
    node = script.nodes["pump"]
    (logged,) = script.send("pump", node.sealed(2, 10**9))
    assert isinstance(logged, RecordLogged)
    assert twin_mark(logged.twin, script.now_ms) is DOUBTED
    mark = verdict_mark(logged.verdict, logged=True)
    assert mark.sign == "!"
    assert "implausible" in mark.word


def test_refused_and_not_counted_are_told_apart() -> None:
    script = Script()
    list(script.minute())
    marks = {}
    for name, events in (("forge", script.forge("pump")), ("replay", script.replay("pump"))):
        (refused,) = [e for e in events if isinstance(e, RecordRefused)]
        marks[name] = str(verdict_mark(refused.verdict, logged=False))
    assert marks == {"forge": "✗ refused: bad-signature", "replay": "✗ not counted: replay"}


def test_no_mark_differs_from_another_by_its_tone_alone() -> None:
    marks = (VERIFIED, STALE, DOUBTED, NOTHING)
    assert len({mark.sign for mark in marks}) == len(marks)
    assert len({mark.word for mark in marks}) == len(marks)


@pytest.mark.parametrize(("rows", "count"), [(0, 2), (1, 2), (2, 2), (5, 5), (8, 8), (13, 7)])
def test_labels_of_an_axis_stand_equally_many_rows_apart(rows: int, count: int) -> None:
    assert tick_count(rows) == count
    assert max(rows - 1, 1) % (count - 1) == 0
