"""DTR and RTS on a development board: two transistors that pull EN and GPIO0.

DTR alone pulls GPIO0 low, RTS alone pulls EN low, both together do nothing. Modelled by the order
of edges, not by the charging of EN's capacitor: from "reset held", DTR alone starts the chip in
download mode, both lines off starts the application, both on waits for the next edge. So the
result does not depend on how fast a tool is. A port opens with both lines on.

Source: schematic of ESP32-DevKitC, truth table of Q1 and Q2.
"""

from __future__ import annotations

from enum import Enum, auto


class Edge(Enum):
    """What a change of the lines does to the chip."""

    HOLD = auto()  # EN is low from now on
    DOWNLOAD = auto()  # EN rose while GPIO0 was low
    RUN = auto()  # EN rose while GPIO0 was high


class ResetLines:
    """The two lines of one board, both on at first."""

    def __init__(self) -> None:
        self._levels = (True, True)
        self._held = False

    def set(self, *, dtr: bool, rts: bool) -> Edge | None:
        """Set both lines; returns what happens to the chip, or None."""
        levels = (dtr, rts)
        if levels == self._levels:
            return None
        self._levels = levels
        if levels == (False, True):
            held, self._held = self._held, True
            return None if held else Edge.HOLD
        if not self._held or levels == (True, True):
            return None
        self._held = False
        return Edge.DOWNLOAD if dtr else Edge.RUN
