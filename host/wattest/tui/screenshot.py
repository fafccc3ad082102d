"""A picture of the main screen after a run: the project's own way to its README."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Iterator
from pathlib import Path

from wattest.errors import StoreError, UsageError
from wattest.operations.control import RunControl
from wattest.operations.events import Progressed, RunEvent
from wattest.tui.app import BenchApp
from wattest.tui.model import RunView

_FONTS = "Fira Code, DejaVu Sans Mono, Menlo, Consolas, monospace"
_TEXT = re.compile(
    r'<text class="([^"]*)" x="([\d.]+)" y="([\d.]+)" textLength="([\d.]+)" '
    r'clip-path="([^"]*)">([^<]*)</text>'
)
_WORDS = re.compile(r"\S+(?: \S+)*")
_REMOTE_FONTS = re.compile(r"@font-face\s*\{[^}]*\}\s*")
SIZE = (120, 36)


def save_screenshot(
    events: Iterator[RunEvent],
    path: Path,
    *,
    node: str = "",
    size: tuple[int, int] = SIZE,
    kept: bool = False,
) -> None:
    """Draw the main screen into an SVG file as it is when the run's time has come to its end.

    What follows (last readings, verdicts, final statements) is not in the picture, but happens.

    Args:
        events: the run.
        path: the file; replaced if it exists.
        node: which one to select; default is the first.
        size: columns and rows.
        kept: the run is over and only told again; the picture says so.

    Raises:
        UsageError: the file's name does not end in .svg, or no node has that name.
        StoreError: the file cannot be written.
        WattestError: what the run raised.
    """
    if path.suffix.lower() != ".svg":
        raise UsageError(f"--screenshot {path}: expected a name that ends in .svg")
    view = RunView(first_state="kept" if kept else "running")
    svg = ""
    for event in events:
        view.apply(event)
        if isinstance(event, Progressed) and event.now_ms >= event.end_ms and not svg:
            svg = asyncio.run(_draw(view, node, size, kept=kept))
    svg = svg or asyncio.run(_draw(view, node, size, kept=kept))
    try:
        path.write_text(svg, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}") from error


async def _draw(view: RunView, node: str, size: tuple[int, int], *, kept: bool) -> str:
    app = BenchApp(view, RunControl(), kept=kept)
    names = [info.name for info in view.nodes]
    if node and node not in names:
        raise UsageError(f"--node {node}: expected one of {', '.join(names)}")
    async with app.run_test(size=size) as pilot:
        if node:
            app.select(names.index(node))
        await pilot.pause()
        svg = app.export_screenshot(title="wattest")
    return self_contained(svg)


def self_contained(svg: str) -> str:
    """Make a picture that every viewer draws alike.

    Fonts that would have to be fetched are left out; any monospaced one does. Words that stand
    apart become texts of their own, each at its column: some viewers drop leading spaces.
    """
    svg = _REMOTE_FONTS.sub("", svg).replace("Fira Code, monospace", _FONTS)
    return _TEXT.sub(_placed_words, svg)


def _placed_words(text: re.Match[str]) -> str:
    style, left, top, length, clip, content = text.groups()
    shown = html.unescape(content).replace("\xa0", " ")
    cell = float(length) / max(len(shown), 1)
    return "".join(
        f'<text class="{style}" x="{float(left) + words.start() * cell:.1f}" y="{top}" '
        f'textLength="{len(words[0]) * cell:.1f}" clip-path="{clip}">'
        f"{html.escape(words[0])}</text>"
        for words in _WORDS.finditer(shown)
    )
