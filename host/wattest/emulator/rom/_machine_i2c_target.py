"""I2C targets, with a memory only, as on ESP32 chips other than the first."""

from micropython import const
from uctypes import addressof
from _board import call, q, dev

_OPEN = const(36)
_CLOSE = const(37)
_STATE = const(38)
_IRQ = const(39)

if not call(_OPEN):
    raise AttributeError("'module' object has no attribute 'I2CTarget'")

_handlers = {}


def _fire(number):
    target = _handlers.get(number)
    if target:
        target._handler(target)


class I2CTarget:
    IRQ_END_READ = 16
    IRQ_END_WRITE = 32

    def __init__(self, id, addr, *, addrsize=7, mem=None, mem_addrsize=8, scl=None, sda=None):
        if mem is None:
            raise ValueError("mem must be given")
        if addrsize != 7 or mem_addrsize != 8:
            raise ValueError("7 and 8 bits only")
        self._id = id
        self._mem = mem
        q[0] = _OPEN
        q[1] = id
        q[2] = getattr(scl, "_id", 0xFF if scl is None else scl)
        q[3] = getattr(sda, "_id", 0xFF if sda is None else sda)
        q[4] = addr
        q[5] = addressof(mem)
        q[6] = len(mem)
        dev.readinto(q)

    def deinit(self):
        _handlers.pop(self._id, None)
        call(_CLOSE, self._id)

    @property
    def memaddr(self):
        return call(_STATE, self._id)

    def irq(self, handler=None, trigger=48, hard=False):
        self._handler = handler
        _handlers[self._id] = self
        call(_IRQ, self._id, id(_fire), trigger if handler else 0)
        return self

    def flags(self):
        call(_STATE, self._id)
        return q[2]
