"""Serial ports of this machine, and the USB identity by which one is found under a new name.

A USB port has a name that changes (/dev/ttyACM0), the serial number of what is plugged in, and the
location of the socket it is plugged into (``1-4.2``: bus, then the ports of the hubs on the way).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from serial.tools import list_ports

from wattest.errors import LinkError

USB_PREFIX: Final = "usb:"
_MAC = re.compile(r"[0-9a-f]{12}")
_TELLING_CHARS_MIN: Final = 6
_SCAN_HINT: Final = "see `wattest boards scan`"


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialPort:
    """A serial port as the system describes it; None is not known.

    Args:
        address: what `wattest.link.open_port` takes.
        description: what the system or the plug says it is.
        vid: USB vendor.
        pid: USB product.
        serial: serial number of the plug, as it says it.
        location: physical USB socket.
    """

    address: str
    description: str
    vid: int | None = None
    pid: int | None = None
    serial: str | None = None
    location: str | None = None

    @property
    def usb(self) -> str | None:
        """Vendor and product as ``10c4:ea60``, or None."""
        return None if self.vid is None or self.pid is None else f"{self.vid:04x}:{self.pid:04x}"

    @property
    def identity(self) -> str:
        """The serial number without the punctuation that firmwares differ in.

        ``""`` where there is none, or one like 0001, which makers leave on every bridge they sell.
        """
        plain = _plain(self.serial or "")
        return plain if len(plain) >= _TELLING_CHARS_MIN else ""

    @property
    def chip_id(self) -> str | None:
        """The chip, where a chip with a USB port of its own says its MAC as serial number."""
        return self.identity if _MAC.fullmatch(self.identity) else None


Lister = Callable[[], Sequence[SerialPort]]


def serial_ports() -> tuple[SerialPort, ...]:
    """Return the serial ports of this machine by address."""
    ports = (
        SerialPort(
            address=info.device,
            description=info.description if info.description != "n/a" else "",
            vid=info.vid,
            pid=info.pid,
            serial=info.serial_number or None,
            location=info.location or None,
        )
        for info in list_ports.comports()
    )
    return tuple(sorted(ports, key=lambda port: _natural(port.address)))


def find_usb(address: str, *, lister: Lister = serial_ports) -> str:
    """Return where the port ``usb:SERIAL`` or ``usb:LOCATION`` is now.

    Any other address is returned as it is.

    Raises:
        LinkError: nothing, or more than one thing, answers to that.
    """
    if not address.startswith(USB_PREFIX):
        return address
    wanted = address.removeprefix(USB_PREFIX)
    ports = [port for port in lister() if port.vid is not None]
    found = [port for port in ports if port.location == wanted]
    found = found or [port for port in ports if _plain(wanted) and port.identity == _plain(wanted)]
    if len(found) == 1:
        return found[0].address
    if found:
        places = ", ".join(f"usb:{port.location}" for port in found)
        raise LinkError(
            f"{address}: {len(found)} ports have this serial number",
            hint=f"give the place instead: {places}",
        )
    raise LinkError(f"{address}: nothing with this USB serial number or place", hint=_SCAN_HINT)


class Whereabouts:
    """Finds a port again after its USB plug was pulled, or its chip came back by another name.

    The serial number of the plug decides; where plugs have none, or share one, their socket does.
    What is no USB port is looked for where it was.

    Args:
        address: where the port is while this is made; ``usb:`` addresses find themselves.
        lister: lists the ports.
    """

    def __init__(self, address: str, *, lister: Lister = serial_ports) -> None:
        self._address = address
        self._lister = lister
        self._known = None if _finds_itself(address) else self._look_up()

    def now(self) -> str:
        """Return the address of the port now.

        Raises:
            LinkError: it is not plugged in.
        """
        known = self._known
        if known is None:
            if not _finds_itself(self._address):
                self._known = self._look_up()  # it may not have been there at first
            return find_usb(self._address, lister=self._lister)
        there = [port for port in self._lister() if _is_same_plug(port, known)]
        if len(there) > 1:
            there = [port for port in there if port.location == known.location]
        if len(there) != 1:
            who = f"{self._address}: {known.usb}"
            serial = f", serial number {known.serial}" if known.serial else ""
            raise LinkError(f"{who}{serial}: is not plugged in")
        self._known = there[0]
        return there[0].address

    def _look_up(self) -> SerialPort | None:
        real = _real(self._address)
        for port in self._lister():
            if port.vid is not None and _real(port.address) == real:
                return port
        return None


def _is_same_plug(port: SerialPort, known: SerialPort) -> bool:
    if port.vid is None:
        return False
    if known.identity:
        return port.identity == known.identity
    return (port.vid, port.pid, port.location) == (known.vid, known.pid, known.location)


def _finds_itself(address: str) -> bool:
    return address.startswith(USB_PREFIX) or "://" in address


def _real(address: str) -> str:
    """Return the device behind a link such as those of /dev/serial/by-id."""
    try:
        return str(Path(address).resolve())
    except OSError:
        return address


def _plain(serial: str) -> str:
    return re.sub(r"[^0-9a-z]", "", serial.lower())


def _natural(text: str) -> str:
    return re.sub(r"\d+", lambda digits: digits[0].zfill(9), text)
