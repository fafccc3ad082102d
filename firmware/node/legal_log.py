"""Events that wait to be sealed: an error when it changes, refusals at most once a minute."""

from micropython import const

from node.record import BREAK, ERROR, REFUSED

ERROR_BUS = const(1)
ERROR_ID = const(2)
ERROR_SATURATED = const(3)
ERROR_ARITHMETIC = const(4)
ERROR_JOURNAL_FULL = const(5)
ERROR_INTERNAL = const(6)
ERROR_COUNTER = const(7)
# Over when a whole interval has passed without them.
SENSOR_ERRORS = (ERROR_BUS, ERROR_ID, ERROR_SATURATED, ERROR_ARITHMETIC, ERROR_COUNTER)
_BREAK_CORRUPT = const(1)
_PENDING_MAX = const(8)
_PAUSE_S = const(60)
_LONG_AGO = const(-60)


class LegalLog:
    """Queue of events and the state that decides whether there is one.

    Attributes:
        dropped: events for which there was no room; they are gone, their errors are not.

    Args:
        recorder: seals them.
        chain: holds the number of refused commands.
        clock: for the pauses.
    """

    def __init__(self, recorder, chain, clock) -> None:
        self._recorder = recorder
        self._chain = chain
        self._clock = clock
        self._pending: list = []
        self._active = 0
        self._refusal = 0
        self._refusal_told_s = _LONG_AGO
        self._internal_told_s = _LONG_AGO
        self.dropped = 0

    def add(self, event: tuple) -> None:
        """Queue an event."""
        if len(self._pending) < _PENDING_MAX:
            self._pending.append(event)
        else:
            self.dropped += 1

    def error(self, code: int, active: int) -> None:
        """An error condition is there or gone; only a change is an event."""
        bit = 1 << code
        if bool(self._active & bit) != bool(active):
            self._active ^= bit
            self.add((ERROR, code, active))

    def internal_error(self, count: int) -> None:
        """The loop met an exception, `count` so far; told at most once a minute."""
        now_s = self._clock.uptime_s()
        if now_s - self._internal_told_s >= _PAUSE_S:
            self._internal_told_s = now_s
            self.add((ERROR, ERROR_INTERNAL, 1, count))

    def refuse(self, reason: int) -> None:
        """Count a refused command."""
        self._chain.refused += 1
        self._refusal = reason

    def lost_records(self, count: int) -> None:
        """Records in the journal turned out to be unreadable."""
        if count:
            self.add((BREAK, _BREAK_CORRUPT, count))

    def waiting(self) -> bool:
        """Is there an event to seal?"""
        if self._refusal and self._clock.uptime_s() - self._refusal_told_s >= _PAUSE_S:
            self._refusal_told_s = self._clock.uptime_s()
            self.add((REFUSED, self._refusal, self._chain.refused))
            self._refusal = 0
        return len(self._pending) > 0

    def seal_next(self, pause) -> tuple:
        """Seal the oldest event; it stays queued if that fails.

        Returns:
            Its kind, and its record as `Recorder.event` returns it.
        """
        record = self._recorder.event(self._pending[0], pause)
        return self._pending.pop(0)[0], record
