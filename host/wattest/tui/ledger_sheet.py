"""The ledger: newest entries, and for the selected one the proof that it is in there."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import DataTable, Static

from wattest.errors import WattestError
from wattest.tui.ledger_source import Inclusion, LedgerSource, entry_text
from wattest.tui.marks import Tone
from wattest.tui.model import RunView
from wattest.tui.paint import STYLES, styled
from wattest.tui.sheet import Sheet


class LedgerSheet(Sheet):
    """Entries on the left, proof on the right.

    Args:
        view: of the run whose ledger it is.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("r", "refresh", "newest entries")]
    KEYS = "esc close   ↑ ↓ select an entry   r newest entries"

    def __init__(self, view: RunView) -> None:
        super().__init__()
        self._view = view
        self._source: LedgerSource | None = None
        self._names = {node.info.kid: node.name for node in view.nodes}
        self._names |= {node.twin.kid: node.name for node in view.nodes if node.twin is not None}

    def compose(self) -> ComposeResult:
        """Lay out entries and proof."""
        yield Static(id="sheet-title")
        with Horizontal(id="sheet-body"):
            yield DataTable(id="entries", cursor_type="row", show_header=False)
            with VerticalScroll(id="proof-body"):
                yield Static(id="proof")
        yield Static(Text(f" {self.KEYS}"), id="sheet-keys")

    def on_mount(self) -> None:
        """Open the ledger and show its newest entries."""
        table = self._table
        table.add_columns("index", "entry")
        table.focus()
        out = self._view.started.out if self._view.started else ""
        if not out:
            self._say("this run keeps no ledger file; start it with --out DIR to see proofs")
            self._title("ledger")
            return
        try:
            self._source = LedgerSource(Path(out))
        except WattestError as error:
            self._title("ledger")
            self._say(error.diagnostics())
            return
        self._fill()

    def on_unmount(self) -> None:
        """Close the ledger."""
        if self._source is not None:
            self._source.close()

    def action_refresh(self) -> None:
        """Look where the ledger stands now."""
        if self._source is None:
            return
        try:
            self._source.refresh()
        except WattestError as error:
            self._say(error.diagnostics())
            return
        self._fill()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Prove the entry under the cursor."""
        if self._source is None or event.row_key.value is None:
            return
        try:
            inclusion = self._source.prove(int(event.row_key.value))
        except WattestError as error:
            self._say(f"✗ NOT PROVED: {error.diagnostics()}")
            return
        self.query_one("#proof", Static).update(inclusion_text(inclusion))

    @property
    def _table(self) -> DataTable[str]:
        return self.query_one("#entries", DataTable)

    def _fill(self) -> None:
        assert self._source is not None, "only called with a ledger"
        self._title(f"ledger of {self._source.size:,} entries, newest first")
        self._table.clear()
        for entry in self._source.newest():
            what = entry_text(entry, self._names)
            self._table.add_row(str(entry.index), what, key=str(entry.index))

    def _title(self, text: str) -> None:
        self.query_one("#sheet-title", Static).update(Text(f" {text}"))

    def _say(self, text: str) -> None:
        self.query_one("#proof", Static).update(Text(text))


def inclusion_text(inclusion: Inclusion) -> Text:
    """Write down a proof that holds."""
    text = styled("✓ PROVED ", STYLES[Tone.GOOD]).append(
        f"entry {inclusion.index} is in the ledger\n\n"
    )
    text.append("leaf hash\n", "bold").append(inclusion.leaf.hex())
    text.append("\n\nsiblings on the way up, lowest first\n", "bold")
    for number, sibling in enumerate(inclusion.path, 1):
        text.append(f"{number:2d} ", "dim").append(f"{sibling.hex()}\n")
    if not inclusion.path:
        text.append("none: the entry is the whole ledger\n")
    text.append(f"\nroot over {inclusion.size:,} entries, reached and signed\n", "bold")
    text.append(inclusion.root.hex())
    text.append("\n\nsigned checkpoint, its signature holds\n", "bold").append(inclusion.note)
    return text
