"""Timers; callbacks run between two bytecodes or inside a wait, like every soft interrupt."""

from micropython import const
from _board import call

_START = const(45)
_STOP = const(46)
_LEFT = const(47)

_timers = {}


def _fire(number):
    timer = _timers.get(number)
    if timer:
        timer._callback(timer)


class Timer:
    ONE_SHOT = 0
    PERIODIC = 1

    def __init__(self, id, **settings):
        self._id = id & 0xFF
        if settings:
            self.init(**settings)

    def init(self, mode=PERIODIC, freq=-1, period=-1, callback=None, hard=False):
        self.deinit()
        period_us = int(1000000 / freq) if freq > 0 else period * 1000
        if period_us <= 0:
            raise ValueError("invalid timer period")
        if callback:
            self._callback = callback
            _timers[self._id] = self
            call(_START, self._id, id(_fire), period_us, mode)

    def deinit(self):
        _timers.pop(self._id, None)
        call(_STOP, self._id)

    def value(self):
        return call(_LEFT, self._id)
