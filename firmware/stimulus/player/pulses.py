"""Role "s0": the pulse output of a meter (IEC 62053-31, class A) on a pin.

Wiring: the pin to the node's input, which has the pull-up, and ground to ground. The pin is open
drain: it pulls low for a pulse, and a stimulus board that is off or in reset gives none.

A pulse begins when the energy for it has come together; the rest is kept for the next. So energy
is exact, whatever the power does between two pulses: hardware PWM would begin a period anew at
each change, and cannot go below about a pulse a second.
"""

import time

from player.flow import Flow

_KWH = 3_600_000_000_000  # milliwatts times milliseconds
_GAP_MS = 30
_MILLIWH_PER_KWH = 1_000_000
_IDLE_MS = 1000


class Pulses:
    """One pulse output.

    Attributes:
        lowest, highest: powers that can be played, milliwatts.

    Args:
        pin: open-drain output, released.
        impulses_per_kwh: the meter constant.
        pulse_ms: length of a pulse; the gap behind it is 30 ms at least.
        exporting: pulses stand for exported energy.
    """

    name = "s0"

    def __init__(self, pin, *, impulses_per_kwh: int, pulse_ms: int, exporting: int) -> None:
        self._pin = pin
        self._constant = impulses_per_kwh
        self._pulse_ms = pulse_ms
        self._sign = -1 if exporting else 1
        self._flow = Flow()
        self._waiting = 0  # energy times the constant that no pulse was given for yet
        self._given = 0
        self._low = False
        self._changed_at = time.ticks_ms()
        fastest = _KWH // (impulses_per_kwh * (pulse_ms + _GAP_MS))
        self.lowest = -fastest if exporting else 0
        self.highest = 0 if exporting else fastest

    def tell(self, milliw: int) -> None:
        """Play this power from now on."""
        self.turn(time.ticks_ms())
        self._flow.tell(milliw)

    def milliwh(self) -> int:
        """Energy of the pulses given since the start, import positive, rounded down."""
        return self._sign * (self._given * _MILLIWH_PER_KWH // self._constant)

    def turn(self, now) -> int:
        """Do what is due; returns milliseconds until the next thing is."""
        self._waiting += self._sign * self._flow.advance(now) * self._constant
        since_ms = time.ticks_diff(now, self._changed_at)
        if self._low:
            if since_ms < self._pulse_ms:
                return self._pulse_ms - since_ms
            self._set(1, now)
            self._given += 1
            since_ms = 0
        if self._waiting >= _KWH:
            if since_ms < _GAP_MS:
                return _GAP_MS - since_ms
            self._waiting -= _KWH
            self._set(0, now)
            return self._pulse_ms
        rate = abs(self._flow.milliw) * self._constant
        if not rate:
            return _IDLE_MS
        return min(_IDLE_MS, (_KWH - self._waiting + rate - 1) // rate)

    def stop(self) -> None:
        """Let the pin go."""
        self._pin.value(1)

    def _set(self, level: int, now) -> None:
        self._pin.value(level)
        self._low = not level
        self._changed_at = now
