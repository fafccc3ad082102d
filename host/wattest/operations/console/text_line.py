"""The line a terminal would show: what a board's prompt and colours do to it, and nothing else.

Whatever a board prints, no control character of it reaches the terminal of the person who watches.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

LINE_CHARS_MAX: Final = 4096
_SEQUENCE = re.compile(r"\x1b(?:\[([0-9;?]*)([@-~])|[^\[])")
_SEQUENCE_CHARS_MAX = 32


class TextLine:
    """One growing line of console text: backspace, carriage return, CSI K, C and D are obeyed.

    Attributes:
        cursor: where the next character goes, 0 <= cursor <= length of the text.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._chars: list[str] = []
        self._pending = ""
        self.cursor = 0

    @property
    def text(self) -> str:
        """The line as it is now."""
        return "".join(self._chars)

    def feed(self, data: bytes) -> list[str]:
        """Take bytes; return the lines they finish, without their ends."""
        text = self._pending + self._decoder.decode(data)
        self._pending = ""
        done: list[str] = []
        *ended, rest = text.split("\n")
        for line in ended:
            self._take(line.removesuffix("\r"), done, is_whole=True)
            done.append(self.end())
        self._take(rest, done, is_whole=False)
        return done

    def _take(self, text: str, done: list[str], *, is_whole: bool) -> None:
        """Take text without a line end; ``is_whole``: no sequence goes on after it."""
        is_plain = text.isprintable() and self.cursor == len(self._chars)
        if is_plain and len(self._chars) + len(text) <= LINE_CHARS_MAX:
            self._chars.extend(text)
            self.cursor += len(text)
            return
        pos = 0
        while pos < len(text):
            found = _SEQUENCE.match(text, pos) if text[pos] == "\x1b" else None
            if found is not None:
                self._obey(found[1] or "", found[2] or "")
                pos = found.end()
                continue
            if text[pos] == "\x1b" and not is_whole and len(text) - pos < _SEQUENCE_CHARS_MAX:
                self._pending = text[pos:]
                return
            if len(self._chars) >= LINE_CHARS_MAX:
                done.append(self.end())
            self._put(text[pos])
            pos += 1

    def end(self) -> str:
        """Finish the line and begin the next one; return the finished one."""
        text = self.text.rstrip()
        self._chars.clear()
        self.cursor = 0
        return text

    def _put(self, char: str) -> None:
        if char == "\r":
            self.cursor = 0
        elif char == "\b":
            self.cursor = max(0, self.cursor - 1)
        else:
            shown = char if char.isprintable() else " " if char == "\t" else repr(char)[1:-1]
            self._chars[self.cursor : self.cursor + len(shown)] = shown
            self.cursor += len(shown)

    def _obey(self, parameters: str, final: str) -> None:
        number = int(parameters) if parameters.isdigit() else 0
        if final == "K" and number == 0:
            del self._chars[self.cursor :]
        elif final == "K":
            self._chars.clear()
            self.cursor = 0
        elif final == "D":
            self.cursor = max(0, self.cursor - max(1, number))
        elif final == "C":
            self.cursor = min(len(self._chars), self.cursor + max(1, number))
