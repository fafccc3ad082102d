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
    SecureElement,
    UartWiring,
    UsbId,
    measurement_constants,
)
from wattest.boards.node_config import node_config
from wattest.boards.sensors import (
    Ade7953Wiring,
    EnergyWiring,
    Ina228Wiring,
    PlayedWiring,
    Pzem004tWiring,
    S0Wiring,
    SensorWiring,
)

__all__ = [
    "Ade7953Wiring",
    "Board",
    "BootPin",
    "ConsoleLink",
    "EnergyWiring",
    "FlashGeometry",
    "I2cWiring",
    "Ina228Wiring",
    "JournalBudget",
    "MeasurementConstants",
    "Memory",
    "MeterRating",
    "MicroPythonImage",
    "PlayedWiring",
    "Pzem004tWiring",
    "Relay",
    "S0Wiring",
    "SecureElement",
    "SensorWiring",
    "UartWiring",
    "UsbId",
    "board_names",
    "load_board",
    "measurement_constants",
    "node_config",
]
