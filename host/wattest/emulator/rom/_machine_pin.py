"""GPIO pins with soft interrupts."""

from micropython import const
from _board import call

_MODE = const(40)
_SET = const(41)
_GET = const(42)
_IRQ = const(43)

_handlers = {}


def _fire(number):
    handler = _handlers.get(number)
    if handler:
        handler[0](handler[1])


class Pin:
    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_DOWN = 1
    PULL_UP = 2
    IRQ_RISING = 1
    IRQ_FALLING = 2
    WAKE_LOW = 4
    WAKE_HIGH = 5
    DRIVE_0 = 0
    DRIVE_1 = 1
    DRIVE_2 = 2
    DRIVE_3 = 3

    def __init__(self, id, mode=-1, pull=-1, *, value=None, drive=None, hold=None):
        self._id = id
        self.init(mode, pull, value=value)

    def init(self, mode=-1, pull=-1, *, value=None, drive=None, hold=None):
        if value is not None:
            call(_SET, self._id, 1 if value else 0)
        call(_MODE, self._id, mode & 0xFF, (pull or 0) & 0xFF)

    def value(self, x=None):
        if x is None:
            return call(_GET, self._id)
        call(_SET, self._id, 1 if x else 0)

    __call__ = value

    def on(self):
        call(_SET, self._id, 1)

    def off(self):
        call(_SET, self._id, 0)

    def toggle(self):
        call(_SET, self._id, 1 - call(_GET, self._id))

    def irq(self, handler=None, trigger=3, *, wake=None, hard=False):
        if handler:
            _handlers[self._id] = (handler, self)
        else:
            _handlers.pop(self._id, None)
        call(_IRQ, self._id, id(_fire), trigger if handler else 0)

    def __repr__(self):
        return "Pin(%d)" % self._id
