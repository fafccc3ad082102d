"""A picture of the main screen after a run: the project's own way to its README."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

from wattest.errors import StoreError
from wattest.operations.control import RunControl
from wattest.operations.events import Progressed, RunEvent
from wattest.tui.app import BenchApp
from wattest.tui.model import RunView

_REMOTE_FONTS = re.compile(r"@font-face\s*\{[^}]*\}\s*")
SIZE = (120, 36)


def save_screenshot(
    events: Iterator[RunEvent],
    path: Path,
    *,
    node: str = "",
    size: tuple[int, int] = SIZE,
) -> None:
    """Draw the main screen into an SVG file as it is when the run's time has come to its end.

    What follows (last readings, verdicts, final statements) is not in the picture, but happens.

    Args:
        events: the run.
        path: the file; replaced if it exists.
        node: which one to select; default is the first.
        size: columns and rows.

    Raises:
        StoreError: the file cannot be written.
        WattestError: what the run raised.
    """
    view = RunView()
    svg = ""
    for event in events:
        view.apply(event)
        if isinstance(event, Progressed) and event.now_ms >= event.end_ms and not svg:
            svg = asyncio.run(_draw(view, node, size))
    svg = svg or asyncio.run(_draw(view, node, size))
    try:
        path.write_text(svg, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}") from error


async def _draw(view: RunView, node: str, size: tuple[int, int]) -> str:
    app = BenchApp(view, RunControl())
    names = [info.name for info in view.nodes]
    async with app.run_test(size=size) as pilot:
        if node in names:
            app.select(names.index(node))
        await pilot.pause()
        svg = app.export_screenshot(title="wattest")
    return self_contained(svg)


def self_contained(svg: str) -> str:
    """Leave out fonts that a viewer would have to fetch; any monospaced one does."""
    return _REMOTE_FONTS.sub("", svg)
