"""I2C controllers; a transfer into a caller's buffer allocates nothing.

The class holds what a sampling loop needs; the rest is loaded when it is first called.
"""

from micropython import const
from uctypes import addressof
from _board import q, dev

_OPEN = const(30)
_WRITE_MEM = const(33)
_READ_MEM = const(34)


class I2C:
    def __init__(self, id=0, scl=None, sda=None, freq=400000, timeout=50000):
        q[0] = _OPEN
        q[1] = id & 0xFF
        q[2] = getattr(scl, "_id", 0xFF if scl is None else scl)
        q[3] = getattr(sda, "_id", 0xFF if sda is None else sda)
        q[4] = freq
        q[5] = timeout
        dev.readinto(q)
        self._bus = q[1]

    def readfrom_mem_into(self, addr, memaddr, buf, addrsize=8):
        q[0] = _READ_MEM
        q[1] = self._bus
        q[2] = addr
        q[3] = addressof(buf)
        q[4] = len(buf)
        q[5] = memaddr
        q[6] = addrsize
        dev.readinto(q)

    def writeto_mem(self, addr, memaddr, buf, addrsize=8):
        q[0] = _WRITE_MEM
        q[1] = self._bus
        q[2] = addr
        q[3] = addressof(buf)
        q[4] = len(buf)
        q[5] = memaddr
        q[6] = addrsize
        dev.readinto(q)

    def __getattr__(self, name):
        import _machine_i2c_more

        function = getattr(_machine_i2c_more, name)
        return lambda *arguments, **named: function(self, *arguments, **named)
