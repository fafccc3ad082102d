"""Small windows that ask: which board file, which words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static


class Choice(ModalScreen[str | None]):
    """Asks for one of a few words; None when somebody leaves it.

    Args:
        question: above the words.
        words: to choose from.
        first: the word to begin at.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "leave", "leave")]

    def __init__(self, question: str, words: Sequence[str], first: str = "") -> None:
        super().__init__()
        self._question = question
        self._words = list(words)
        self._first = first

    def compose(self) -> ComposeResult:
        """Lay out question and words."""
        with Vertical(classes="window"):
            yield Static(self._question)
            yield OptionList(*self._words)
            yield Static("enter chooses, esc leaves", classes="hint")

    def on_mount(self) -> None:
        """Begin at the likely one."""
        options = self.query_one(OptionList)
        if self._first in self._words:
            options.highlighted = self._words.index(self._first)
        options.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take it."""
        self.dismiss(self._words[event.option_index])

    def action_leave(self) -> None:
        """Choose nothing."""
        self.dismiss(None)


class Words(ModalScreen[str | None]):
    """Asks for a line of text, which may be empty; None when somebody leaves it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "leave")]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """Lay out question and line."""
        with Vertical(classes="window"):
            yield Static(self._question)
            yield Input(max_length=200)
            yield Static("enter keeps it, esc leaves", classes="hint")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take it."""
        self.dismiss(event.value.strip())

    def action_leave(self) -> None:
        """Keep nothing."""
        self.dismiss(None)
