"""Draws what a port says: text to the left, frames to the right; plain lines; JSON lines."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from wattest.cli.output import bad, marked
from wattest.wire.describe import time_text

if TYPE_CHECKING:
    from wattest.operations.console.text_line import TextLine
    from wattest.operations.console.view import Item

_TEXT_PART = 0.45
_TEXT_CHARS_MIN = 24
_CLOCK: Final = slice(11, 23)
_TIME_CHARS: Final = 12
_BAR: Final = " │ "


def show_plain(items: Iterable[Item]) -> None:
    """Print one line an item: time, kind, words."""
    for item in items:
        if not item.note.get("quiet"):
            print(f"{time_text(item.utc_ms)} {item.kind:<7} {item.text}".rstrip())
    sys.stdout.flush()


def show_json(items: Iterable[Item]) -> None:
    """Print one JSON object a line."""
    for item in items:
        print(json.dumps(item_as_json(item), ensure_ascii=False))
    sys.stdout.flush()


def item_as_json(item: Item) -> dict[str, Any]:
    """Return plain values: time, kind, text, and what a frame holds as `decode` has it."""
    from wattest.cli.decode_kinds import explain_item

    values: dict[str, Any] = {
        "time": time_text(item.utc_ms),
        "utc_ms": item.utc_ms,
        "mono_ns": item.mono_ns,
        "kind": item.kind.value,
        "text": item.text,
    }
    if item.frame is not None:
        values["frame"] = explain_item(item.frame, None).as_json()
    if item.note:
        values["note"] = item.note
    if item.data:
        values["data"] = item.data.hex()
    return values


class Columns:
    """Two columns on a terminal; the last row is the line that has not ended yet."""

    def __init__(self) -> None:
        self._live = ""

    def show(self, items: Iterable[Item]) -> None:
        """Draw what is new above the unfinished line."""
        rows = [row for item in items for row in self._rows(item)]
        if rows:
            self._write("\r\x1b[K" + "".join(f"{row}\n" for row in rows))
            self._live = ""

    def live(self, line: TextLine, since_ms: int | None) -> None:
        """Draw the unfinished line, its end if it is long, and put the cursor where it is."""
        text = ""
        if since_ms is not None:
            room = max(1, _columns() - _TIME_CHARS - 2)
            begin = max(0, len(line.text) - room)
            back = len(line.text) - max(line.cursor, begin)
            text = f"{time_text(since_ms)[_CLOCK]} {line.text[begin:]}"
            text += f"\x1b[{back}D" if back else ""
        if text != self._live:
            self._write(f"\r\x1b[K{text}")
            self._live = text

    def _rows(self, item: Item) -> Iterable[str]:
        clock = time_text(item.utc_ms)[_CLOCK]
        left = _left_chars()
        if item.kind == "text":
            yield f"{clock} {item.text:<{left}}{_BAR.rstrip()}"
        elif item.kind == "note":
            paint = _paint(item)
            if not item.note.get("quiet"):
                yield f"{clock} {paint(f'-- {item.text} --')}"
        elif item.kind != "sent" or not item.text.startswith("typed "):
            room = max(_TEXT_CHARS_MIN, _columns() - _TIME_CHARS - 1 - left - len(_BAR))
            words = f"< {item.text}" if item.kind == "sent" else item.text
            for row in textwrap.wrap(words, room, subsequent_indent="  "):
                shown = bad(row) if item.kind == "damaged" else row
                yield f"{clock} {'':<{left}}{_BAR}{shown}"
                clock = " " * _TIME_CHARS

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


def _paint(item: Item) -> Callable[[str], str]:
    from wattest.operations.console.words import is_alarm

    return bad if is_alarm(item.note) else marked


def _columns() -> int:
    return shutil.get_terminal_size().columns


def _left_chars() -> int:
    return max(_TEXT_CHARS_MIN, int((_columns() - _TIME_CHARS) * _TEXT_PART))


def can_draw() -> bool:
    """Tell whether standard output is a terminal that obeys."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
