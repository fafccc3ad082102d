"""The power that is played, and the energy it has made: exactly, milliwatts times milliseconds."""

import time

# A power that the bench does not tell again ends after so long: the bench may be gone.
LAPSE_MS = 60_000


class Flow:
    """A power since a moment.

    Attributes:
        milliw: played now, import positive.
        parts: energy since the start, milliwatts times milliseconds, import positive.
    """

    def __init__(self) -> None:
        self.milliw = 0
        self.parts = 0
        self._at = time.ticks_ms()
        self._told_at = self._at

    def tell(self, milliw: int) -> None:
        """From now on this is played."""
        now = time.ticks_ms()
        self.advance(now)
        self.milliw = milliw
        self._told_at = now

    def advance(self, now) -> int:
        """Let time pass; returns the energy that it made."""
        left_ms = LAPSE_MS - time.ticks_diff(self._at, self._told_at)
        passed_ms = time.ticks_diff(now, self._at)
        made = self.milliw * min(passed_ms, left_ms)
        if passed_ms >= left_ms:
            self.milliw = 0
            self._told_at = now
        self._at = now
        self.parts += made
        return made
