"""The application: takes events from the feed, folds them into the view, lets the screen draw."""

from __future__ import annotations

import asyncio
import signal
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import Screen

from wattest.operations.control import RunControl
from wattest.tui.feed import Feed
from wattest.tui.main_screen import MainScreen
from wattest.tui.model import RunView

_DRAIN_S = 0.1
_DRAINS_PER_PLOT = 4
_EVENTS_PER_DRAIN = 1_000


class BenchApp(App[None]):
    """The terminal interface of one run.

    Args:
        view: what to begin with.
        control: the hand on the run.
        feed: where events come from; None: the view stays as it is.
        kept: the run is over and only told again.
    """

    TITLE = "wattest"
    CSS_PATH = "wattest.tcss"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - as App has it
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "quit", "quit", priority=True, show=False),
    ]

    def __init__(
        self,
        view: RunView,
        control: RunControl,
        *,
        feed: Feed | None = None,
        kept: bool = False,
    ) -> None:
        super().__init__()
        self.theme = "textual-dark"
        self._view = view
        self._feed = feed
        self._main = MainScreen(view, control, kept=kept)
        self._drains = 0

    def get_default_screen(self) -> Screen[None]:
        """Begin with the main screen."""
        return self._main

    def on_mount(self) -> None:
        """Begin the run, and look for its events now and then."""
        loop = asyncio.get_running_loop()
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name) and not self.is_headless:
                loop.add_signal_handler(getattr(signal, name), self.exit)
        if self._feed is not None:
            self._feed.start()
            self.set_interval(_DRAIN_S, self._drain)

    def select(self, number: int) -> None:
        """Select a node by its place."""
        self._main.action_select(number)

    def _drain(self) -> None:
        """Fold what has happened; draw it if the main screen is the one that is seen."""
        assert self._feed is not None, "only set up with a feed"
        over = self._feed.over
        events = self._feed.take(_EVENTS_PER_DRAIN)
        for event in events:
            self._view.apply(event)
        if over and not events and self._feed.error is not None:
            self.exit()
            return
        self._drains += 1
        if self.screen is self._main:
            self._main.show(plots=self._drains % _DRAINS_PER_PLOT == 0 or over)
