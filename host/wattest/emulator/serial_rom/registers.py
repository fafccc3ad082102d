"""The chip's registers as the loader's READ_REG and WRITE_REG see them, and what they set off.

Only two have effects: the SPI controller's command register talks to the flash chip's own command
decoder (identity, SFDP, status), and the RTC watchdog, armed, resets the chip.
"""

from __future__ import annotations

import struct

from wattest.emulator.serial_rom.chips import ChipModel

_WORD = 0xFFFFFFFF
_SPI_START = 1 << 18
_USR_ADDRESS = 1 << 30
_WATCHDOG_ON = 1 << 31
_READ_ID, _READ_SFDP = 0x9F, 0x5A
_READ_STATUS = {0x05: 0, 0x35: 1, 0x15: 2}
_WRITE_STATUS = {0x01: 0, 0x31: 1, 0x11: 2}
_GIGADEVICE, _GD25Q = 0xC8, 0x40
_STATUS_QUAD_ENABLE = 0x02
_SFDP_PARAMETERS_AT = 0x30


def flash_identity(size_bytes: int) -> int:
    """Return what a GigaDevice GD25Q of that size answers to RDID: manufacturer in bits 0..7."""
    return _GIGADEVICE | _GD25Q << 8 | (size_bytes.bit_length() - 1) << 16


def sfdp(flash_id: int) -> bytes:
    """Return the flash chip's own description: header and basic parameters (JESD216)."""
    header = b"SFDP" + bytes((6, 1, 1, 0xFF))
    basic = struct.pack("<BBBB", 0, 6, 1, 9) + _SFDP_PARAMETERS_AT.to_bytes(3, "little") + b"\xff"
    maker = struct.pack("<BBBB", flash_id & 0xFF, 0, 1, 0) + b"\xff\xff\xff\xff"
    bits = 8 << (flash_id >> 16 & 0xFF)
    table = struct.pack("<II", 0xFFF120E5, bits - 1).ljust(36, b"\xff")
    return (header + basic + maker).ljust(_SFDP_PARAMETERS_AT, b"\xff") + table


class Registers:
    """All registers of one chip after reset; what is not modelled reads as written, or 0.

    Args:
        model: the chip.
        mac: 6 bytes, its base MAC.
        size_bytes: of its flash.
        flash_id: what its flash answers to RDID.

    Attributes:
        watchdog_armed: the RTC watchdog was switched on and locked: it will reset the chip.
    """

    def __init__(self, model: ChipModel, *, mac: bytes, size_bytes: int, flash_id: int) -> None:
        self._model = model
        self._values = model.registers(mac, size_bytes)
        self._flash_id = flash_id
        self._sfdp = sfdp(flash_id)
        self._status = [0, _STATUS_QUAD_ENABLE, 0]
        self.watchdog_armed = False

    def read(self, address: int) -> int:
        """Return one 32-bit register."""
        return self._values.get(address, 0)

    def write(self, address: int, value: int, mask: int = _WORD) -> None:
        """Change the bits of ``mask`` in one register."""
        new = (self.read(address) & ~mask | value & mask) & _WORD
        self._values[address] = new
        if address == self._model.spi.command and new & _SPI_START:
            self._transfer()
        elif address == self._model.watchdog_protect and not new:
            # A real one takes milliseconds more: enough for the tool to lock it behind itself.
            self.watchdog_armed = bool(self.read(self._model.watchdog_config) & _WATCHDOG_ON)

    def _transfer(self) -> None:
        """One transfer on the flash's bus, done at once."""
        spi = self._model.spi
        opcode = self.read(spi.usr2) & 0xFF
        answer = 0
        if opcode == _READ_ID:
            answer = self._flash_id
        elif opcode == _READ_SFDP:
            at = self._flash_address()
            answer = int.from_bytes(self._sfdp[at : at + 4].ljust(4, b"\xff"), "little")
        elif opcode in _READ_STATUS:
            answer = self._status[_READ_STATUS[opcode]]
        elif opcode in _WRITE_STATUS:
            self._status[_WRITE_STATUS[opcode]] = self.read(spi.data) & 0xFF
        self._values[spi.data] = answer
        self._values[spi.command] = self.read(spi.command) & ~_SPI_START

    def _flash_address(self) -> int:
        spi = self._model.spi
        address = self.read(spi.address)
        if spi.address_left_aligned and self.read(spi.usr) & _USR_ADDRESS:
            address >>= 31 - (self.read(spi.usr1) >> 26)
        return address & 0xFFFFFF
