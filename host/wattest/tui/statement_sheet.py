"""The statements: each contract's newest, as the settlement writes it."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType

from wattest.operations.events import StatementDrawn
from wattest.settlement import statement_text
from wattest.tui.marks import Tone
from wattest.tui.model import RunView
from wattest.tui.paint import STYLES, styled
from wattest.tui.sheet import Sheet


class StatementSheet(Sheet):
    """One contract at a time.

    Args:
        view: whose statements; always the newest ones.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "contract before"),
        Binding("right,enter", "move(1)", "next contract"),
    ]
    KEYS = "esc close   ← → other contracts   ↑ ↓ scroll"

    def __init__(self, view: RunView) -> None:
        super().__init__()
        self._view = view
        self._at = 0

    def on_mount(self) -> None:
        """Show the first contract."""
        self.action_move(0)

    def action_move(self, by: int) -> None:
        """Go to another contract."""
        drawn = list(self._view.statements.values())
        if not drawn:
            self.write("statements", Text("nothing was drawn yet"))
            return
        self._at = (self._at + by) % len(drawn)
        chosen = drawn[self._at]
        self.write(f"statement {self._at + 1} of {len(drawn)}: {chosen.contract}", _text(chosen))


def _text(drawn: StatementDrawn) -> Text:
    if drawn.index is None:
        place = styled("RUNNING: a view of the period so far, not logged\n\n", STYLES[Tone.WARN])
    else:
        place = styled(f"logged: entry {drawn.index} of the ledger\n\n", STYLES[Tone.GOOD])
    body = Text(statement_text(drawn.statement.to_document()))
    body.highlight_words(["TEST"], f"bold {STYLES[Tone.WARN]}")
    return place + body
