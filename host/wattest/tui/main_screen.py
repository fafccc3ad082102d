"""The main screen: nodes, plots, twin, readings, ledger, statements, log; and the keys."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import DataTable, Static

from wattest.operations.control import RunControl
from wattest.scenario import FaultKind
from wattest.tui.help_sheet import HelpSheet
from wattest.tui.ledger_sheet import LedgerSheet
from wattest.tui.log_sheet import LogSheet
from wattest.tui.model import RunView
from wattest.tui.node_table import NodeTable
from wattest.tui.node_view import NodeView
from wattest.tui.paint import (
    banner_line,
    clock_line,
    evidence_line,
    key_lines,
    ledger_lines,
    log_lines,
    reading_lines,
    statement_lines,
    twin_lines,
)
from wattest.tui.panel import Panel
from wattest.tui.plots import EnergyPlot, PowerPlot
from wattest.tui.reading_sheet import ReadingSheet
from wattest.tui.speeds import faster, slower
from wattest.tui.statement_sheet import StatementSheet

_ATTACKS = {
    "p": FaultKind.POWER_CUT,
    "u": FaultKind.UNPLUG,
    "f": FaultKind.FLIP_BIT,
    "F": FaultKind.FORGE,
    "r": FaultKind.REPLAY,
    "c": FaultKind.CLONE,
}
_NO_TARGET = "nothing is running that could be attacked"


class MainScreen(Screen[None]):
    """Shows a view and passes a person's wishes to the run.

    Args:
        view: what to show; folded elsewhere.
        control: the hand on the run.
        kept: the run is over and only told again: it cannot be attacked.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pause", "pause or go on"),
        Binding("plus,equals_sign", "faster", "faster"),
        Binding("minus", "slower", "slower"),
        Binding("m", "max_speed", "as fast as it goes"),
        *(Binding(key, f"attack('{key}')", kind.value) for key, kind in _ATTACKS.items()),
        *(Binding(str(n), f"select({n - 1})", f"node {n}") for n in range(1, 10)),
        Binding("l", "ledger", "ledger"),
        Binding("s", "statements", "statements"),
        Binding("e", "events", "events"),
        Binding("question_mark", "help", "help"),
        Binding("q", "leave", "quit"),
    ]

    def __init__(self, view: RunView, control: RunControl, *, kept: bool = False) -> None:
        super().__init__()
        self._view = view
        self._control = control
        self._kept = kept
        self._selected = 0
        self._plotted: tuple[object, ...] = ()
        self._refill = False

    def compose(self) -> ComposeResult:
        """Lay out the panels."""
        yield Static(id="clock")
        yield Static(id="banner")
        yield NodeTable()
        with Horizontal(id="middle"):
            yield PowerPlot(self._resized, id="power")
            yield EnergyPlot(self._resized, id="energy")
            yield Panel("twin", self._resized, id="twin")
        with Horizontal(id="lower"):
            yield Panel("readings", self._resized, id="readings")
            with Vertical(id="kept"):
                yield Panel("ledger", self._resized, id="ledger")
                yield Panel("statements", self._resized, id="statements")
            yield Panel("what happened", self._resized, id="log")
        yield Static(id="evidence")
        yield Static(id="keys")

    def on_mount(self) -> None:
        """Give the table the keyboard."""
        self.query_one(NodeTable).focus()
        self.show()

    def _resized(self) -> None:
        """Fill everything again, once, when all panels have their new sizes."""
        if not self._refill:
            self._refill = True
            self.call_after_refresh(self._fill_again)

    def _fill_again(self) -> None:
        self._refill = False
        self._plotted = ()
        self.show()

    @property
    def node(self) -> NodeView | None:
        """The selected node."""
        nodes = self._view.nodes
        return nodes[self._selected] if self._selected < len(nodes) else None

    def show(self, *, plots: bool = True) -> None:
        """Bring the screen up to date with the view.

        Args:
            plots: the plots too; they cost the most.
        """
        if not self.query("#keys"):
            return  # events may come before the screen is laid out
        view, width = self._view, self.size.width
        self._put(
            "clock", clock_line(view, state=self._state(), speed=self._control.speed, width=width)
        )
        self._put("banner", banner_line(view))
        keys = key_lines(attackable=self._attackable, width=width, live=view.live)
        self._put("keys", keys)
        self._put("evidence", evidence_line(view))
        self._put("ledger", ledger_lines(view, self._width_of("ledger")))
        self._put("statements", statement_lines(view, self._width_of("statements")))
        self._put("log", log_lines(view, self.query_one("#log").content_size.height))
        self.query_one(NodeTable).show(view, self._selected, width)
        node = self.node
        if node is None:
            return
        name = node.name
        self.query_one("#twin").border_title = f"twin of {name}"
        self.query_one("#readings").border_title = f"readings of {name}"
        self._put("twin", twin_lines(node, view.now_ms))
        self._put("readings", reading_lines(node, self.query_one("#readings").content_size.height))
        state = (name, node.revision)
        if plots and state != self._plotted:
            self._plotted = state
            self.query_one(PowerPlot).show(node, view.start_ms)
            self.query_one(EnergyPlot).show(node, view.start_ms)

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Follow the cursor to another node."""
        self._selected = event.cursor_row
        self.show()

    def on_data_table_row_selected(self, _event: DataTable.RowSelected) -> None:
        """Open the newest reading of the node."""
        if self.node is not None and self.node.arrivals:
            self.app.push_screen(ReadingSheet(self.node))

    def action_select(self, number: int) -> None:
        """Select a node by its place."""
        if number < len(self._view.nodes):
            self.query_one(NodeTable).move_cursor(row=number)

    def action_pause(self) -> None:
        """Let virtual time stand, or go on."""
        if self._has_virtual_time():
            self._control.paused = not self._control.paused
            self.show(plots=False)

    def action_faster(self) -> None:
        """Take the next higher speed."""
        if self._has_virtual_time():
            self._control.speed = faster(self._control.speed)
            self.show(plots=False)

    def action_slower(self) -> None:
        """Take the next lower speed."""
        if self._has_virtual_time():
            self._control.speed = slower(self._control.speed)
            self.show(plots=False)

    def action_max_speed(self) -> None:
        """Take away the brake."""
        if self._has_virtual_time():
            self._control.speed = None
            self.show(plots=False)

    def _has_virtual_time(self) -> bool:
        if self._view.live:
            self._view.refused_to_ask("boards on ports keep their own time")
            self.show(plots=False)
        return not self._view.live

    def action_attack(self, key: str) -> None:
        """Ask for a fault on the selected node."""
        if self.node is None or not self._attackable:
            why = "boards on ports are not attacked" if self._view.live else _NO_TARGET
            self._view.refused_to_ask(why)
        else:
            self._control.ask(_ATTACKS[key], self.node.name)
            self._view.asked(_ATTACKS[key], self.node.name)
        self.show(plots=False)

    def action_ledger(self) -> None:
        """Open the ledger."""
        self.app.push_screen(LedgerSheet(self._view))

    def action_statements(self) -> None:
        """Open the statements."""
        self.app.push_screen(StatementSheet(self._view))

    def action_events(self) -> None:
        """Open the log."""
        self.app.push_screen(LogSheet(self._view))

    def action_help(self) -> None:
        """Open the help."""
        self.app.push_screen(HelpSheet())

    def action_leave(self) -> None:
        """Quit."""
        self.app.exit()

    @property
    def _attackable(self) -> bool:
        view = self._view
        replayed = self._kept or view.live
        return not replayed and view.started is not None and view.finished is None

    def _state(self) -> str:
        view = self._view
        if self._kept:
            return "KEPT RUN"
        if view.finished is not None:
            return "FINISHED"
        if view.live:
            return "collecting"
        if view.started is not None and view.now_ms > view.end_ms:
            return "closing"
        return "PAUSED" if self._control.paused else "running"

    def _width_of(self, name: str) -> int:
        return self.query_one(f"#{name}").content_size.width

    def _put(self, name: str, text: Text) -> None:
        self.query_one(f"#{name}", Static).update(text)
