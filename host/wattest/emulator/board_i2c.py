"""Serves the guest's I2C requests: controllers, transfers, and the time they take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wattest.emulator.board_hardware import Hardware, Request, Serve, Words
from wattest.emulator.guest import GuestVm
from wattest.emulator.i2c import TIMEOUT_NS, BusStuck, I2cBus, Nack, transfer_ns

_DEFAULT_PIN = 0xFF
_FREQUENCY_HZ_MIN = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Controller:
    bus: I2cBus
    frequency_hz: int
    timeout_ns: int


class I2cRequests:
    """The controllers one guest has opened.

    Args:
        hardware: the board.
    """

    def __init__(self, hardware: Hardware) -> None:
        self._hardware = hardware
        self._controllers: list[_Controller] = []
        self._nobody = I2cBus({})  # where pins lead that are soldered to nothing

    def table(self) -> dict[int, Serve]:
        """Return what serves each request."""
        return {
            Request.I2C_OPEN: self._open,
            Request.I2C_WRITE: self._write,
            Request.I2C_READ: self._read,
            Request.I2C_WRITE_MEM: self._write_mem,
            Request.I2C_READ_MEM: self._read_mem,
            Request.I2C_SCAN: self._scan,
        }

    def _open(self, _vm: GuestVm, words: Words) -> Sequence[int]:
        number, scl, sda, frequency_hz, timeout_us = words[1:6]
        if _DEFAULT_PIN in (scl, sda):
            scl, sda = self._hardware.default_i2c_pins.get(number, (scl, sda))
        bus = self._nobody
        for wiring in self._hardware.wirings:
            if (wiring.scl, wiring.sda) == (scl, sda):
                bus = wiring.bus
        controller = _Controller(
            bus=bus,
            frequency_hz=max(_FREQUENCY_HZ_MIN, frequency_hz),
            timeout_ns=timeout_us * 1_000 or TIMEOUT_NS,
        )
        if controller not in self._controllers:
            self._controllers.append(controller)
        return 0, self._controllers.index(controller)

    def _begin(self, vm: GuestVm, words: Words, size: int) -> I2cBus:
        """Let the time of a transfer pass; returns its bus."""
        controller = self._controllers[words[1]]
        vm.advance(transfer_ns(size, controller.frequency_hz))
        return controller.bus

    def _time_out(self, vm: GuestVm, words: Words) -> None:
        vm.advance(self._controllers[words[1]].timeout_ns)

    def _write(self, vm: GuestVm, words: Words) -> Sequence[int]:
        self._send(vm, words, vm.read(words[3], words[4]))
        return ()

    def _write_mem(self, vm: GuestVm, words: Words) -> Sequence[int]:
        self._send(vm, words, _register(words) + vm.read(words[3], words[4]))
        return ()

    def _send(self, vm: GuestVm, words: Words, data: bytes) -> None:
        bus = self._begin(vm, words, len(data))
        try:
            bus.write(words[2], data, vm.now_ns())
        except BusStuck:
            self._time_out(vm, words)
            raise
        except Nack:
            if words[2] == 0:  # nobody's address: eight zeros on SDA, which wake some chips
                low_ns = 8_000_000_000 // self._controllers[words[1]].frequency_hz
                bus.hold_sda_low(low_ns, vm.now_ns())
            raise

    def _read(self, vm: GuestVm, words: Words) -> Sequence[int]:
        vm.memory.require(words[3], words[4])
        bus = self._begin(vm, words, words[4])
        try:
            data = bus.read(words[2], words[4], vm.now_ns())
        except BusStuck:
            self._time_out(vm, words)
            raise
        vm.memory.write(words[3], data)
        return ()

    def _read_mem(self, vm: GuestVm, words: Words) -> Sequence[int]:
        register = _register(words)
        vm.memory.require(words[3], words[4])
        bus = self._begin(vm, words, len(register) + 1 + words[4])
        try:
            data = bus.write_read(words[2], register, words[4], vm.now_ns())
        except BusStuck:
            self._time_out(vm, words)
            raise
        vm.memory.write(words[3], data)
        return ()

    def _scan(self, vm: GuestVm, words: Words) -> Sequence[int]:
        found = bytearray()
        for address in range(0x08, 0x78):
            bus = self._begin(vm, words, 0)
            try:
                bus.write(address, b"", vm.now_ns())
            except Nack:
                continue
            except BusStuck:
                self._time_out(vm, words)
                continue
            found.append(address)
        vm.write(words[2], found)
        return 0, len(found)


def _register(words: Words) -> bytes:
    """Return the register address of a memory transfer; ``addrsize`` is in bits."""
    return words[5].to_bytes(max(1, words[6] // 8), "big")
