"""A meter with an S0 output on a pin of an emulated board: pulses at the times of its energy.

The meter lives by itself: it goes on while the node is off, and what it pulses then nobody counts.
The output closes for a pulse, so a pin with a pull-up goes low.

Source: IEC 62053-31, class A: a pulse and a gap last 30 ms or more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from wattest.emulator.board import EmulatedBoard
from wattest.emulator.ina228 import Load
from wattest.emulator.sensor_errors import MeterErrors
from wattest.emulator.world import World

_NS_PER_MS = 1_000_000
_NS_PER_S = 10**9
_LOOK_AHEAD_NS = 10 * _NS_PER_S
_UW_NS_PER_KWH = 1000 * 3600 * 10**6 * _NS_PER_S
_GAIN_ONE = 10**12
_BOUNCES = ((700_000, 1), (1_100_000, 0), (1_900_000, 1), (2_400_000, 0))


@dataclass(slots=True, kw_only=True)
class ContactTrouble:
    """What goes wrong at the output.

    Args:
        bounce_every: every so many pulses the contact bounces for 2 ms when it closes.
        lose_every: every so many pulses none is given.
        held: it stays closed.
        cut: the wire is cut: the pin hears nothing.
    """

    bounce_every: int = 0
    lose_every: int = 0
    held: bool = False
    cut: bool = False


@dataclass(slots=True)
class _Search:
    """How far energy was followed, and how much of a pulse has come together."""

    at_ns: int
    missing: int


class S0Output:
    """The output of one meter.

    Args:
        board: whose pin it is wired to.
        world: when things happen.
        load: what the meter measures.
        pin: number of the pin.
        impulses_per_kwh: the meter constant.
        pulse_ms: length of a pulse.
        exporting: it gives pulses for exported energy, else for imported.
        errors: declared deviations of the meter.

    Attributes:
        trouble: faults of the contact; `hold` and `release` change ``held``.
        pulses: given since the start.
    """

    def __init__(
        self,
        board: EmulatedBoard,
        world: World,
        load: Load,
        *,
        pin: int,
        impulses_per_kwh: int,
        pulse_ms: int,
        exporting: bool = False,
        errors: MeterErrors | None = None,
    ) -> None:
        self.trouble = ContactTrouble()
        self.pulses = 0
        self._board = board
        self._world = world
        self._load = load
        self._pin = pin
        self._pulse_ns = pulse_ms * _NS_PER_MS
        self._sign = -1 if exporting else 1
        errors = errors or MeterErrors()
        self._gain = int(errors.power_gain * _GAIN_ONE)
        self._per_pulse = _UW_NS_PER_KWH * _GAIN_ONE // impulses_per_kwh
        self._search = _Search(at_ns=world.now_ns, missing=self._per_pulse)
        self._set(1)
        self._look()

    def hold(self) -> None:
        """The contact sticks."""
        self.trouble.held = True
        self._board.set_pin(self._pin, 0)

    def release(self) -> None:
        """It opens again."""
        self.trouble.held = False
        self._set(1)

    def _look(self) -> None:
        """Find the next pulse, or look again later: the load is asked no further than that."""
        search = self._search
        end_ns = search.at_ns + _LOOK_AHEAD_NS
        while search.at_ns < end_ns:
            upto = search.at_ns + _NS_PER_S
            energy = self._energy(search.at_ns, upto)
            if energy >= search.missing:
                upto = self._moment(upto)
                search.missing = self._per_pulse
                search.at_ns = upto
                self._world.call_at(upto, self._begin)
                return
            search.missing -= energy
            search.at_ns = upto
        self._world.call_at(end_ns - _LOOK_AHEAD_NS // 2, self._look)

    def _energy(self, t0_ns: int, t1_ns: int) -> int:
        power_uw = max(0, self._sign * self._load.power_mean_uw(t0_ns, t1_ns))
        return power_uw * (t1_ns - t0_ns) * self._gain

    def _moment(self, upto: int) -> int:
        """Return when the missing energy has come, to a microsecond."""
        first, last = self._search.at_ns, upto
        while last - first > 1000:
            middle = (first + last) // 2
            if self._energy(self._search.at_ns, middle) >= self._search.missing:
                last = middle
            else:
                first = middle
        return last

    def _begin(self) -> None:
        self.pulses += 1
        now_ns = self._world.now_ns
        trouble = self.trouble
        lost = trouble.cut or (trouble.lose_every and self.pulses % trouble.lose_every == 0)
        if not lost:
            bounces = trouble.bounce_every and self.pulses % trouble.bounce_every == 0
            self._set(0)
            if bounces:
                for delay_ns, level in _BOUNCES:
                    self._world.call_at(now_ns + delay_ns, partial(self._set, level))
            self._world.call_at(now_ns + self._pulse_ns, partial(self._set, 1))
        self._look()

    def _set(self, level: int) -> None:
        if not self.trouble.held:
            self._board.set_pin(self._pin, level)
