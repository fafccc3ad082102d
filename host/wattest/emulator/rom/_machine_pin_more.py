"""The methods of ``machine.Pin`` beyond reading and writing."""

from micropython import const
from _board import call

_IRQ = const(43)

_handlers = {}


def _fire(number):
    handler = _handlers.get(number)
    if handler:
        handler[0](handler[1])


def irq(pin, handler=None, trigger=3, wake=None, hard=False):
    if handler:
        _handlers[pin._id] = (handler, pin)
    else:
        _handlers.pop(pin._id, None)
    call(_IRQ, pin._id, id(_fire), trigger if handler else 0)


def init(pin, mode=-1, pull=-1, value=None, drive=None, hold=None):
    pin.__init__(pin._id, mode, pull, value)


def on(pin):
    pin.value(1)


def off(pin):
    pin.value(0)


def toggle(pin):
    pin.value(1 - pin.value())
