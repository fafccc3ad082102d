"""The log: everything that happened, as far as it is kept."""

from __future__ import annotations

from textual.containers import VerticalScroll

from wattest.tui.model import LOG_LINES_MAX, RunView
from wattest.tui.paint import log_lines
from wattest.tui.sheet import Sheet


class LogSheet(Sheet):
    """The newest lines of the log, the newest at the end.

    Args:
        view: whose log; as it is when the sheet is opened.
    """

    def __init__(self, view: RunView) -> None:
        super().__init__()
        self._view = view

    def on_mount(self) -> None:
        """Show the end of the log."""
        self.write(f"what happened, the newest {LOG_LINES_MAX} lines", log_lines(self._view))
        body = self.query_one("#sheet-body", VerticalScroll)
        self.call_after_refresh(body.scroll_end, animate=False)
