"""The task watchdog: once started it cannot be stopped."""

from micropython import const
from _board import call

_START = const(55)
_FEED = const(56)


class WDT:
    def __init__(self, id=0, timeout=5000):
        if id:
            raise ValueError("invalid WDT id")
        if timeout <= 0:
            raise ValueError("WDT timeout too short")
        call(_START, timeout)

    def feed(self):
        call(_FEED)
