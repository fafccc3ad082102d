"""Callables that stay after start-up, for sensors on a line of their own: see `node.wiring`."""

from machine import Pin


def port_maker(settings: dict, baud: int):
    """What sets the serial port up, anew each time."""
    from machine import UART

    number = settings["uart_id"]
    tx = settings["uart_tx"]
    rx = settings["uart_rx"]

    def make_port():
        return UART(number, baudrate=baud, tx=Pin(tx), rx=Pin(rx))

    return make_port


def input_maker(number: int):
    """What sets the pin of a pulse input up, anew each time."""

    def make_input():
        return Pin(number, Pin.IN, Pin.PULL_UP)

    return make_input
