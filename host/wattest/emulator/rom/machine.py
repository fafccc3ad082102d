"""``machine`` as on an ESP32. A class is loaded when it is first named: what a program does not use
costs it no heap."""

from micropython import const
from _board import call as _call

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5

_RESET = const(10)
_SLEEP_DEEP = const(11)
_RESET_CAUSE = const(12)
_UNIQUE_ID = const(13)
_FREQ = const(14)

_CLASSES = {
    "I2C": "_i2c",
    "SoftI2C": "_i2c",
    "Pin": "_pin",
    "Timer": "_timer",
    "ADC": "_adc",
    "RTC": "_rtc",
    "WDT": "_wdt",
}


def __getattr__(name):
    if name in _CLASSES:
        found = getattr(__import__("_machine" + _CLASSES[name]), name)
    else:
        import sys

        path = sys.path[:]
        sys.path.clear()  # then the interpreter's own module is found
        try:
            found = getattr(__import__("machine"), name)
        finally:
            sys.path.extend(path)
    globals()[name] = found
    return found


def reset():
    _call(_RESET, HARD_RESET)


def soft_reset():
    raise SystemExit


def reset_cause():
    return _call(_RESET_CAUSE)


def unique_id():
    from uctypes import addressof

    found = bytearray(6)
    _call(_UNIQUE_ID, addressof(found))
    return bytes(found)


def freq(hz=None):
    return _call(_FREQ, hz or 0) or None


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
        _call(_SLEEP_DEEP, 0, 0xFFFFFFFF)
    _call(_SLEEP_DEEP, ms % 1000 * 1000, ms // 1000)
