"""What a board is doing, and why its chip last started."""

from __future__ import annotations

from enum import Enum, auto

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5


class Power(Enum):
    """What a board is doing."""

    OFF = auto()
    BOOTING = auto()
    RUNNING = auto()
    DEEP_SLEEP = auto()
    DOWNLOAD = auto()
