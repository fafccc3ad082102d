"""What can be wrong with a board in download mode, on purpose."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LoaderFaults:
    """Faults of the wire and of the parts fitted; the default is none.

    A cut of the supply is a fault of the flash: ``NorFlash.cut_after``.

    Args:
        wrong_checksum_every: each n-th data packet arrives corrupted; 0 for never.
        lose_byte_every: each n-th byte towards the chip is lost; 0 for never.
        flash_id: answer to the flash chip's RDID, 24 bits, manufacturer lowest; None for what
            the flash is.
        chip: chip to answer as; None for what the board has.
    """

    wrong_checksum_every: int = 0
    lose_byte_every: int = 0
    flash_id: int | None = None
    chip: str | None = None


class LossyWire:
    """Drops every n-th byte.

    Args:
        every: 0 for none.
    """

    def __init__(self, every: int) -> None:
        self._every = every
        self._passed = 0

    def carry(self, data: bytes) -> bytes:
        """Return what arrives of ``data``."""
        if not self._every:
            return data
        first = self._every - 1 - self._passed % self._every
        self._passed += len(data)
        kept = bytearray(data)
        del kept[first :: self._every]
        return bytes(kept)
