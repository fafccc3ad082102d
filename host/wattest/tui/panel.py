"""A panel: text under a title, which wants to be filled again when it has another size."""

from __future__ import annotations

from collections.abc import Callable

from textual.widgets import Static


class Panel(Static):
    """A panel.

    Args:
        title: shown in its border.
        resized: called when the panel has another size.
    """

    def __init__(
        self,
        title: str,
        resized: Callable[[], None],
        *,
        id: str,  # noqa: A002 - Textual's name for it
    ) -> None:
        super().__init__(id=id, classes="panel")
        self.border_title = title
        self._resized = resized

    def on_resize(self) -> None:
        """Ask to be filled again."""
        self._resized()
