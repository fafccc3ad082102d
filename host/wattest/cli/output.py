"""How a command speaks: data on standard output, everything else on standard error."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from wattest.errors import StoreError, UsageError

_ALIKE_BYTES = 6
_GREEN, _RED, _YELLOW, _PLAIN = "32", "31", "33", "0"


def print_json(value: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print one JSON document, keys in the order given."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def has_terminal() -> bool:
    """Tell whether somebody sits at a terminal; the interface draws on standard error."""
    return all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> None:
    """Print a table with the first ``left`` columns flush left and the others flush right."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    for row in (head, *rows):
        cells = [
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def put_out(text: str, path: Path | None) -> None:
    """Print a text as it is, or write it into a file that is there whole or not at all.

    Raises:
        UsageError: the file is there and holds another kind of thing; it is unchanged.
        StoreError: the file cannot be written; what was there before is unchanged.
    """
    if path is None:
        sys.stdout.write(text)
        return
    if path.is_dir():
        raise UsageError(f"{path}: a file to write expected, got a folder")
    beside = path.with_name(f"{path.name}.part")
    try:
        if path.exists() and not _alike(path, text):
            raise UsageError(
                f"{path}: a new file expected, got one that holds something else",
                hint="name another file",
            )
        beside.write_text(text, encoding="utf-8", newline="")
        beside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise StoreError(f"{path}: cannot be written: {error.strerror}") from error


def _alike(path: Path, text: str) -> bool:
    """Tell whether a file is empty or begins as ``text`` does: an earlier output of its kind."""
    with path.open("rb") as file:
        return file.read(_ALIKE_BYTES) in {b"", text.encode()[:_ALIKE_BYTES]}


def good(text: str) -> str:
    """Return ``text`` in the colour of what holds, where colour is wanted."""
    return _coloured(text, _GREEN)


def bad(text: str) -> str:
    """Return ``text`` in the colour of what does not hold, where colour is wanted."""
    return _coloured(text, _RED)


def marked(text: str) -> str:
    """Return ``text`` in the colour of a warning, where colour is wanted."""
    return _coloured(text, _YELLOW)


def wants_colour(stream: TextIO) -> bool:
    """Tell whether ``stream`` is a terminal whose owner has not asked for plain text."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _coloured(text: str, colour: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[{_PLAIN}m" if wants_colour(sys.stdout) else text


class ProgressLine:
    """Progress on standard error: one line that updates on a terminal, sparse lines elsewhere.

    Args:
        stream: where it goes.
        steps: how many lines to print at most where lines cannot be updated.
    """

    def __init__(self, stream: TextIO | None = None, *, steps: int = 10) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._steps = steps
        self._step = 0
        self._shown = False

    def update(self, done: int, whole: int, text: str) -> None:
        """Show that ``done`` of ``whole`` is reached."""
        percent = 100 * done // whole if whole else 100
        if self._live:
            self._stream.write(f"\r\x1b[K{percent:3d} %  {text}")
            self._stream.flush()
            self._shown = True
            return
        step = percent * self._steps // 100
        if step > self._step:
            self._step = step
            self._stream.write(f"{percent:3d} %  {text}\n")
            self._stream.flush()

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self.clear()
        self._stream.write(text + "\n")
        self._stream.flush()

    def clear(self) -> None:
        """Take the updating line away."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._shown = False
