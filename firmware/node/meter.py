"""Sampling: the sensor's result into the registers. The hot path of the node.

`sample` allocates nothing while the sensor answers. It remembers what went wrong; what to do
about that (recovery, events) happens outside.
"""

import time

from micropython import const

from node.registers import DT_MAX_MS

SENSOR = const(0)
INJECTED = const(1)
STIMULUS = const(2)
# The worst letter of an interval wins, in this order.
STATUS_ORDER = "GOFTDXM"
_READ_ERROR = "F"
# No averaging window is longer (1024 * 3 * 4.12 ms).
_FRESH_MAX_MS = const(14_000)
COUNTS_MAX = const((1 << 24) - 1)
# An injected power counts no longer than this: whoever injects must renew it.
_INJECTED_MAX_MS = const(60_000)


class Interval:
    """What happened since the last fiscal, or the last transaction, record."""

    def __init__(self) -> None:
        self.worst = 0
        self.missed = 0
        self.stepped = False
        self.input = SENSOR

    def reset(self, input_now: int) -> None:
        """A new interval begins."""
        self.worst = 0
        self.missed = 0
        self.stepped = False
        self.input = input_now

    def restore(self, worst: int, missed: int, stepped: bool, selected: int) -> None:
        """The record that should have ended the interval before was not sealed."""
        self.worst = max(self.worst, worst)
        self.missed += missed
        self.stepped = self.stepped or stepped
        self.input = max(self.input, selected)

    def status(self) -> str:
        """Status letter of the interval."""
        return STATUS_ORDER[self.worst]

    def err(self) -> str:
        """Which quantities are unusable: energy, time."""
        return ("E" if self.missed else "") + ("t" if self.stepped else "")


