"""A sheet: one thing on the whole screen, scrolled, closed by the keys people try first."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Static


class Sheet(Screen[None]):
    """Base of the sheets; a subclass fills title, text and line of keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "close"),
    ]
    KEYS = "esc close   ↑ ↓ scroll"

    def compose(self) -> ComposeResult:
        """Lay out title, text and keys."""
        yield Static(id="sheet-title")
        with VerticalScroll(id="sheet-body"):
            yield Static(id="sheet-text")
        yield Static(Text(f" {self.KEYS}"), id="sheet-keys")

    def write(self, title: str, text: Text) -> None:
        """Show a text from its beginning."""
        self.query_one("#sheet-title", Static).update(Text(f" {title}"))
        self.query_one("#sheet-text", Static).update(text)
        body = self.query_one("#sheet-body", VerticalScroll)
        body.scroll_home(animate=False)
        body.focus()
