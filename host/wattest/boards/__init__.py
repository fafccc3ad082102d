"""Boards: passive data about hardware, read strictly into frozen values."""

from wattest.boards.files import board_names, load_board
from wattest.boards.model import (
    Board,
    BootPin,
    ConsoleLink,
    FlashGeometry,
    I2cWiring,
    MeasurementConstants,
    Memory,
    MeterRating,
    SensorWiring,
    UsbId,
    measurement_constants,
)

__all__ = [
    "Board",
    "BootPin",
    "ConsoleLink",
    "FlashGeometry",
    "I2cWiring",
    "MeasurementConstants",
    "Memory",
    "MeterRating",
    "SensorWiring",
    "UsbId",
    "board_names",
    "load_board",
    "measurement_constants",
]
