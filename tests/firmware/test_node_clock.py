"""The node's clock: no wraps, no chip clock, UTC as an offset."""

import pytest
from node.clock import INFORMATIVE, SYNCHRONISED, UNKNOWN, Clock
from node_ticks import TICKS_PERIOD, Ticks

NOON_MS = 1_767_268_800_000


def test_monotonic_time_runs_over_the_wrap_of_ticks(ticks: Ticks) -> None:
    ticks.ms = TICKS_PERIOD - 500
    clock = Clock(60)
    elapsed = 0
    for step_ms in (400, 200, 86_400_000, 3, 400_000_000):
        ticks.ms += step_ms
        elapsed += step_ms
        clock.advance()
        assert clock.mono_ms() == elapsed
    assert clock.uptime_s() == elapsed // 1000


def test_utc_is_unknown_until_it_is_set(ticks: Ticks) -> None:
    clock = Clock(60)
    ticks.ms += 5000
    clock.advance()
    assert clock.utc_ms() is None
    assert clock.tsync() == UNKNOWN
    assert clock.set_utc(NOON_MS) is False
    ticks.ms += 1250
    clock.advance()
    assert clock.utc_ms() == NOON_MS + 1250
    assert clock.tsync() == SYNCHRONISED


def test_synchronised_becomes_informative_after_its_time(ticks: Ticks) -> None:
    clock = Clock(60)
    clock.set_utc(NOON_MS)
    ticks.ms += 60_999
    clock.advance()
    assert clock.tsync() == SYNCHRONISED
    ticks.ms += 1
    clock.advance()
    assert clock.tsync() == INFORMATIVE


@pytest.mark.parametrize(
    ("shift_ms", "stepped"),
    [(0, False), (999, False), (-999, False), (1000, True), (-1000, True), (86_400_000, True)],
)
def test_setting_by_a_second_or_more_is_a_step(
    shift_ms: int,
    stepped: bool,
    ticks: Ticks,
) -> None:
    clock = Clock(60)
    clock.set_utc(NOON_MS)
    ticks.ms += 10_000
    clock.advance()
    assert clock.set_utc(NOON_MS + 10_000 + shift_ms) is stepped
    assert clock.utc_ms() == NOON_MS + 10_000 + shift_ms


def test_deadlines_are_multiples_of_monotonic_time_and_then_of_utc(ticks: Ticks) -> None:
    ticks.ms = 123_456
    clock = Clock(60)
    ticks.ms += 2300
    clock.advance()
    assert clock.ticks_to_next(1000) - ticks.ms == 700
    assert clock.ticks_to_next(60_000) - ticks.ms == 57_700
    clock.set_utc(NOON_MS + 17)
    assert clock.ticks_to_next(1000) - ticks.ms == 983
    clock.set_utc(NOON_MS)
    assert clock.ticks_to_next(60_000) - ticks.ms == 60_000


def test_setting_that_could_not_be_recorded_is_undone(ticks: Ticks) -> None:
    clock = Clock(60)
    before = clock.setting()
    clock.set_utc(NOON_MS)
    clock.restore(before)
    assert clock.utc_ms() is None
