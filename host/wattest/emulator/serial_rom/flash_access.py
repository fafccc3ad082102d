"""The loader's hands on the flash chip: pages, sectors, and the supply that may fail."""

from __future__ import annotations

import hashlib

from wattest.emulator.flash import SECTOR_SIZE_BYTES, NorFlash

PAGE_BYTES = 256


class PowerFailed(Exception):
    """The supply went during a flash operation: nothing on the chip goes on."""


class OutsideFlash(Exception):
    """A command names a range that is not on the chip."""


class FlashAccess:
    """Reads, erases and programs a chip as a loader does: by page and by sector.

    Every method raises ``OutsideFlash`` for a range beyond the chip, before it changes anything,
    and those that change raise ``PowerFailed`` when the supply goes.

    Args:
        flash: the board's own chip.
    """

    def __init__(self, flash: NorFlash) -> None:
        self._flash = flash
        self.size_bytes = flash.size_bytes

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes."""
        self._check(offset, length)
        return self._flash.read(offset, length)

    def md5(self, offset: int, length: int) -> bytes:
        """Return the MD5 of a range."""
        return hashlib.md5(self.read(offset, length), usedforsecurity=False).digest()

    def erase(self, offset: int, length: int) -> None:
        """Erase all sectors that the range touches."""
        self._check(offset, length)
        first = offset // SECTOR_SIZE_BYTES * SECTOR_SIZE_BYTES
        for start in range(first, offset + length, SECTOR_SIZE_BYTES):
            if not self._flash.erase(start):
                raise PowerFailed

    def program(self, offset: int, data: bytes) -> None:
        """Program, one operation for each page that the range touches."""
        self._check(offset, len(data))
        at = 0
        while at < len(data):
            size = min(PAGE_BYTES - (offset + at) % PAGE_BYTES, len(data) - at)
            if not self._flash.program(offset + at, data[at : at + size]):
                raise PowerFailed
            at += size

    def _check(self, offset: int, length: int) -> None:
        if offset + length > self.size_bytes:
            raise OutsideFlash
