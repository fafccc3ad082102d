"""The real-time clock and 2048 bytes of memory that survive everything but loss of power."""

from micropython import const
from uctypes import addressof
from _board import q, dev, call

_SET_CLOCK = const(50)
_MEMORY_SIZE = const(51)
_MEMORY_READ = const(52)
_MEMORY_WRITE = const(53)
_CLOCK = const(3)


class RTC:
    def __init__(self, id=0):
        pass

    def datetime(self, fields=None):
        import time

        if fields is None:
            seconds = call(_CLOCK)
            us = q[2] // 1000
            y, mo, d, h, mi, s, wd, _ = time.gmtime(seconds)
            return (y, mo, d, wd, h, mi, s, us)
        y, mo, d, _, h, mi, s, us = fields
        call(_SET_CLOCK, time.mktime((y, mo, d, h, mi, s, 0, 0)), us)

    def init(self, fields):
        self.datetime(fields)

    def memory(self, data=None):
        if data is not None:
            q[0] = _MEMORY_WRITE
            q[1] = addressof(data)
            q[2] = len(data)
            dev.readinto(q)
            if not q[0]:
                raise ValueError("buffer too long")
            return None
        found = bytearray(call(_MEMORY_SIZE))
        call(_MEMORY_READ, addressof(found))
        return bytes(found)
