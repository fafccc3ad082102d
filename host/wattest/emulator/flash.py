"""NOR flash: bits go from 1 to 0 by programming, back to 1 only by erasing a whole sector.

One :class:`NorFlash` is the whole flash chip of a board and outlives every reset. Sectors that
were never programmed take no memory. Power can be cut inside any program or erase operation: the
operation is torn (its first part is done, the rest is not) and nothing works until power returns.

This module knows nothing of file systems, virtual time or guests: whoever wants flash operations
to take time subscribes to :attr:`NorFlash.on_busy`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wattest.errors import EmulatorError

SECTOR_SIZE_BYTES = 4096
_BLANK = b"\xff" * SECTOR_SIZE_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashTiming:
    """How long the chip is busy; typical values of a W25Q32JV (datasheet section 9.6).

    Args:
        erase_ns: sector erase, tSE.
        first_byte_ns: program of the first byte of a page, tBP1.
        next_byte_ns: each further byte, tBP2.
    """

    erase_ns: int = 45_000_000
    first_byte_ns: int = 30_000
    next_byte_ns: int = 2_500

    def program_ns(self, length_bytes: int) -> int:
        """Return the busy time of one program operation of ``length_bytes`` >= 1."""
        return self.first_byte_ns + (length_bytes - 1) * self.next_byte_ns


class NorFlash:
    """A NOR flash chip.

    Args:
        size_bytes: a positive multiple of 4096.
        timing: busy times reported to :attr:`on_busy`.

    Attributes:
        operations: program and erase operations attempted while powered, since creation.
        powered: False after a power cut fired, until :meth:`restore_power`.
        wear: erase count of each sector that was ever erased, by sector index.
        on_busy: called with the busy time in ns after each operation, or None.
    """

    def __init__(self, size_bytes: int, *, timing: FlashTiming | None = None) -> None:
        if size_bytes <= 0 or size_bytes % SECTOR_SIZE_BYTES:
            raise ValueError(
                f"flash size must be a multiple of {SECTOR_SIZE_BYTES}, got {size_bytes}"
            )
        self.size_bytes = size_bytes
        self.timing = timing or FlashTiming()
        self.operations = 0
        self.powered = True
        self.wear: dict[int, int] = {}
        self.on_busy: Callable[[int], None] | None = None
        self._sectors: dict[int, bytearray] = {}
        self._cut_at: int | None = None
        self._torn_share = (1, 2)

    # ---- reading -----------------------------------------------------------------------------

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``; blank flash reads 0xFF."""
        self._check(offset, length)
        index, start = divmod(offset, SECTOR_SIZE_BYTES)
        if start + length <= SECTOR_SIZE_BYTES:
            return bytes(self._sectors.get(index, _BLANK)[start : start + length])
        parts = [
            self._sectors.get(index, _BLANK)[start : start + size]
            for index, start, size in _pieces(offset, length)
        ]
        return b"".join(parts)

    def sector(self, index: int) -> bytes | bytearray:
        """Return the cells of one sector, to be read only and at once."""
        return self._sectors.get(index, _BLANK)

    @property
    def used_sectors(self) -> int:
        """Number of sectors that hold anything but blank cells."""
        return len(self._sectors)

    # ---- changing ----------------------------------------------------------------------------

    def program(self, offset: int, data: bytes) -> bool:
        """Clear the bits that are 0 in ``data``; a bit that is 0 already stays 0.

        Returns:
            False when power was gone or went during the operation (its first part is done).

        Raises:
            ValueError: the range is outside the chip.
        """
        self._check(offset, len(data))
        if not self.powered:
            return False
        if self._power_fails_now():
            self._clear_bits(offset, data[: self._torn(len(data))])
            return False
        self._clear_bits(offset, data)
        if self.on_busy is not None and data:
            self.on_busy(self.timing.program_ns(len(data)))
        return True

    def erase(self, offset: int) -> bool:
        """Set all bits of the sector that starts at ``offset``.

        Returns:
            False when power was gone or went during the operation (its first part is done).

        Raises:
            ValueError: ``offset`` is not a sector boundary of the chip.
        """
        self._check(offset, SECTOR_SIZE_BYTES)
        index, rest = divmod(offset, SECTOR_SIZE_BYTES)
        if rest:
            raise ValueError(f"erase must start on a sector boundary, got 0x{offset:x}")
        if not self.powered:
            return False
        self.wear[index] = self.wear.get(index, 0) + 1
        if self._power_fails_now():
            sector = self._sectors.get(index)
            if sector is not None:
                done = self._torn(SECTOR_SIZE_BYTES)
                sector[:done] = _BLANK[:done]
            return False
        self._sectors.pop(index, None)
        if self.on_busy is not None:
            self.on_busy(self.timing.erase_ns)
        return True

    # ---- power -------------------------------------------------------------------------------

    def cut_after(self, operations: int, *, torn_share: tuple[int, int] = (1, 2)) -> None:
        """Arm a power cut inside the ``operations``-th program or erase from now.

        Args:
            operations: 1 is the very next one.
            torn_share: numerator and denominator of the part of that operation that is done.

        Raises:
            ValueError: ``operations`` < 1 or the share is not within 0..1.
        """
        numerator, denominator = torn_share
        if operations < 1:
            raise ValueError(f"power can fail at operation 1 or later, got {operations}")
        if not 0 <= numerator <= denominator or denominator == 0:
            raise ValueError(f"torn share must be within 0..1, got {numerator}/{denominator}")
        self._cut_at = self.operations + operations
        self._torn_share = torn_share

    def cancel_cut(self) -> None:
        """Disarm a power cut that has not fired."""
        self._cut_at = None

    def restore_power(self) -> None:
        """Power is back: operations work again. An armed cut stays armed."""
        self.powered = True

    # ---- whole images ------------------------------------------------------------------------

    def copy(self) -> NorFlash:
        """Return an independent chip with the same content and wear, powered, nothing armed."""
        twin = NorFlash(self.size_bytes, timing=self.timing)
        twin._sectors = {index: bytearray(cells) for index, cells in self._sectors.items()}
        twin.wear = dict(self.wear)
        return twin

    def save(self, path: Path) -> None:
        """Write the whole chip to one image file of ``size_bytes`` bytes.

        Raises:
            EmulatorError: the file cannot be written.
        """
        try:
            with path.open("wb") as image:
                for index in range(self.size_bytes // SECTOR_SIZE_BYTES):
                    image.write(self._sectors.get(index, _BLANK))
        except OSError as exc:
            raise EmulatorError(f"cannot write flash image {path}: {exc.strerror}") from exc

    @classmethod
    def load(cls, path: Path, *, timing: FlashTiming | None = None) -> NorFlash:
        """Read an image file; its length is the chip's size.

        Raises:
            EmulatorError: the file cannot be read or its length is not whole sectors.
        """
        try:
            image = path.read_bytes()
        except OSError as exc:
            raise EmulatorError(f"cannot read flash image {path}: {exc.strerror}") from exc
        if not image or len(image) % SECTOR_SIZE_BYTES:
            raise EmulatorError(
                f"flash image {path}: expected whole sectors of {SECTOR_SIZE_BYTES} bytes, "
                f"got {len(image)} bytes",
                hint="save it with the emulator, or read it from the chip with esptool read_flash",
            )
        chip = cls(len(image), timing=timing)
        for start in range(0, len(image), SECTOR_SIZE_BYTES):
            cells = image[start : start + SECTOR_SIZE_BYTES]
            if cells != _BLANK:
                chip._sectors[start // SECTOR_SIZE_BYTES] = bytearray(cells)
        return chip

    # ---- inside ------------------------------------------------------------------------------

    def _check(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self.size_bytes:
            raise ValueError(
                f"flash range 0x{offset:x}+{length} is outside 0..0x{self.size_bytes:x}"
            )

    def _power_fails_now(self) -> bool:
        self.operations += 1
        if self._cut_at is None or self.operations < self._cut_at:
            return False
        self._cut_at = None
        self.powered = False
        return True

    def _torn(self, length: int) -> int:
        numerator, denominator = self._torn_share
        return length * numerator // denominator

    def _clear_bits(self, offset: int, data: bytes) -> None:
        taken = 0
        for index, start, size in _pieces(offset, len(data)):
            piece = data[taken : taken + size]
            taken += size
            sector = self._sectors.get(index)
            if sector is None:
                if piece.count(0xFF) == size:
                    continue
                sector = self._sectors[index] = bytearray(_BLANK)
            old = int.from_bytes(sector[start : start + size], "little")
            new = old & int.from_bytes(piece, "little")
            sector[start : start + size] = new.to_bytes(size, "little")


def _pieces(offset: int, length: int) -> list[tuple[int, int, int]]:
    """Split a range at sector boundaries into (sector index, start in it, size)."""
    pieces = []
    while length > 0:
        index, start = divmod(offset, SECTOR_SIZE_BYTES)
        size = min(length, SECTOR_SIZE_BYTES - start)
        pieces.append((index, start, size))
        offset += size
        length -= size
    return pieces


class Partition:
    """A range of whole sectors of a chip, addressed from its own start.

    Args:
        flash: the chip.
        offset: start on the chip, a sector boundary.
        size_bytes: whole sectors, at least one, inside the chip.
    """

    def __init__(self, flash: NorFlash, offset: int, size_bytes: int) -> None:
        whole = offset % SECTOR_SIZE_BYTES == 0 and size_bytes % SECTOR_SIZE_BYTES == 0
        if not whole or size_bytes <= 0 or offset < 0 or offset + size_bytes > flash.size_bytes:
            raise ValueError(
                f"partition 0x{offset:x}+0x{size_bytes:x} is not whole sectors "
                f"inside a flash of 0x{flash.size_bytes:x} bytes"
            )
        self.flash = flash
        self.offset = offset
        self.size_bytes = size_bytes
        self.sectors = size_bytes // SECTOR_SIZE_BYTES

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset`` in the partition."""
        return self.flash.read(self.offset + self._inside(offset, length), length)

    def program(self, offset: int, data: bytes) -> bool:
        """Program; False when power is gone, see :meth:`NorFlash.program`."""
        return self.flash.program(self.offset + self._inside(offset, len(data)), data)

    def erase(self, offset: int) -> bool:
        """Erase one sector; False when power is gone, see :meth:`NorFlash.erase`."""
        return self.flash.erase(self.offset + self._inside(offset, SECTOR_SIZE_BYTES))

    def _inside(self, offset: int, length: int) -> int:
        if offset < 0 or length < 0 or offset + length > self.size_bytes:
            raise ValueError(
                f"partition range 0x{offset:x}+{length} is outside 0..0x{self.size_bytes:x}"
            )
        return offset


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashLayout:
    """Where things are; MicroPython's ``partitions-4MiBplus.csv`` since 1.26.

    The file system is not in that table: it runs from the end of the application to the end of
    the chip.

    Args:
        nvs_offset: start of the NVS partition.
        nvs_size_bytes: its size.
        application_offset: start of the interpreter's own image.
        vfs_offset: start of the file system.
    """

    nvs_offset: int = 0x9000
    nvs_size_bytes: int = 0x6000
    application_offset: int = 0x10000
    vfs_offset: int = 0x200000

    def nvs(self, flash: NorFlash) -> Partition:
        """Return the NVS partition of ``flash``."""
        return Partition(flash, self.nvs_offset, self.nvs_size_bytes)

    def application(self, flash: NorFlash) -> Partition:
        """Return the application area of ``flash``."""
        return Partition(flash, self.application_offset, self.vfs_offset - self.application_offset)

    def vfs(self, flash: NorFlash) -> Partition:
        """Return the file system's partition: up to the end of ``flash``."""
        return Partition(flash, self.vfs_offset, flash.size_bytes - self.vfs_offset)
