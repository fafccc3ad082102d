"""Finds what ``machine`` has beyond its few resident functions; forgets itself afterwards."""

import sys

_MODULES = {
    "I2C": "_machine_i2c",
    "I2CTarget": "_machine_i2c_target",
    "SoftI2C": "_machine_soft_i2c",
    "Pin": "_machine_pin",
    "Timer": "_machine_timer",
    "ADC": "_machine_adc",
    "RTC": "_machine_rtc",
    "UART": "_machine_uart",
    "WDT": "_machine_wdt",
    "freq": "_machine_chip",
    "unique_id": "_machine_chip",
    "idle": "_machine_chip",
    "lightsleep": "_machine_chip",
    "deepsleep": "_machine_chip",
    "soft_reset": "_machine_chip",
    "bootloader": "_machine_boot",
}


def find(name):
    sys.modules.pop("_machine_find")
    if name in _MODULES:
        found = getattr(__import__(_MODULES[name]), name)
        sys.modules.pop(_MODULES[name])
        return found
    path = sys.path[:]
    sys.path.clear()  # then the interpreter's own module is found
    try:
        return getattr(__import__("machine"), name)
    finally:
        sys.path.extend(path)
