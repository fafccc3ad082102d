"""The methods of ``machine.I2C`` that a sampling loop does not need."""

from micropython import const
from uctypes import addressof
from _board import q, dev

_WRITE = const(31)
_READ = const(32)
_SCAN = const(35)


def init(self, *arguments, **named):
    self.__init__(*arguments, **named)


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
    return writeto(self, addr, b"".join([bytes(part) for part in vector]))


def readfrom_into(self, addr, buf, stop=True):
    q[0] = _READ
    q[1] = self._bus
    q[2] = addr
    q[3] = addressof(buf)
    q[4] = len(buf)
    dev.readinto(q)


def readfrom(self, addr, nbytes, stop=True):
    buf = bytearray(nbytes)
    readfrom_into(self, addr, buf)
    return bytes(buf)


def readfrom_mem(self, addr, memaddr, nbytes, addrsize=8):
    buf = bytearray(nbytes)
    self.readfrom_mem_into(addr, memaddr, buf, addrsize)
    return bytes(buf)
