"""The chip's identity, clock and sleep."""

from micropython import const
from _board import call

_SLEEP_DEEP = const(11)
_UNIQUE_ID = const(13)
_FREQ = const(14)


def soft_reset():
    raise SystemExit


def unique_id():
    from uctypes import addressof

    found = bytearray(6)
    call(_UNIQUE_ID, addressof(found))
    return bytes(found)


def freq(hz=None):
    found = call(_FREQ, hz or 0)
    return None if hz else found


def idle():
    from time import sleep_us

    sleep_us(1000)


def lightsleep(ms=None):
    from time import sleep_ms

    while ms is None:
        sleep_ms(1000)
    sleep_ms(ms)


def deepsleep(ms=None):
    if ms is None:
        call(_SLEEP_DEEP, 0, 0xFFFFFFFF)
    call(_SLEEP_DEEP, ms % 1000 * 1000, ms // 1000)
