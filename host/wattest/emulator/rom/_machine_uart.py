"""Serial ports 1 and 2; a transfer into a caller's buffer allocates nothing."""

from micropython import const
from uctypes import addressof
from _board import q, dev, call

_OPEN = const(70)
_WRITE = const(71)
_READ = const(72)
_ANY = const(73)


class UART:
    def __init__(self, id, baudrate=115200, bits=8, parity=None, stop=1, **settings):
        if id not in (1, 2):
            raise ValueError("UART(%d) does not exist" % id)
        if (bits, parity, stop) != (8, None, 1):
            raise ValueError("only 8N1")
        self._id = id
        self._timeout = settings.get("timeout", 0)
        tx = settings.get("tx", 10 if id == 1 else 17)
        rx = settings.get("rx", 9 if id == 1 else 16)
        call(_OPEN, id, baudrate, getattr(tx, "_id", tx), getattr(rx, "_id", rx))

    def any(self):
        return call(_ANY, self._id)

    def write(self, buf):
        q[0] = _WRITE
        q[1] = self._id
        q[2] = addressof(buf)
        q[3] = len(buf)
        dev.readinto(q)
        return q[3]

    def readinto(self, buf, nbytes=-1):
        if nbytes < 0 or nbytes > len(buf):
            nbytes = len(buf)
        if self._timeout:
            self._wait(nbytes)
        q[0] = _READ
        q[1] = self._id
        q[2] = addressof(buf)
        q[3] = nbytes
        dev.readinto(q)
        return q[1] or None

    def read(self, nbytes=-1):
        if nbytes < 0:
            nbytes = self.any()
        buf = bytearray(nbytes)
        got = self.readinto(buf) if nbytes else None
        return bytes(buf[:got]) if got else None

    def deinit(self):
        pass

    def _wait(self, nbytes):
        from time import sleep_ms

        for _ in range(self._timeout):
            if self.any() >= nbytes:
                return
            sleep_ms(1)
