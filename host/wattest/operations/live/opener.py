"""Where the port of a node is now: announced anew, by another name, or held by a recorder."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wattest.link import Port, SerialPort, Whereabouts, serial_ports
from wattest.operations.console.attached import open_or_attach


class PortOpener:
    """Opens the port of a node wherever it is now, itself or through its recorder.

    A port that was pulled out and comes back under another name is the same port.

    Args:
        where: says where the port is, or was put.
        lister: lists the serial ports of this machine.
    """

    def __init__(
        self,
        where: Callable[[], str],
        *,
        lister: Callable[[], Sequence[SerialPort]] = serial_ports,
    ) -> None:
        self._where = where
        self._lister = lister
        self._address = ""
        self._whereabouts: Whereabouts | None = None

    def open(self) -> Port:
        """Open it, keeping what it said already.

        Raises:
            LinkError: it is not there, or another program uses it.
        """
        address = self._where()
        if self._whereabouts is None or address != self._address:
            self._address = address
            self._whereabouts = Whereabouts(address, lister=self._lister)
        return open_or_attach(self._whereabouts.now(), keep_input=True)
