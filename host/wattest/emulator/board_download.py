"""A board's serial port in download mode, and the ways into it and out of it.

The ways are those of a real board: the lines DTR and RTS, where a port has them. Where it has none
(a pseudo terminal, a plain socket) the first frame every flashing tool sends opens the way in, and
the tool's hanging up the way out; both can be switched off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wattest.emulator.flash import NorFlash
from wattest.emulator.serial_rom import SYNC_FRAME, Leave, LoaderFaults, ResetLines, SerialRom

SOFTWARE_DOWNLOAD = {"esp32s3", "esp32c3"}
"""Chips with a register by which a program can ask for download mode (``machine.bootloader``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialOptions:
    """How a board's serial port leads into download mode and out of it.

    Args:
        sniff_sync: a SYNC frame of a flashing tool enters download mode, whatever runs.
        reset_on_hang_up: the last user's closing the port in download mode starts the
            application, unless the tool said it should stay.
    """

    sniff_sync: bool = True
    reset_on_hang_up: bool = True


class DownloadPort:
    """The boot ROM behind a board's serial port.

    Args:
        chip: which ROM.
        flash: the board's flash chip.
        mac: 6 bytes, the base MAC.
        options: of the port.
        send: takes what the ROM sends.
        on_leave: called when the ROM gives up the port.

    Attributes:
        lines: the two lines of the port.
        faults: what is wrong on purpose from the next entry on.
    """

    def __init__(
        self,
        *,
        chip: str,
        flash: NorFlash,
        mac: bytes,
        options: SerialOptions,
        send: Callable[[bytes], None],
        on_leave: Callable[[Leave], None],
    ) -> None:
        self.lines = ResetLines()
        self.faults = LoaderFaults()
        self._chip = chip
        self._flash = flash
        self._mac = mac
        self._options = options
        self._send = send
        self._on_leave = on_leave
        self._rom: SerialRom | None = None
        self._tail = b""

    @property
    def ends_with_hang_up(self) -> bool:
        """Hanging up starts the application, if the board still is in download mode."""
        rom = self._rom
        return rom is not None and self._options.reset_on_hang_up and not rom.kept

    def enter(self) -> None:
        """Start the ROM's loader."""
        self._tail = b""
        self._rom = SerialRom(
            self._chip,
            self._flash,
            mac=self._mac,
            out=self._send,
            on_leave=self._on_leave,
            faults=self.faults,
        )

    def feed(self, data: bytes) -> None:
        """Give the ROM what came over the wire."""
        if self._rom is not None:
            self._rom.feed(data)

    def sniff(self, data: bytes) -> bytes | None:
        """Look for a SYNC in what the application receives; returns it and what follows."""
        if not self._options.sniff_sync:
            return None
        seen = self._tail + data
        at = seen.find(SYNC_FRAME)
        if at < 0:
            self._tail = seen[1 - len(SYNC_FRAME) :]
            return None
        self._tail = b""
        return seen[at:]
