"""Callables that stay after start-up.

A function keeps its whole module in memory, so they have a small one of their own.
"""

from machine import I2C, Pin


def bus_maker(settings: dict, prefix: str):
    """What sets the bus up, anew each time, that the keys with this prefix describe."""
    number = settings[prefix + "_id"]
    scl = settings[prefix + "_scl"]
    sda = settings[prefix + "_sda"]
    freq_hz = settings[prefix + "_freq_hz"]

    def make_bus():
        return I2C(number, scl=Pin(scl), sda=Pin(sda), freq=freq_hz)

    return make_bus


def relay_switch(pin: Pin, closed_level: int):
    """What opens (0) or closes (1) the relay."""

    def switch(closed: int) -> None:
        pin.value(closed_level if closed else 1 - closed_level)

    return switch
