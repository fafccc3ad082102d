"""The table of nodes: one row each, columns by the room there is."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import DataTable

from wattest.tui.marks import Tone
from wattest.tui.model import RunView
from wattest.tui.node_view import NodeView
from wattest.tui.paint import MODEL, STYLES, styled, toned
from wattest.tui.words import age_text, difference_text, energy_text, power_text

_COLUMNS = {
    "number": ("", 2),
    "node": ("node", 12),
    "asset": ("asset", 13),
    "state": ("state", 11),
    "power": ("power", 14),
    "energy": ("energy", 16),
    "expected": ("expected", 14),
    "residual": ("residual", 12),
    "found": ("found", 6),
    "mark": ("values are", 13),
    "age": ("age", 14),
}
"""Title and width of each column; a gap of one character is part of the width."""

_NARROW = ("number", "node", "state", "power", "energy", "residual", "mark")
_WIDE = ("number", "node", "state", "power", "energy", "expected", "residual", "found", "mark")
_WIDEST = (*_WIDE, "age")
_FLUSH_RIGHT = frozenset({"power", "energy", "expected", "residual", "found"})
_WIDE_CHARS = 100
_WIDEST_CHARS = 114
_ASSET_CHARS = 127
_NUMBERED = 9


class NodeTable(DataTable[Text]):
    """All nodes of a run; the cursor is on the node that the other panels show."""

    def __init__(self) -> None:
        super().__init__(cursor_type="row", cell_padding=0, zebra_stripes=False, id="nodes")
        self._columns: tuple[str, ...] = ()
        self._shown: dict[str, dict[str, Text]] = {}
        self._newest: tuple[RunView, int] | None = None

    def show(self, view: RunView, selected: int, width: int) -> None:
        """Bring the columns and the rows that are seen up to date."""
        self._newest = (view, selected)
        columns = _columns_for(view, width)
        if columns != self._columns or len(view.nodes) != self.row_count:
            self._lay_out(view, columns, selected)
        self._fill()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Fill the rows that have come into sight."""
        super().watch_scroll_y(old_value, new_value)
        self._fill()

    def _fill(self) -> None:
        """Update the cells that changed; a thousand nodes cost no more than a screen of them."""
        if self._newest is None:
            return
        view, selected = self._newest
        first = int(self.scroll_offset.y)
        last = min(first + max(self.size.height, 1), self.row_count)
        for number, node in enumerate(view.nodes[first:last], first):
            cells = node_cells(node, view.now_ms, number, selected=number == selected)
            shown = self._shown[node.name]
            for column in self._columns:
                if shown.get(column) != cells[column]:
                    shown[column] = cells[column]
                    self.update_cell(node.name, column, _placed(cells[column], column))

    def _lay_out(self, view: RunView, columns: tuple[str, ...], selected: int) -> None:
        self.clear(columns=True)
        self._columns = columns
        self._shown.clear()
        for column in columns:
            title, width = _COLUMNS[column]
            self.add_column(_placed(Text(title), column), key=column, width=width)
        for node in view.nodes:
            self._shown[node.name] = {}
            self.add_row(*[Text() for _ in columns], key=node.name)
        if view.nodes:
            self.move_cursor(row=min(selected, len(view.nodes) - 1))


def node_cells(node: NodeView, now_ms: int, number: int, *, selected: bool) -> dict[str, Text]:
    """Return what each column says of a node."""
    mark = node.mark(now_ms)
    style = STYLES[mark.tone]
    twin = node.twin
    energies = twin.energies if twin else None
    expectation = twin.expectation if twin else None
    found = node.found.total()
    digit = str(number + 1) if number < _NUMBERED else " "
    cells = {
        "number": styled(("▸" if selected else " ") + digit, "bold" if selected else "dim"),
        "node": styled(node.name, "bold"),
        "asset": Text(node.info.asset),
        "state": styled(
            node.state, "" if node.state in ("running", "kept") else STYLES[Tone.WARN]
        ),
        "found": styled(str(found), STYLES[Tone.WARN] if found else "dim"),
        "mark": toned(mark),
        "age": styled(_age(node, now_ms), "dim"),
    }
    none = styled("-", "dim")
    if energies is None:
        return cells | dict.fromkeys(("power", "energy", "expected", "residual"), none)
    out = energies.export_milliwatthours
    registers = (out, "out") if node.delivers else (energies.import_milliwatthours, "in")
    cells["power"] = styled(power_text(energies.power_milliwatts), style)
    cells["energy"] = styled(f"{energy_text(registers[0])} {registers[1]}", style)
    if expectation is None:
        return cells | {"expected": none, "residual": none}
    cells["expected"] = styled(power_text(expectation.expected_milliwatts), MODEL)
    cells["residual"] = Text(difference_text(expectation.residual_milliwatts))
    return cells


def _age(node: NodeView, now_ms: int) -> str:
    energies = node.twin.energies if node.twin else None
    return age_text(energies.proof.age_ms(now_ms)) if energies else ""


def _columns_for(view: RunView, width: int) -> tuple[str, ...]:
    if width < _WIDE_CHARS:
        return _NARROW
    if width < _WIDEST_CHARS:
        return _WIDE
    named_apart = any(node.info.asset != node.name for node in view.nodes)
    if named_apart and width >= _ASSET_CHARS:
        return (*_WIDEST[:2], "asset", *_WIDEST[2:])
    return _WIDEST


def _placed(text: Text, column: str) -> Text:
    """Return a cell with its gap, flush right where digits must stand below each other."""
    placed = text.copy()
    if column in _FLUSH_RIGHT:
        placed.justify = "right"
    elif column != "number":
        placed.pad_left(1)
        placed.truncate(_COLUMNS[column][1], overflow="ellipsis")
    return placed
