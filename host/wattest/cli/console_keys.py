"""The keyboard in raw mode: every key goes to the board, but Ctrl-] leaves."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

if sys.platform != "win32":
    import termios

LEAVE: Final = b"\x1d"
_READ_BYTES = 1024


@contextmanager
def raw_keyboard() -> Iterator[int]:
    """Give the descriptor of a keyboard without echo, line editing and signals.

    What is printed meanwhile is printed as ever: only the input side is changed.
    """
    keyboard = sys.stdin.fileno()
    if sys.platform == "win32":
        yield keyboard
        return
    before = termios.tcgetattr(keyboard)
    raw = termios.tcgetattr(keyboard)
    raw[0] &= ~(termios.IXON | termios.ICRNL | termios.INLCR | termios.IGNCR)
    raw[3] &= ~(termios.ECHO | termios.ICANON | termios.ISIG | termios.IEXTEN)
    raw[6][termios.VMIN] = 1
    raw[6][termios.VTIME] = 0
    termios.tcsetattr(keyboard, termios.TCSADRAIN, raw)
    try:
        yield keyboard
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def typed(keyboard: int) -> tuple[bytes, bool]:
    """Return what has been typed, and whether the person wants to leave."""
    data = os.read(keyboard, _READ_BYTES)
    keys, leave, _ = data.partition(LEAVE)
    return keys, bool(leave) or not data