class Meter:
    """Reads the sensor on demand and keeps the registers.

    A driver has `begin`, `check` and `sample`, each True if all is well, and `use_bus`. After
    `sample` it holds `status`, `exporting`, and either

        counts and fresh: mean POWER of a window that has ended, if `counts_energy` is False;
        energy: counts of energy since the last good sample, if `counts_energy` is True. Then
            `counts` is POWER, or negative: the mean follows from the energy. What a failed sample
            leaves in the sensor comes with the next good one, if that is within `span_ms`.
            `skip` forgets what was counted until now.

    Attributes:
        status: letter of the last sample; "G" if it was usable.
        counts, exporting: POWER and direction of the last usable sample.
        fiscal, transaction: what happened in the interval of either kind.
        input: where samples come from: SENSOR, INJECTED or STIMULUS.
        own_input: SENSOR, or STIMULUS if the sensor is played by its nature.

    Args:
        sensor: driver, see above.
        registers: where energy goes, and what is saved with each sample.
        clock: advanced by each sample; its last advance is the latch of a record.
        period_ms: nominal time between samples.
    """

    def __init__(self, sensor, registers, clock, period_ms: int) -> None:
        self._sensor = sensor
        self._registers = registers
        self._clock = clock
        self._period_ms = period_ms
        self._dt_max_ms = min(2 * period_ms, DT_MAX_MS)
        self._last_ticks = clock.advance()
        self._starting = True
        self._counts_energy = sensor.counts_energy
        self._injected = 0
        self._injected_export = False
        self._injected_at = self._last_ticks
        # What the sensor is, as long as nothing is injected.
        self.own_input = STIMULUS if getattr(sensor, "played", False) else SENSOR
        self.input = self.own_input
        self.status = "G"
        self.counts = 0
        self.exporting = False
        self.fiscal = Interval()
        self.transaction = Interval()

    def begin(self) -> bool:
        """Set the sensor up; if that fails it counts as a failed sample."""
        self._last_ticks = self._clock.advance()
        self._starting = True
        if self._sensor.begin():
            self.status = "G"
            return True
        self._fail(self._sensor.status)
        return False

    def recover(self) -> None:
        """After a failed sample: set the sensor up again, which may fail too."""
        if self._sensor.begin():
            self._starting = True
            self.status = "G"
            self.counts = 0

    def check(self) -> bool:
        """Is the chip still the one that was set up? If not it counts as a failed sample."""
        if self.status != "G" or self.input == INJECTED or self._sensor.check():
            return True
        self._fail(self._sensor.status)
        return False

    def sample(self) -> None:
        """Advance the clock, read, integrate, save. Allocates nothing if all is well."""
        now = self._clock.advance()
        dt = time.ticks_diff(now, self._last_ticks)
        sensor = self._sensor
        if self.input == INJECTED:
            self._integrate(now, dt, self._injected, self._injected_export)
        elif not sensor.sample():
            if not self._counts_energy:
                self._last_ticks = now
            self._fail(sensor.status)
        elif self._counts_energy:
            self._take_energy(now, dt)
        elif sensor.fresh:
            self._integrate(now, dt, sensor.counts, sensor.exporting)
        elif dt > _FRESH_MAX_MS:
            self._last_ticks = now
            self._fail(_READ_ERROR)
        self._registers.save()

    def power_milliw(self, nw_per_count: int) -> int:
        """Mean power of the last window, milliwatts, import positive; 0 if it was unusable."""
        if self.status != "G":
            return 0
        milliw = (self.counts * nw_per_count + 500_000) // 1_000_000
        return -milliw if self.exporting else milliw

    def inject(self, counts: int, exporting: bool) -> None:
        """What INJECTED input measures from now on, for a minute at most."""
        self._injected = counts
        self._injected_export = exporting
        self._injected_at = time.ticks_ms()

    def injection_lapsed(self) -> bool:
        """Nobody has renewed the injected power for a minute: who injected it may be gone."""
        if self.input != INJECTED:
            return False
        return time.ticks_diff(self._last_ticks, self._injected_at) >= _INJECTED_MAX_MS

    def select_input(self, selected: int) -> None:
        """Change where samples come from; both running intervals are marked."""
        if self.input == INJECTED and self._counts_energy:
            # What the sensor counted meanwhile was replaced: it must not come on top.
            if not self._sensor.skip():
                self._fail(self._sensor.status)
        self.input = selected
        self._starting = True
        self.mark_input(selected)

    def mark_input(self, selected: int) -> None:
        """Let the running intervals say that they saw this input."""
        self.fiscal.input = max(self.fiscal.input, selected)
        self.transaction.input = max(self.transaction.input, selected)
        self._registers.mark_input(self.fiscal.input | self.transaction.input << 4)

    def next_interval(self, interval: Interval) -> None:
        """The record that ends this interval is on flash."""
        interval.reset(self.input)
        self._registers.mark_input(self.fiscal.input | self.transaction.input << 4)

    def mark_step(self) -> None:
        """The clock stepped: times of the running intervals are unusable."""
        self.fiscal.stepped = True
        self.transaction.stepped = True

    def _integrate(self, now, dt: int, counts: int, exporting: bool) -> None:
        self._last_ticks = now
        self.status = "G"
        self.counts = counts
        self.exporting = exporting
        if self._starting:
            # The first window after setting up stands for the time since then.
            self._starting = False
            dt = min(dt, DT_MAX_MS)
        elif dt > self._dt_max_ms:
            missed = dt // self._period_ms - 1
            self.fiscal.missed += missed
            self.transaction.missed += missed
            dt = self._period_ms
        self._registers.integrate(counts, exporting, dt)

    def _take_energy(self, now, dt: int) -> None:
        """Energy is whole however late a sample is, until the counter is ambiguous."""
        sensor = self._sensor
        self._last_ticks = now
        if dt > sensor.span_ms:
            self._fail(_READ_ERROR)
            return
        self.status = "G"
        self._starting = False
        energy = sensor.energy
        counts = sensor.counts
        registers = self._registers
        if counts >= 0:
            self.counts = counts
        elif dt > 0:
            parts = registers.energy_parts
            self.counts = energy // dt * parts + energy % dt * parts // dt
        self.exporting = sensor.exporting
        registers.add_energy(energy, sensor.exporting)
        # Time in use is what was seen: of a gap, one period.
        registers.use(self.counts, dt if dt <= self._dt_max_ms else self._period_ms)

    def _fail(self, status: str) -> None:
        self.status = status
        rank = STATUS_ORDER.find(status)
        for interval in (self.fiscal, self.transaction):
            interval.missed += 1
            if rank > interval.worst:
                interval.worst = rank
