"""Analogue inputs."""

from micropython import const
from _board import call

_READ = const(48)


class ADC:
    ATTN_0DB = 0
    ATTN_2_5DB = 1
    ATTN_6DB = 2
    ATTN_11DB = 3
    WIDTH_12BIT = 12

    def __init__(self, pin, atten=0):
        self._id = pin if isinstance(pin, int) else pin._id
        self._atten = atten

    def init(self, atten=0):
        self._atten = atten

    def atten(self, atten):
        self._atten = atten

    def read_uv(self):
        return call(_READ, self._id, self._atten)

    def read_u16(self):
        raw = self.read()
        return raw << 4 | raw >> 8

    def read(self):
        call(_READ, self._id, self._atten)
        from _board import q

        return q[2]
