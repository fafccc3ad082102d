"""``time`` as on an ESP32: whole seconds since 2000, and sleeps that are one wait each."""

import sys as _sys

_path = _sys.path[:]
_sys.path.clear()
from time import (  # the interpreter's own module: it is found while the path is empty
    ticks_add,
    ticks_cpu,
    ticks_diff,
    ticks_ms,
    ticks_us,
    gmtime as _gmtime,
    mktime as _mktime,
)

_sys.path.extend(_path)
del _path

from micropython import const
from _board import q as _q, call as _call, wait as _wait

_SLEEP = const(1)
_CLOCK = const(3)
_EPOCH_2000 = const(946684800)


def sleep_us(us):
    if us > 0:
        _wait(_SLEEP, us % 1000000, us // 1000000)


def sleep_ms(ms):
    if ms > 0:
        _wait(_SLEEP, ms % 1000 * 1000, ms // 1000)


def sleep(seconds):
    sleep_us(int(seconds * 1000000))


def time():
    return _call(_CLOCK)


def time_ns():
    _call(_CLOCK)
    return _q[1] * 1000000000 + _q[2]


def gmtime(seconds=None):
    return _gmtime((time() if seconds is None else int(seconds)) + _EPOCH_2000)[:8]


localtime = gmtime


def mktime(fields):
    return int(_mktime(fields)) - _EPOCH_2000
