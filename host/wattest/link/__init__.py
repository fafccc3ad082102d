"""Ports: bytes to and from a node over a serial line, a pseudo terminal or the network."""

from wattest.link.holder import Holder, Holders, holders, holders_of
from wattest.link.port import Port, open_port
from wattest.link.scan import SerialPort, Whereabouts, find_usb, serial_ports

__all__ = [
    "Holder",
    "Holders",
    "Port",
    "SerialPort",
    "Whereabouts",
    "find_usb",
    "holders",
    "holders_of",
    "open_port",
    "serial_ports",
]
