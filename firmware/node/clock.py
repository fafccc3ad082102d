"""Time on the node: a monotonic clock without wraps, and UTC as an offset from it.

Both come from `ticks_ms` alone. The real-time clock of the chip is not used: it counts on
through resets with an oscillator that is not metered, and its zero differs between ports.
"""

import time

from micropython import const

UNKNOWN = const(0)
INFORMATIVE = const(1)
SYNCHRONISED = const(2)
RELATIVE = const(3)
# 2020-01-01 and 2100-01-01, ms since 1970: a host that says otherwise is wrong.
UTC_MS_MIN = 1_577_836_800_000
UTC_MS_MAX = 4_102_444_800_000
# A change of this much or more is a step: the interval's time is flagged.
STEP_MS = const(1000)


class Clock:
    """Milliseconds since boot, and UTC once it was set.

    The monotonic time is kept as seconds and milliseconds, both small ints for 34 years, so
    that `advance` allocates nothing.

    Args:
        sync_valid_s: how long a setting counts as synchronised.
    """

    def __init__(self, sync_valid_s: int) -> None:
        self._sync_valid_s = sync_valid_s
        self._ticks = time.ticks_ms()
        self._s = 0
        self._ms = 0
        self._offset_ms = 0
        self._set_at_s = -1

    def advance(self):
        """Bring the monotonic time up to now; returns the ticks it now stands for.

        Must run at least once in 6 days, because ticks wrap.
        """
        now = time.ticks_ms()
        ms = self._ms + time.ticks_diff(now, self._ticks)
        self._ticks = now
        self._s += ms // 1000
        self._ms = ms % 1000
        return now

    def mono_ms(self) -> int:
        """Milliseconds since boot at the last advance."""
        return self._s * 1000 + self._ms

    def utc_ms(self) -> int | None:
        """Milliseconds since 1970 at the last advance; None if never set."""
        if self._set_at_s < 0:
            return None
        return self.mono_ms() + self._offset_ms

    def tsync(self) -> int:
        """How far the time can be trusted: one of the constants above."""
        if self._set_at_s < 0:
            return UNKNOWN
        if self._s - self._set_at_s <= self._sync_valid_s:
            return SYNCHRONISED
        return INFORMATIVE

    def uptime_s(self) -> int:
        """Whole seconds since boot at the last advance."""
        return self._s

    def setting(self) -> tuple:
        """What `restore` takes: the setting as it is."""
        return self._offset_ms, self._set_at_s

    def restore(self, setting: tuple) -> None:
        """Undo a setting that could not be put on record."""
        self._offset_ms, self._set_at_s = setting

    def set_utc(self, utc_ms: int) -> bool:
        """Let the last advance be this instant; True if the time stepped."""
        old = self.utc_ms()
        self._offset_ms = utc_ms - self.mono_ms()
        self._set_at_s = self._s
        return old is not None and abs(utc_ms - old) >= STEP_MS

    def ticks_to_next(self, step_ms: int):
        """Ticks at the next multiple of a step: in UTC once set, in monotonic time before.

        A multiple that is exactly now counts as past.
        """
        here = self.utc_ms()
        if here is None:
            here = self.mono_ms()
        return time.ticks_add(self._ticks, step_ms - here % step_ms)
