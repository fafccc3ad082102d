"""Serves the guest's requests to serial ports."""

from __future__ import annotations

from collections.abc import Sequence

from wattest.emulator.board_hardware import Hardware, Request, Serve, Words
from wattest.emulator.guest import GuestVm
from wattest.emulator.uart import UartPort

_BAUD_MAX = 5_000_000


class UartRequests:
    """The ports one guest has opened, by their number on the chip.

    Args:
        hardware: the board.
    """

    def __init__(self, hardware: Hardware) -> None:
        self._hardware = hardware
        self._ports: dict[int, UartPort] = {}

    def table(self) -> dict[int, Serve]:
        """Return what serves each request."""
        return {
            Request.UART_OPEN: self._open,
            Request.UART_WRITE: self._write,
            Request.UART_READ: self._read,
            Request.UART_ANY: self._any,
        }

    def _open(self, _vm: GuestVm, words: Words) -> Sequence[int]:
        number, baud, tx, rx = words[1:5]
        if not 1 <= number <= 2 or not 0 < baud <= _BAUD_MAX:
            raise ValueError(f"no UART {number} at {baud} baud")
        device = None
        for wiring in self._hardware.uarts:
            if (wiring.tx, wiring.rx) == (tx, rx):
                device = wiring.device
        self._ports[number] = UartPort(device, baud)
        return ()

    def _port(self, words: Words) -> UartPort:
        port = self._ports.get(words[1])
        if port is None:
            raise ValueError(f"UART {words[1]} is not open")
        return port

    def _write(self, vm: GuestVm, words: Words) -> Sequence[int]:
        self._port(words).write(vm.read(words[2], words[3]), vm.now_ns())
        return ()

    def _read(self, vm: GuestVm, words: Words) -> Sequence[int]:
        vm.memory.require(words[2], words[3])
        data = self._port(words).read(words[3], vm.now_ns())
        if data:
            vm.memory.write(words[2], data)
        return 0, len(data)

    def _any(self, vm: GuestVm, words: Words) -> Sequence[int]:
        return 0, self._port(words).available(vm.now_ns())
