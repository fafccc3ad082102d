"""``machine`` as on an ESP32. What a program does not name is not loaded and costs it no heap."""

from micropython import const
from _board import call as _call

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5

_RESET = const(10)
_RESET_CAUSE = const(12)


def __getattr__(name):
    from _machine_find import find

    found = globals()[name] = find(name)
    return found


def reset():
    _call(_RESET, HARD_RESET)


def reset_cause():
    return _call(_RESET_CAUSE)
