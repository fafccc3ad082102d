"""The pulse input: edges on a fake pin, as the scheduler hands them over, early and late."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from node.clock import Clock
from node.drivers.s0 import S0
from node.meter import INJECTED, SENSOR, Meter
from node.registers import Registers
from node_ticks import Ticks

PER = 3_600_000
PULSE_MS = 80


class FakePin:
    """A pin whose interrupts are served at once, or when the test says."""

    IRQ_FALLING = 2
    IRQ_RISING = 1

    def __init__(self, ticks: Ticks) -> None:
        self.ticks = ticks
        self.level = 1
        self.blocked = False
        self.waiting = 0
        self.handler: Callable[[FakePin], None] | None = None

    def irq(self, *, handler: Callable[[FakePin], None], trigger: int) -> None:
        assert trigger == 3
        self.handler = handler

    def value(self) -> int:
        return self.level

    def drive(self, level: int) -> None:
        if level != self.level:
            self.level = level
            self.waiting += 1
            if not self.blocked:
                self.serve()

    def serve(self, lost: int = 0) -> None:
        count, self.waiting = self.waiting - lost, 0
        for _ in range(count):
            assert self.handler is not None
            self.handler(self)

    def wait(self, ms: int) -> None:
        self.ticks.ms += ms

    def block(self, sensor: S0) -> None:
        """From now on the node is busy: the application keeps `awake_at`."""
        self.blocked = True
        sensor.awake_at = self.ticks()

    def wake(self, sensor: S0, lost: int = 0) -> None:
        """What waited is served; the node waits for the next edge."""
        self.blocked = False
        self.serve(lost)
        sensor.awake_at = None

    def pulse(self, length_ms: int = PULSE_MS) -> None:
        self.drive(0)
        self.wait(length_ms)
        self.drive(1)


class Bench:
    """Input and meter; a pulse is a watt-hour."""

    def __init__(self, ticks: Ticks, *, exporting: int = 0, pulse_ms: int = PULSE_MS) -> None:
        self.ticks = ticks
        self.pin = FakePin(ticks)
        self.sensor = S0(
            self.pin,
            pulse_ms=pulse_ms,
            exporting=exporting,
            counts_per_milliwh=PER,
            pulse_milliwh=1000,
            pulse_parts=0,
        )
        self.registers = Registers(PER, 4_600, 1000, 0)
        self.registers.attach(lambda _buf=None: b"", b"")
        self.meter = Meter(self.sensor, self.registers, Clock(60), 1000)
        assert self.meter.begin()
        self.pin.wait(1000)

    def sample(self) -> str:
        self.meter.sample()
        status = self.meter.status
        if status not in "GO":
            self.sensor.use_bus(self.pin)
            self.meter.recover()
        return status


@pytest.fixture
def bench(ticks: Ticks) -> Bench:
    return Bench(ticks)


def test_pulse_counts_once_when_it_ends(bench: Bench) -> None:
    bench.pin.drive(0)
    bench.pin.wait(50)
    assert bench.sample() == "G"
    assert bench.registers.import_milliwh() == 0
    bench.pin.wait(30)
    bench.pin.drive(1)
    bench.sample()
    bench.sample()
    assert bench.registers.import_milliwh() == 1000


def test_pulses_of_the_standard_at_its_highest_rate_are_all_counted(ticks: Ticks) -> None:
    bench = Bench(ticks, pulse_ms=30)
    for number in range(200):
        bench.pin.pulse(30)
        bench.pin.wait(30)
        if number % 16 == 0:
            assert bench.sample() == "G"
    bench.sample()
    assert bench.registers.import_milliwh() == 200_000


def test_power_follows_from_the_distance_and_falls_when_a_pulse_is_overdue(bench: Bench) -> None:
    assert bench.meter.power_milliw(1_000_000) == 0
    bench.pin.pulse()
    bench.sample()
    assert bench.meter.power_milliw(1_000_000) == 0, "one pulse has no distance"
    bench.pin.wait(3600 - PULSE_MS)
    bench.pin.pulse()
    bench.sample()
    assert bench.meter.power_milliw(1_000_000) == 1_000_000
    bench.pin.wait(7200 - PULSE_MS)
    bench.sample()
    assert bench.meter.power_milliw(1_000_000) == 500_000
    bench.pin.wait(1_000_000)
    bench.sample()
    assert bench.meter.power_milliw(1_000_000) == 0
    bench.pin.pulse()
    bench.sample()
    assert bench.meter.power_milliw(1_000_000) == 0, "the pulse before was too long ago"


@pytest.mark.parametrize("when", ["closing", "opening", "both"])
def test_bounce_is_counted_once_and_flagged(when: str, bench: Bench) -> None:
    def bounce(level: int) -> None:
        for _ in range(3):
            bench.pin.drive(level)
            bench.pin.wait(1)
            bench.pin.drive(1 - level)
            bench.pin.wait(1)
        bench.pin.drive(level)

    bounce(0) if when != "opening" else bench.pin.drive(0)
    bench.pin.wait(PULSE_MS)
    bounce(1) if when != "closing" else bench.pin.drive(1)
    bench.pin.wait(500)
    assert bench.sample() == "F"
    assert bench.sample() == "G"
    assert bench.registers.import_milliwh() == 1000
    assert (bench.meter.fiscal.status(), bench.meter.fiscal.err()) == ("F", "E")


def test_spike_is_no_pulse_but_is_told(bench: Bench) -> None:
    bench.pin.pulse(3)
    assert bench.sample() == "F"
    assert bench.sample() == "G"
    assert bench.registers.import_milliwh() == 0


@pytest.mark.parametrize("delay_ms", [5, 45, 75])
@pytest.mark.parametrize("edge", ["falling", "rising"])
def test_pulse_is_counted_although_flash_is_being_erased(
    edge: str, delay_ms: int, bench: Bench
) -> None:
    """The handler comes late, to either edge; that is no fault of the contact."""
    pin, sensor = bench.pin, bench.sensor
    if edge == "falling":
        pin.block(sensor)
    pin.drive(0)
    pin.wait(delay_ms)
    pin.wake(sensor)
    pin.wait(PULSE_MS - delay_ms)
    if edge == "rising":
        pin.block(sensor)
    pin.drive(1)
    pin.wait(delay_ms)
    pin.wake(sensor)
    pin.wait(80 - delay_ms)
    pin.pulse()
    assert bench.sample() == "G"
    assert bench.registers.import_milliwh() == 2000


@pytest.mark.parametrize(
    ("levels", "pulses"),
    [((0, 1), 1), ((0, 1, 0, 1), 2), ((0, 1, 0), 1)],
    ids=["one", "two", "one and a half"],
)
def test_pulses_that_passed_while_nobody_could_look_are_counted(
    levels: tuple[int, ...], pulses: int, bench: Bench
) -> None:
    bench.pin.block(bench.sensor)
    for level in levels:
        bench.pin.drive(level)
        bench.pin.wait(PULSE_MS)
    bench.pin.wake(bench.sensor)
    assert bench.sample() == "G"
    if not bench.pin.level:
        bench.pin.wait(PULSE_MS)
        bench.pin.drive(1)
        pulses += 1
    bench.sample()
    assert bench.registers.import_milliwh() == pulses * 1000
    assert bench.meter.fiscal.err() == ""


def test_gap_that_passed_while_nobody_could_look_ends_one_pulse_and_begins_the_next(
    bench: Bench,
) -> None:
    bench.pin.drive(0)
    bench.pin.wait(PULSE_MS - 10)
    bench.pin.block(bench.sensor)
    bench.pin.wait(10)
    for level in (1, 0):
        bench.pin.drive(level)
        bench.pin.wait(60)
    bench.pin.wake(bench.sensor)
    bench.pin.wait(PULSE_MS - 60)
    bench.pin.drive(1)
    assert bench.sample() == "G"
    assert bench.registers.import_milliwh() == 2000


@pytest.mark.parametrize("busy_ms", [0, 20])
def test_edges_nobody_saw_that_cannot_have_been_a_pulse_are_told(
    busy_ms: int, bench: Bench
) -> None:
    bench.pin.block(bench.sensor)
    bench.pin.wait(busy_ms)
    bench.pin.pulse(3)
    bench.pin.wake(bench.sensor)
    assert bench.sample() == "F"
    assert bench.registers.import_milliwh() == 0


@pytest.mark.parametrize("lost", [1, 3])
def test_edges_the_scheduler_dropped_are_noticed(lost: int, bench: Bench) -> None:
    """An odd number of them shows in the level; an even one is a pulse nobody can know of."""
    bench.pin.block(bench.sensor)
    for level in (0, 1, 0):
        bench.pin.drive(level)
        bench.pin.wait(PULSE_MS)
    bench.pin.wake(bench.sensor, lost=lost)
    found = [bench.sample()]
    bench.pin.wait(500)
    found.append(bench.sample())
    bench.pin.drive(1)
    bench.pin.wait(500)
    found += [bench.sample(), bench.sample()]
    assert "F" in found
    assert found[-1] == "G"
    bench.pin.pulse()
    before = bench.registers.import_milliwh()
    bench.sample()
    assert bench.registers.import_milliwh() == before + 1000


def test_contact_that_sticks_is_a_stuck_line_until_it_opens(bench: Bench) -> None:
    bench.pin.drive(0)
    bench.pin.wait(900)
    assert bench.sample() == "G"
    bench.pin.wait(200)
    assert [bench.sample() for _ in range(3)] == ["T", "T", "T"]
    bench.pin.drive(1)
    assert bench.sample() == "G"
    assert bench.registers.import_milliwh() == 1000
    assert bench.meter.fiscal.status() == "T"


def test_pulse_that_was_under_way_at_the_start_is_not_counted(ticks: Ticks) -> None:
    bench = Bench(ticks)
    bench.pin.level = 0
    sensor = S0(
        bench.pin,
        pulse_ms=PULSE_MS,
        exporting=0,
        counts_per_milliwh=PER,
        pulse_milliwh=1000,
        pulse_parts=0,
    )
    assert sensor.begin()
    bench.pin.wait(20)
    bench.pin.drive(1)
    assert sensor.sample()
    assert sensor.energy == 0
    bench.pin.wait(500)
    bench.pin.pulse()
    assert sensor.sample()
    assert sensor.energy == 1


def test_exported_pulses_have_their_own_register(ticks: Ticks) -> None:
    bench = Bench(ticks, exporting=1)
    for _ in range(2):
        bench.pin.pulse()
        bench.pin.wait(3600 - PULSE_MS)
    bench.sample()
    assert (bench.registers.import_milliwh(), bench.registers.export_milliwh()) == (0, 2000)
    assert bench.meter.power_milliw(1_000_000) == -1_000_000


def test_pulses_during_injection_are_not_added(bench: Bench) -> None:
    bench.meter.inject(3_600_000, False)
    bench.meter.select_input(INJECTED)
    bench.pin.pulse()
    bench.pin.wait(1000 - PULSE_MS)
    bench.sample()
    injected = bench.registers.import_milliwh()
    bench.meter.select_input(SENSOR)
    bench.sample()
    assert bench.registers.import_milliwh() == injected
    bench.pin.wait(100)
    bench.pin.pulse()
    bench.sample()
    assert bench.registers.import_milliwh() == injected + 1000


def test_odd_meter_constant_is_exact_over_many_pulses(ticks: Ticks) -> None:
    """3000 pulses a kWh: a pulse is 333 and a third milliwatt-hours."""
    registers = Registers(PER, 0, 333, PER // 3)
    for _ in range(3000):
        registers.add_energy(1, False)
    assert registers.import_milliwh() == 1_000_000
    assert ticks.ms == 0
