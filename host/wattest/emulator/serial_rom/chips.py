"""What tells the chips apart in download mode: numbers, registers, fuses.

Source: ESP32 technical reference manual, chapters eFuse Controller and SPI; the same for ESP32-S3
and ESP32-C3; esptool documentation, "Serial Protocol".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wattest.boards.esp_fuses import mac_crc8
from wattest.boards.esp_image import CHIP_IDS

_XTAL_HZ = 40_000_000
_BAUD = 115_200


@dataclass(frozen=True, slots=True, kw_only=True)
class SpiRegisters:
    """Addresses of the SPI controller that the flash hangs on."""

    base: int
    usr: int
    usr1: int
    usr2: int
    data: int
    address_left_aligned: bool

    @property
    def command(self) -> int:
        """Address of the register whose bit 18 starts a transfer."""
        return self.base

    @property
    def address(self) -> int:
        """Address of the register with the flash address."""
        return self.base + 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipModel:
    """One chip as its boot ROM presents it.

    Args:
        name: as in board files.
        has_security_info: answers GET_SECURITY_INFO, so esptool knows it by its number.
        stub_text: bytes by which an uploaded stub is known, ``b""`` to take any upload for it.
        spi: its flash controller.
        watchdog_config: address of RTC WDTCONFIG0, 0 where esptool has no watchdog reset.
        watchdog_protect: address of RTC WDTWPROTECT.
        registers: ``(mac, flash size in bytes)`` to what its registers hold after reset.
    """

    name: str
    has_security_info: bool
    stub_text: bytes
    spi: SpiRegisters
    watchdog_config: int
    watchdog_protect: int
    registers: Callable[[bytes, int], dict[int, int]]

    @property
    def number(self) -> int:
        """Chip number, as in image headers."""
        return CHIP_IDS[self.name]


def chip_names() -> tuple[str, ...]:
    """Return the chips there is a model of."""
    return tuple(sorted(_CHIPS))


def chip_model(name: str) -> ChipModel:
    """Return the model of a chip.

    Raises:
        ValueError: this emulator has none.
    """
    if name not in _CHIPS:
        raise ValueError(f"no model of chip {name!r}, expected one of {sorted(_CHIPS)}")
    return _CHIPS[name]


def _mac_words(mac: bytes) -> tuple[int, int]:
    return int.from_bytes(mac[2:], "big"), int.from_bytes(mac[:2], "big")


def _esp32(mac: bytes, _flash_bytes: int) -> dict[int, int]:
    low, high = _mac_words(mac)
    fuses = 0x3FF5A000
    return {
        0x40001000: 0x00F01D83,  # the ROM's own word that tools know the chip by
        fuses + 0x04: low,
        fuses + 0x08: mac_crc8(mac) << 16 | high,
        fuses + 0x0C: 1 << 9 | 1 << 13 | 1 << 15,  # package D0WD, rated 240 MHz, revision bit 0
        fuses + 0x10: 40,  # frequency of the 8 MHz clock, ADC reference not set
        fuses + 0x14: 1 << 20 | 1 << 24,  # revision bit 1, minor 1
        0x3FF6607C: 1 << 31,  # revision bit 2: with bits 0 and 1, major revision 3
        0x3FF40014: _XTAL_HZ // _BAUD,  # UART clock divider
        0x3FF5F06C: _XTAL_HZ // 15_625 << 7,  # calibration of the 8 MHz clock against the crystal
        0x3FF44038: 0x03,  # strapping at reset: download
    }


def _esp32s3(mac: bytes, flash_bytes: int) -> dict[int, int]:
    embedded = {8 << 20: 1, 4 << 20: 2}.get(flash_bytes, 0)
    return {
        **_block_fuses(0x60007000, mac, minor=2, embedded=embedded),
        0x40001000: 0x9,
        0x60004038: 0x00,  # strapping at reset: download
    }


def _esp32c3(mac: bytes, flash_bytes: int) -> dict[int, int]:
    embedded = {4 << 20: 1, 2 << 20: 2, 1 << 20: 3, 8 << 20: 4}.get(flash_bytes, 0)
    return {
        **_block_fuses(0x60008800, mac, minor=4, embedded=embedded),
        0x40001000: 0x1B31506F,
        0x60004038: 0x05,
    }


def _block_fuses(base: int, mac: bytes, *, minor: int, embedded: int) -> dict[int, int]:
    """Return fuse block 1 of newer chips: MAC, minor revision, embedded flash and maker."""
    low, high = _mac_words(mac)
    return {
        base + 0x44: low,
        base + 0x48: high,
        base + 0x50: minor << 18 | embedded << 27,
        base + 0x54: 2 if embedded else 0,  # GigaDevice, as the flash says of itself
    }


def _newer_spi(base: int) -> SpiRegisters:
    return SpiRegisters(
        base=base,
        usr=base + 0x18,
        usr1=base + 0x1C,
        usr2=base + 0x20,
        data=base + 0x58,
        address_left_aligned=False,
    )


_CHIPS = {
    model.name: model
    for model in (
        ChipModel(
            name="esp32",
            has_security_info=False,
            stub_text=b"OHAI",
            spi=SpiRegisters(
                base=0x3FF42000,
                usr=0x3FF4201C,
                usr1=0x3FF42020,
                usr2=0x3FF42024,
                data=0x3FF42080,
                address_left_aligned=True,
            ),
            watchdog_config=0,
            watchdog_protect=0,
            registers=_esp32,
        ),
        ChipModel(
            name="esp32s3",
            has_security_info=True,
            stub_text=b"OHAI",
            spi=_newer_spi(0x60002000),
            watchdog_config=0x60008098,
            watchdog_protect=0x600080B0,
            registers=_esp32s3,
        ),
        ChipModel(
            name="esp32c3",
            has_security_info=True,
            stub_text=b"",  # a RISC-V stub builds its greeting with immediates
            spi=_newer_spi(0x60002000),
            watchdog_config=0x60008090,
            watchdog_protect=0x600080A8,
            registers=_esp32c3,
        ),
    )
}
