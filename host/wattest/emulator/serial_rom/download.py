"""One image on its way into flash: what lies between a BEGIN and the last DATA.

The ROM erases everything at BEGIN; the stub erases ahead of what it writes. Either way the range
is rounded to whole sectors, and programming only clears bits.
"""

from __future__ import annotations

import zlib

from wattest.emulator.flash import SECTOR_SIZE_BYTES
from wattest.emulator.serial_rom.flash_access import PAGE_BYTES, FlashAccess


class TooMuchData(Exception):
    """More came than BEGIN announced."""


class Download:
    """Writes a stream of blocks to one range.

    Args:
        flash: the chip.
        offset: where the range starts.
        size_bytes: its length; what a last block pads beyond it is dropped.
        compressed: the blocks are one zlib stream.
        erase_first: the whole range now, as the ROM does.

    Raises:
        OutsideFlash: the range is not on the chip.
        PowerFailed: the supply went while it erased.
    """

    def __init__(
        self,
        flash: FlashAccess,
        *,
        offset: int,
        size_bytes: int,
        compressed: bool,
        erase_first: bool,
    ) -> None:
        self._flash = flash
        self._at = offset
        self._page = bytearray()
        self._end = offset + size_bytes
        self._erased = offset // SECTOR_SIZE_BYTES * SECTOR_SIZE_BYTES
        self._inflate = zlib.decompressobj() if compressed else None
        if erase_first:
            self._erase_to(self._end)
        else:
            flash.read(offset, size_bytes)  # refuses a range beyond the chip

    def write(self, data: bytes) -> None:
        """Take one block.

        Raises:
            zlib.error: the compressed stream is damaged.
            TooMuchData: a compressed stream holds more than was announced.
            PowerFailed: the supply went.
        """
        room = self._end - self._at - len(self._page)
        if self._inflate is not None:
            data = self._inflate.decompress(data, room + 1)
            if len(data) > room:
                raise TooMuchData
        self._page += data[:room]
        reached = self._at + len(self._page)
        ended = self._inflate is not None and self._inflate.eof
        if reached < self._end and not ended:
            reached -= reached % PAGE_BYTES  # the rest of a page waits for its other bytes
        self._program_to(reached)

    def finish(self) -> None:
        """The stream has ended: write what waits, erase what of the range was not reached."""
        self._program_to(self._at + len(self._page))
        self._erase_to(self._end)

    def _program_to(self, end: int) -> None:
        size = end - self._at
        if size > 0:
            self._erase_to(end)
            self._flash.program(self._at, bytes(self._page[:size]))
            del self._page[:size]
            self._at = end

    def _erase_to(self, end: int) -> None:
        if end > self._erased:
            self._flash.erase(self._erased, end - self._erased)
            self._erased = -(-end // SECTOR_SIZE_BYTES) * SECTOR_SIZE_BYTES


class Upload:
    """One READ_FLASH of the stub: blocks go out, acknowledged by the count of bytes received.

    Args:
        flash: the chip.
        offset: first byte.
        size_bytes: how many.
        block_bytes: of each block.
        window: blocks that may be under way.
    """

    def __init__(
        self, flash: FlashAccess, *, offset: int, size_bytes: int, block_bytes: int, window: int
    ) -> None:
        self._flash = flash
        self._offset = offset
        self._size = size_bytes
        self._block = max(1, block_bytes)
        self._window_bytes = max(1, window) * self._block
        self._sent = 0
        self._acknowledged = 0

    @property
    def done(self) -> bool:
        """All of it has been received."""
        return self._acknowledged >= self._size

    def blocks(self) -> list[bytes]:
        """Return the blocks that may go out now."""
        ready = []
        while self._sent < self._size and self._sent - self._acknowledged < self._window_bytes:
            size = min(self._block, self._size - self._sent)
            ready.append(self._flash.read(self._offset + self._sent, size))
            self._sent += size
        return ready

    def acknowledge(self, received_bytes: int) -> None:
        """The other side has that many bytes."""
        self._acknowledged = max(self._acknowledged, received_bytes)

    def digest(self) -> bytes:
        """Return the MD5 of the whole range."""
        return self._flash.md5(self._offset, self._size)
