"""One line of console input: echo, erase, history, and whether Python wants another line."""

from __future__ import annotations

import re
from collections.abc import Callable

HISTORY_SIZE = 8
_COMPOUND = re.compile(
    r"\s*(@|(if|while|for|try|with|def|class|async)\b)",
)
_OPENING, _CLOSING = "([{", ")]}"


class LineEditor:
    """Collects a line of friendly REPL input.

    Args:
        echo: takes what the terminal is to show.
    """

    def __init__(self, echo: Callable[[bytes], None]) -> None:
        self._echo = echo
        self._line = bytearray()
        self._escape = b""
        self._history: list[bytes] = []
        self._at = 0
        self._after_return = False

    @property
    def empty(self) -> bool:
        """Nothing typed yet."""
        return not self._line

    def clear(self) -> None:
        """Forget the line; the history stays."""
        self._line.clear()
        self._escape = b""
        self._at = len(self._history)

    def char(self, char: int) -> str | None:
        """Take one byte; returns the line when it is complete."""
        after_return, self._after_return = self._after_return, char == 13
        if self._escape or char == 27:
            self._escape_char(char)
        elif char in (10, 13):
            return None if char == 10 and after_return else self._complete()
        elif char in (8, 127):
            if self._line:
                self._line.pop()
                self._echo(b"\b\x1b[K")
        elif char == 9:
            self._insert(b"    ")
        elif char >= 32:
            self._insert(bytes((char,)))
        return None

    def _complete(self) -> str:
        self._echo(b"\r\n")
        line = bytes(self._line)
        if line.strip() and self._history[-1:] != [line]:
            self._history = [*self._history, line][-HISTORY_SIZE:]
        self.clear()
        return line.decode("utf-8", "replace")

    def _insert(self, text: bytes) -> None:
        self._line += text
        self._echo(text)

    def _escape_char(self, char: int) -> None:
        self._escape += bytes((char,))
        if self._escape in (b"\x1b", b"\x1b["):
            return
        sequence, self._escape = self._escape, b""
        if sequence == b"\x1b[A":
            self._recall(max(0, self._at - 1))
        elif sequence == b"\x1b[B":
            self._recall(min(len(self._history), self._at + 1))
        elif sequence[:2] == b"\x1b[" and 0x30 <= char <= 0x3B:
            self._escape = sequence

    def _recall(self, at: int) -> None:
        self._echo(b"\b" * len(self._line) + b"\x1b[K")
        self._at = at
        self._line = bytearray(self._history[at] if at < len(self._history) else b"")
        self._echo(bytes(self._line))


def wants_more(text: str, last_line: str) -> bool:
    """Return whether the friendly REPL asks for another line.

    Args:
        text: all lines so far.
        last_line: the newest of them.
    """
    depth, triple = _scan(text)
    if depth > 0 or triple or text.endswith("\\"):
        return True
    return _COMPOUND.match(text) is not None and last_line.strip() != ""


def _scan(text: str) -> tuple[int, bool]:
    """Return the bracket depth and whether a triple-quoted string is open."""
    depth, at, quote = 0, 0, ""
    while at < len(text):
        char = text[at]
        if quote:
            if char == "\\":
                at += 1
            elif text.startswith(quote, at):
                at += len(quote) - 1
                quote = ""
            elif char == "\n" and len(quote) == 1:
                quote = ""
        elif char in "\"'":
            quote = char * 3 if text.startswith(char * 3, at) else char
            at += len(quote) - 1
        elif char == "#":
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
        elif char in _OPENING:
            depth += 1
        elif char in _CLOSING:
            depth -= 1
        at += 1
    return depth, len(quote) == 3
