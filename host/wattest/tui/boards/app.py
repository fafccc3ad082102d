"""The application around the boards screen."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import Screen

from wattest.operations.commission.home import Home
from wattest.operations.commission.scan import scan_ports
from wattest.operations.standing.home import announcement_paths
from wattest.tui.boards.boards_screen import BoardsScreen, Scanner


class BoardsApp(App[None]):
    """The engineer's terminal.

    Args:
        home: of the bench.
        scanner: looks at all ports.
    """

    TITLE = "wattest boards"
    CSS_PATH = "../wattest.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "quit", "quit", priority=True, show=False),
    ]

    def __init__(self, home: Home, scanner: Scanner) -> None:
        super().__init__()
        self.theme = "textual-dark"
        self.boards = BoardsScreen(home, scanner)

    def get_default_screen(self) -> Screen[None]:
        """Begin with the boards."""
        return self.boards

    def on_mount(self) -> None:
        """Leave in good order when told to."""
        loop = asyncio.get_running_loop()
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name) and not self.is_headless:
                loop.add_signal_handler(getattr(signal, name), self.exit)


def run_boards(home: Home, announcements: list[Path]) -> None:
    """Show the boards until somebody leaves.

    Args:
        home: of the bench.
        announcements: further files of emulated boards that are up.
    """
    home.make()
    BoardsApp(home, lambda: scan_ports(home, [*announcement_paths(), *announcements])).run()
