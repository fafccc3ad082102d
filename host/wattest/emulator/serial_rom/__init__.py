"""The boot ROM's serial loader, as esptool sees it; pure: bytes in, bytes out."""

from wattest.emulator.serial_rom.chips import ChipModel, chip_model, chip_names
from wattest.emulator.serial_rom.faults import LoaderFaults
from wattest.emulator.serial_rom.loader import SYNC_FRAME, Leave, SerialRom
from wattest.emulator.serial_rom.reset_lines import Edge, ResetLines

__all__ = [
    "SYNC_FRAME",
    "ChipModel",
    "Edge",
    "Leave",
    "LoaderFaults",
    "ResetLines",
    "SerialRom",
    "chip_model",
    "chip_names",
]
