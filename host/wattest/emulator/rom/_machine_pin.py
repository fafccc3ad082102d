"""GPIO pins with soft interrupts."""

from micropython import const
from _board import call

_MODE = const(40)
_SET = const(41)
_GET = const(42)


class Pin:
    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_DOWN = 1
    PULL_UP = 2
    IRQ_RISING = 1
    IRQ_FALLING = 2

    def __init__(self, id, mode=-1, pull=-1, value=None, drive=None, hold=None):
        self._id = id
        if value is not None:
            call(_SET, id, 1 if value else 0)
        call(_MODE, id, mode & 0xFF, (pull or 0) & 0xFF)

    def value(self, x=None):
        if x is None:
            return call(_GET, self._id)
        call(_SET, self._id, 1 if x else 0)

    __call__ = value

    def __getattr__(self, name):
        import _machine_pin_more

        function = getattr(_machine_pin_more, name)
        return lambda *arguments, **named: function(self, *arguments, **named)

    def __repr__(self):
        return "Pin(%d)" % self._id
