"""Boards: passive data about hardware, read strictly into frozen values."""

from wattest.boards.files import board_names, load_board
from wattest.boards.model import (
    Board,
    BootPin,
    ConsoleLink,
    FlashGeometry,
    I2cWiring,
    JournalBudget,
    MeasurementConstants,
    Memory,
    MeterRating,
    MicroPythonImage,
    Relay,
    SensorWiring,
    UsbId,
    measurement_constants,
)
from wattest.boards.node_config import node_config

__all__ = [
    "Board",
    "BootPin",
    "ConsoleLink",
    "FlashGeometry",
    "I2cWiring",
    "JournalBudget",
    "MeasurementConstants",
    "Memory",
    "MeterRating",
    "MicroPythonImage",
    "Relay",
    "SensorWiring",
    "UsbId",
    "board_names",
    "load_board",
    "measurement_constants",
    "node_config",
]
