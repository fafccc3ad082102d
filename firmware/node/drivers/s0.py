"""S0: pulses of another meter (IEC 62053-31, class A) on a pin, counted by interrupt.

Wiring: S0+ to the pin, which has a pull-up (10 kilohm to 3.3 V if the chip's own is too weak for
the cable), S0- to ground. A pulse pulls the pin low.

    sensor = S0(pin, pulse_ms=80, exporting=0, counts_per_milliwh=3_600_000, pulse_milliwh=1000,
                pulse_parts=0)
    sensor.begin()
    if sensor.sample():
        print(sensor.energy, "pulses since the last sample")

A pulse and the gap behind it last 30 ms at least. Edges that come faster are a contact that
bounces or a disturbance: they are not counted twice, and the sample says that it cannot be
trusted. A pulse counts when it ends. What nobody can see at this end: a wire that is cut, and a
pulse that was not sent.

The handler runs late while the chip erases flash (45 ms a sector). How late at most follows from
`awake_at`, which the application keeps; lengths are judged with that in mind, and a pulse that
passed meanwhile is counted by its two interrupts.
"""

import time

from micropython import const

# Edges closer than this belong to one change of the contact.
_QUIET_MS = const(10)
# No pulse is longer (500 ms), however late it is seen.
_STUCK_MS = const(1000)
_DISTANCE_MAX_MS = const(1_000_000)

GOOD = "G"
STUCK = "T"
READ_ERROR = "F"


class S0:
    """One pulse input.

    After `sample` the attributes hold the result:

        status: one letter of the record format; "G" if the sample is usable.
        energy: pulses since the last good sample.
        counts: power, in POWER counts: from the distance of the last two pulses, less when the
            next one is overdue, 0 when it is more than 1000 s late or there were no two.

    Attribute `awake_at` is set from outside: the ticks at which interrupts were served last, or
    None while the node waits and they are served at once.

    Args:
        pin: input with a pull-up; its interrupt is taken.
        pulse_ms: length of a pulse, from the data sheet of the meter.
        exporting: pulses stand for exported energy.
        counts_per_milliwh: POWER counts times milliseconds in one milliwatt-hour.
        pulse_milliwh, pulse_parts: energy of a pulse: whole milliwatt-hours, and the rest in
            POWER counts times milliseconds.
    """

    counts_energy = True
    span_ms = 1 << 29
    arithmetic = False

    def __init__(
        self,
        pin,
        *,
        pulse_ms: int,
        exporting: int,
        counts_per_milliwh: int,
        pulse_milliwh: int,
        pulse_parts: int,
    ) -> None:
        self._pin = pin
        self._handler = self._on_edge
        self._shortest_ms = pulse_ms // 2
        self._per_milliwh = counts_per_milliwh
        self._milliwh = pulse_milliwh
        self._parts = pulse_parts
        now = time.ticks_ms()
        self._low = False
        self._counted = True
        self.awake_at = None
        self._fell_at = now
        self._fell_late_ms = 0
        self._rose_at = time.ticks_add(now, -_QUIET_MS)
        self._rose_late_ms = 0
        self._edges = 0
        self._edges_at_odds = -1
        self._unseen = 0
        self._hidden = 0
        self._last_at = now
        self._distance_ms = 0
        self._paired = False
        self._total = 0
        self._taken = 0
        self._doubtful = 0
        self._doubted = 0
        self._begun = False
        self.exporting = bool(exporting)
        self.status = GOOD
        self.energy = 0
        self.counts = 0

    def use_bus(self, pin) -> None:
        """Go on with a pin that was set up anew."""
        self._pin = pin

    def begin(self) -> bool:
        """Take the pin's interrupt. A pulse that is under way is not counted."""
        pin = self._pin
        pin.irq(handler=self._handler, trigger=pin.IRQ_FALLING | pin.IRQ_RISING)
        if not self._begun:
            self._begun = True
            self._low = not pin.value()
            self._fell_at = time.ticks_ms()
        return True

    def check(self) -> bool:
        """Was the last sample good? There is nothing else to ask."""
        return self.status == GOOD

    def skip(self) -> bool:
        """Forget what was counted until now."""
        self._taken = self._total
        self._doubted = self._doubtful
        return True

    def sample(self) -> bool:
        """Take the pulses since the last good sample; True if they can be trusted."""
        now = time.ticks_ms()
        low = not self._pin.value()
        if low != self._low:
            self._look_at_level(low, now)
        doubtful = self._doubtful
        if doubtful != self._doubted:
            self._doubted = doubtful
            self.status = READ_ERROR
            return False
        if low and time.ticks_diff(now, self._fell_at) > _STUCK_MS:
            self.status = STUCK
            return False
        total = self._total
        self.energy = total - self._taken
        self._taken = total
        self.counts = self._power(now)
        self.status = GOOD
        return True

    def _look_at_level(self, low: bool, now) -> None:
        """The level is not what the last edge left: its interrupt is on its way, or was lost."""
        if self._edges_at_odds != self._edges:
            self._edges_at_odds = self._edges
            return
        self._doubtful += 1
        self._low = low
        self._counted = True
        self._fell_at = self._rose_at = now

    def _on_edge(self, pin) -> None:
        """Interrupt: the level has changed. Allocates nothing."""
        now = time.ticks_ms()
        awake_at = self.awake_at
        late_ms = 0 if awake_at is None else time.ticks_diff(now, awake_at)
        self._edges += 1
        low = not pin.value()
        if low == self._low:
            self._unseen += 1
            if self._unseen == 2:
                self._unseen = 0
                self._take_hidden(low, now, late_ms)
            return
        if self._unseen:
            self._unseen = 0
            self._doubtful += 1
        self._hidden = 0
        self._low = low
        if low:
            if time.ticks_diff(now, self._rose_at) + self._rose_late_ms < _QUIET_MS:
                self._doubtful += 1
                return
            self._fall(now, late_ms)
            return
        self._rose_at = now
        self._rose_late_ms = late_ms
        if self._counted:
            return
        if time.ticks_diff(now, self._fell_at) + self._fell_late_ms < self._shortest_ms:
            self._doubtful += 1
            return
        self._count()

    def _take_hidden(self, low: bool, now, late_ms: int) -> None:
        """Two edges nobody could look at: a pulse, or the gap between two, if it fits."""
        self._hidden += 1
        if late_ms < self._hidden * self._shortest_ms:
            self._doubtful += 1
            return
        if not self._counted:
            self._count()
        self._fall(now, late_ms)
        if not low:
            self._count()

    def _fall(self, now, late_ms: int) -> None:
        self._fell_at = now
        self._fell_late_ms = late_ms
        self._counted = False

    def _count(self) -> None:
        self._counted = True
        if self._paired:
            self._distance_ms = time.ticks_diff(self._fell_at, self._last_at)
        self._paired = True
        self._last_at = self._fell_at
        self._total += 1

    def _power(self, now) -> int:
        """Energy of a pulse over the longer of distance and time since the last."""
        distance = self._distance_ms
        if distance <= 0:
            return 0
        since = time.ticks_diff(now, self._last_at)
        if not 0 <= since <= _DISTANCE_MAX_MS:
            self._distance_ms = 0
            self._paired = False
            return 0
        if since > distance:
            distance = since
        per = self._per_milliwh
        milliwh = self._milliwh
        rest = milliwh * (per % distance) + self._parts
        return milliwh * (per // distance) + rest // distance
