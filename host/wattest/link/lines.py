"""DTR and RTS: opened without resetting the board, or resetting it when asked.

Boards wire the two lines to reset (EN) and boot mode (IO0) by two transistors:

    DTR RTS    board
     0   0     runs
     1   1     runs
     0   1     is held in reset
     1   0     would boot into download mode, if it were reset now

So only the way from one state to another matters: it must not lead over "0 1". POSIX systems raise
both lines at once when a port is opened, and drop both at once when it is closed; left raised in
between, the board notices nothing. They stay raised because a chip with a USB port of its own
takes DTR for a sign that somebody listens, and says nothing without. Windows drivers raise them
one after the other, RTS first with some: there they begin low, and DTR is raised first.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Final, Protocol

RESET_S: Final = 0.1
_let_pass: Final = threading.Event().wait  # nobody sets it


class Lines(Protocol):
    """What this module needs of a pyserial object."""

    dtr: bool
    rts: bool

    def open(self) -> None:
        """Open the port that was configured."""
        ...


def open_without_reset(line: Lines, *, at_once: bool = os.name != "nt") -> None:
    """Open a port, never passing the state that resets the board.

    Args:
        line: configured, not open.
        at_once: the system raises both lines at once.
    """
    line.dtr = line.rts = at_once
    line.open()
    if not at_once:
        line.dtr = True
        line.rts = True


def reset(line: Lines, *, wait: Callable[[float], object] = _let_pass) -> None:
    """Reset the board behind an open port, lines raised before and after; it boots and runs.

    Args:
        line: the open port.
        wait: lets so many seconds pass.
    """
    line.dtr = False
    wait(RESET_S)
    line.rts = False
    line.dtr = True
    line.rts = True
