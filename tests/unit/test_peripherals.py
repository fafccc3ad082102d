"""Pins, timers, watchdog, clock and analogue inputs: state and arithmetic on virtual time."""

from __future__ import annotations

import pytest

from wattest.emulator.peripherals import (
    EPOCH_2000_NS,
    IRQ_FALLING,
    IRQ_RISING,
    MODE_OPEN_DRAIN,
    MODE_OUT,
    PULL_UP,
    AnalogueInputs,
    Pins,
    RealTimeClock,
    Timers,
    Watchdog,
)


def test_level_of_a_pin_is_what_drives_it() -> None:
    pins = Pins()
    assert pins[4].level == 0
    pins[4].pull = PULL_UP
    assert pins[4].level == 1
    pins.drive(4, 0)
    assert pins[4].level == 0
    pins.drive(4, None)
    assert pins[4].level == 1
    pins[4].mode, pins[4].output = MODE_OUT, 0
    assert pins[4].level == 0


def test_open_drain_only_pulls_down() -> None:
    pins = Pins()
    pins[5].mode, pins[5].output = MODE_OPEN_DRAIN, 1
    pins.drive(5, 1)
    assert pins[5].level == 1
    pins[5].output = 0
    assert pins[5].level == 0


def test_edges_that_are_asked_for_interrupt() -> None:
    pins = Pins()
    pins[0].irq_callback, pins[0].irq_edges = 77, IRQ_RISING
    assert pins.drive(0, 1) == (77, 0)
    assert pins.drive(0, 1) is None
    assert pins.drive(0, 0) is None
    pins[0].irq_edges = IRQ_FALLING
    assert pins.drive(0, 1) is None
    assert pins.drive(0, 0) == (77, 0)


def test_reset_keeps_what_the_world_drives() -> None:
    pins = Pins()
    pins.drive(1, 1)
    pins[2].mode, pins[2].output = MODE_OUT, 1
    pins.reset()
    assert (pins[1].level, pins[2].level) == (1, 0)


def test_pin_numbers_have_an_end() -> None:
    with pytest.raises(ValueError, match="no pin 64"):
        _ = Pins()[64]


def test_timers_fire_in_order_of_time() -> None:
    timers = Timers()
    timers.start(1, callback=11, period_ns=30, periodic=False, now_ns=0)
    timers.start(0, callback=10, period_ns=20, periodic=True, now_ns=0)
    assert timers.due_ns == 20
    assert timers.take_due(19) == []
    assert timers.take_due(31) == [(10, 0), (11, 1)]
    assert timers.due_ns == 40
    assert timers.elapsed_ms(1, 31) == 0


def test_late_periodic_timer_fires_once_and_keeps_its_beat() -> None:
    timers = Timers()
    timers.start(0, callback=1, period_ns=10, periodic=True, now_ns=0)
    assert timers.take_due(57) == [(1, 0)]
    assert timers.due_ns == 60
    timers.stop(0)
    assert timers.due_ns is None


def test_timer_tells_how_long_it_has_run() -> None:
    timers = Timers()
    timers.start(0, callback=1, period_ns=10_000_000, periodic=True, now_ns=0)
    assert timers.elapsed_ms(0, 7_500_000) == 7


def test_watchdog_is_off_until_started_and_counts_from_each_feed() -> None:
    dog = Watchdog()
    dog.feed(5)
    assert dog.deadline_ns is None
    dog.start(100, 0)
    dog.feed(60)
    assert dog.deadline_ns == 160
    dog.reset()
    assert dog.deadline_ns is None


def test_clock_starts_at_2000_and_loses_its_memory_with_the_supply() -> None:
    clock = RealTimeClock(memory=b"kept")
    clock.power_on(500)
    assert clock.memory == b""
    assert clock.since_2000_ns(1_500) == 1_000
    clock.set_unix_ns(EPOCH_2000_NS + 9, 1_500)
    assert clock.since_2000_ns(1_501) == 10


@pytest.mark.parametrize(
    ("applied", "attenuation", "seen", "raw"),
    [(475_000, 0, 475_000, 2047), (9_000_000, 3, 2_450_000, 4095), (-5, 1, 0, 0)],
)
def test_analogue_input_clips_to_its_range(
    applied: int, attenuation: int, seen: int, raw: int
) -> None:
    adc = AnalogueInputs()
    adc.apply(34, applied)
    assert (adc.read_uv(34, attenuation), adc.read_raw(34, attenuation)) == (seen, raw)
    assert adc.read_uv(35, 0) == 0
