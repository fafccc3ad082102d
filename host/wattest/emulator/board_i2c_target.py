"""Serves the guest's I2C target: its memory answers to the controllers on a bus.

As MicroPython's port for ESP32 chips does it (machine_i2c_target.c): only with a memory. What a
controller writes first selects an address in it, what follows is stored from there; what it reads
comes from there on, and after the last byte again from the first. The program is told afterwards,
by soft interrupts.
"""

from __future__ import annotations

from collections.abc import Sequence

from wattest.emulator.board_hardware import Hardware, Request, Serve, Words
from wattest.emulator.guest import GuestVm
from wattest.emulator.i2c import I2cBus

I2C_TARGETS = frozenset({"esp32s3", "esp32c3", "esp32c6"})
"""Chips whose port has it; the classic ESP32's has not."""

END_READ, END_WRITE = 16, 32


class GuestTarget:
    """A memory of a guest on a bus.

    Args:
        vm: whose memory.
        hardware: whose interrupt tells the program.
        address, size: of the memory in the guest.
        number: of the controller.
        bus, bus_address: where it answers.

    Attributes:
        memory_address: selected last by a controller.
        flags: what happened since the program looked.
        callback, trigger: what is to be called, and for which flags.
    """

    def __init__(
        self,
        vm: GuestVm,
        hardware: Hardware,
        *,
        address: int,
        size: int,
        number: int,
        bus: I2cBus,
        bus_address: int,
    ) -> None:
        self._vm = vm
        self._hardware = hardware
        self._address = address
        self._size = size
        self._number = number
        self._bus = bus
        self._bus_address = bus_address
        self.memory_address = self.flags = self.callback = self.trigger = 0
        bus.fit(bus_address, self)

    def close(self) -> None:
        """Answer no more."""
        self._bus.unfit(self._bus_address)

    def power_on(self, t_ns: int) -> None:
        """The bus has its supply: nothing to this chip, which has its own."""

    def write(self, data: bytes, t_ns: int) -> None:
        """Select an address, and store what follows."""
        del t_ns
        if not data:
            return
        self.memory_address = data[0] % self._size
        for index, byte in enumerate(data[1:]):
            at = (self.memory_address + index) % self._size
            self._vm.write(self._address + at, bytes([byte]))
        if len(data) > 1:
            self._tell(END_WRITE)

    def read(self, size: int, t_ns: int) -> bytes:
        """Give the memory from the selected address on."""
        del t_ns
        memory = self._vm.read(self._address, self._size)
        start = self.memory_address
        turned = memory[start:] + memory[:start]
        self._tell(END_READ)
        return bytes(turned[index % self._size] for index in range(size))

    def _tell(self, flag: int) -> None:
        self.flags |= flag
        if self.callback and self.trigger & flag:
            self._hardware.interrupt(self.callback, self._number)


class I2cTargetRequests:
    """The targets one guest has opened.

    Args:
        hardware: the board.
    """

    def __init__(self, hardware: Hardware) -> None:
        self._hardware = hardware
        self._targets: dict[int, GuestTarget] = {}

    def table(self) -> dict[int, Serve]:
        """Return what serves each request."""
        return {
            Request.I2C_TARGET_OPEN: self._open,
            Request.I2C_TARGET_CLOSE: self._close,
            Request.I2C_TARGET_STATE: self._state,
            Request.I2C_TARGET_IRQ: self._irq,
        }

    def _open(self, vm: GuestVm, words: Words) -> Sequence[int]:
        """Open one; with a bus address of 0 only say whether the chip has any."""
        number, scl, sda, bus_address, address, size = words[1:7]
        hardware = self._hardware
        if not bus_address:
            return 0, int(hardware.has_i2c_target)
        vm.memory.require(address, size)
        bus = I2cBus({})
        for wiring in hardware.wirings:
            if (wiring.scl, wiring.sda) == (scl, sda):
                bus = wiring.bus
        self._close(vm, words)
        self._targets[number] = hardware.targets[number] = GuestTarget(
            vm,
            hardware,
            address=address,
            size=size,
            number=number,
            bus=bus,
            bus_address=bus_address,
        )
        return ()

    def _close(self, _vm: GuestVm, words: Words) -> Sequence[int]:
        if self._targets.pop(words[1], None) is not None:
            self._hardware.targets.pop(words[1]).close()
        return ()

    def _state(self, _vm: GuestVm, words: Words) -> Sequence[int]:
        """Say which address was selected, and take the flags."""
        target = self._targets[words[1]]
        flags, target.flags = target.flags, 0
        return 0, target.memory_address, flags

    def _irq(self, _vm: GuestVm, words: Words) -> Sequence[int]:
        target = self._targets[words[1]]
        target.callback, target.trigger = words[2], words[3]
        return ()
