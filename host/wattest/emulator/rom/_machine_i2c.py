"""I2C controllers; a transfer into a caller's buffer allocates nothing."""

from micropython import const
from uctypes import addressof
from _board import q, dev

_OPEN = const(30)
_WRITE = const(31)
_READ = const(32)
_WRITE_MEM = const(33)
_READ_MEM = const(34)
_SCAN = const(35)

_NONE = const(0xFF)


def _pin(pin):
    if pin is None:
        return _NONE
    return pin if isinstance(pin, int) else pin._id


class I2C:
    def __init__(self, id=0, *, scl=None, sda=None, freq=400000, timeout=50000):
        self.init(scl=scl, sda=sda, freq=freq, timeout=timeout, _id=id)

    def init(self, *, scl=None, sda=None, freq=400000, timeout=50000, _id=0):
        q[0] = _OPEN
        q[1] = _id
        q[2] = _pin(scl)
        q[3] = _pin(sda)
        q[4] = freq
        q[5] = timeout
        dev.readinto(q)
        self._bus = q[1]

    def deinit(self):
        pass

    def scan(self):
        found = bytearray(112)
        q[0] = _SCAN
        q[1] = self._bus
        q[2] = addressof(found)
        dev.readinto(q)
        return list(found[: q[1]])

    def writeto(self, addr, buf, stop=True):
        q[0] = _WRITE
        q[1] = self._bus
        q[2] = addr
        q[3] = addressof(buf)
        q[4] = len(buf)
        dev.readinto(q)
        return q[4]

    def writevto(self, addr, vector, stop=True):
        return self.writeto(addr, b"".join([bytes(part) for part in vector]))

    def readfrom_into(self, addr, buf, stop=True):
        q[0] = _READ
        q[1] = self._bus
        q[2] = addr
        q[3] = addressof(buf)
        q[4] = len(buf)
        dev.readinto(q)

    def readfrom(self, addr, nbytes, stop=True):
        buf = bytearray(nbytes)
        self.readfrom_into(addr, buf)
        return bytes(buf)

    def readfrom_mem_into(self, addr, memaddr, buf, *, addrsize=8):
        q[0] = _READ_MEM
        q[1] = self._bus
        q[2] = addr
        q[3] = addressof(buf)
        q[4] = len(buf)
        q[5] = memaddr
        q[6] = addrsize
        dev.readinto(q)

    def readfrom_mem(self, addr, memaddr, nbytes, *, addrsize=8):
        buf = bytearray(nbytes)
        self.readfrom_mem_into(addr, memaddr, buf, addrsize=addrsize)
        return bytes(buf)

    def writeto_mem(self, addr, memaddr, buf, *, addrsize=8):
        q[0] = _WRITE_MEM
        q[1] = self._bus
        q[2] = addr
        q[3] = addressof(buf)
        q[4] = len(buf)
        q[5] = memaddr
        q[6] = addrsize
        dev.readinto(q)


class SoftI2C(I2C):
    def __init__(self, scl, sda, *, freq=400000, timeout=50000):
        self.init(scl=scl, sda=sda, freq=freq, timeout=timeout, _id=_NONE)
