"""The boards screen: what is plugged in, what is known of it, what is done to it, what it says."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import DataTable, Static
from textual.worker import get_current_worker

from wattest.boards import board_names, load_board
from wattest.errors import WattestError
from wattest.operations.commission.flash import flash_board
from wattest.operations.commission.flash_events import FlashOptions
from wattest.operations.commission.home import Home
from wattest.operations.commission.passport import (
    LIFE_EVENTS,
    BoardStory,
    board_story,
    known_boards,
    note_life,
)
from wattest.operations.commission.provision import provision_board
from wattest.operations.commission.provision_events import Candidate, ProvisionOptions
from wattest.operations.commission.scan import FoundPort, Scan
from wattest.operations.control import RunControl
from wattest.store import BoardEntry
from wattest.system import utc_ms
from wattest.tui.boards import paint
from wattest.tui.boards.choice import Choice, Words
from wattest.tui.boards.job import Job
from wattest.tui.boards.sheets import BoardsHelp, PassportSheet
from wattest.tui.boards.tap import Tap
from wattest.tui.panel import Panel

_TICK_S = 0.1
_SCAN_S = 3.0
_FETCH = "fetch it, and check its SHA-256"
Scanner = Callable[[], Scan]


class BoardsScreen(Screen[None]):
    """Shows ports and boards, and works on them.

    Args:
        home: of the bench.
        scanner: looks at all ports; called in a thread.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "flash(False)", "flash"),
        Binding("F", "flash(True)", "flash by force"),
        Binding("p", "provision", "provision"),
        Binding("y", "answer(True)", "yes"),
        Binding("n", "answer(False)", "no, or note"),
        Binding("escape", "stop", "stop"),
        Binding("c", "console", "console"),
        Binding("i", "send('\x03')", "interrupt"),
        Binding("d", "send('\x04')", "soft reset"),
        Binding("R", "reset", "reset"),
        Binding("r", "scan", "scan"),
        Binding("question_mark", "help", "help"),
        Binding("q", "leave", "quit"),
    ]

    def __init__(self, home: Home, scanner: Scanner) -> None:
        super().__init__()
        self._home = home
        self._scanner = scanner
        self._ports: tuple[FoundPort, ...] = ()
        self._known: list[BoardEntry] = []
        self._rows: list[tuple[str, ...]] = []
        self._remarks: tuple[str, ...] = ()
        self._trouble = ""  # of what was done last; a scan says its own
        self._scan_trouble = ""
        self._selected = ""
        self._story: BoardStory | None = None
        self._job: Job | None = None
        self._tap: Tap | None = None

    def compose(self) -> ComposeResult:
        """Lay out the panels."""
        yield Static(id="boards-head")
        yield DataTable(id="ports", cursor_type="row", zebra_stripes=True)
        with Horizontal(id="boards-middle"):
            yield Panel("passport", self._show, id="passport")
            with Vertical():
                yield Panel("work", self._show, id="work")
                yield Panel("console", self._show, id="console")
        yield Static(id="boards-keys")

    def on_mount(self) -> None:
        """Look for ports now and again, and take what work and console tell."""
        table = self.query_one(DataTable)
        for name in paint.HEAD:
            table.add_column(name, key=name)
        table.focus()
        self.set_interval(_TICK_S, self._tick)
        self.set_interval(_SCAN_S, self.action_scan)
        self.action_scan()
        self._show()

    def on_unmount(self) -> None:
        """Leave nothing running: work is asked to stop and waited for."""
        if self._job is not None:
            self._job.stop()
            self._job.join()
        self._close_tap()

    # ---- ports -------------------------------------------------------------------------------

    def action_scan(self) -> None:
        """Look at all ports, in a thread."""
        self.run_worker(self._scan, thread=True, exclusive=True, group="scan")

    def _scan(self) -> None:
        worker = get_current_worker()
        try:
            scan, known, trouble = self._scanner(), known_boards(self._home), ""
        except WattestError as exc:
            scan, known, trouble = None, [], str(exc)
        if not worker.is_cancelled:
            self.app.call_from_thread(self._scanned, scan, known, trouble)

    def _scanned(self, scan: Scan | None, known: list[BoardEntry], trouble: str) -> None:
        self._scan_trouble = trouble
        if scan is not None:
            self._ports, self._known, self._remarks = scan.ports, known, scan.remarks
            self._fill()
        self._read_story()
        self._show()

    def _fill(self) -> None:
        rows = [paint.port_row(port, self._known) for port in self._ports]
        if rows == self._rows:
            return  # a table that is filled anew moves its cursor over the first row
        self._rows = rows
        table = self.query_one(DataTable)
        table.clear()
        for row in rows:
            table.add_row(*row, key=row[0])
        addresses = [port.address for port in self._ports]
        if self._selected in addresses:
            table.move_cursor(row=addresses.index(self._selected))
        elif addresses:
            self._selected = addresses[0]

    @property
    def _port(self) -> FoundPort | None:
        return next((port for port in self._ports if port.address == self._selected), None)

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Follow the cursor to another port."""
        address = event.row_key.value
        if address is None or address == self._selected:
            return
        self._selected = address
        self._trouble = ""
        self._read_story()
        self._show()

    def on_data_table_row_selected(self, _event: DataTable.RowSelected) -> None:
        """Open the passport."""
        if self._story is not None:
            self.app.push_screen(PassportSheet(self._story, utc_ms()))

    def _read_story(self) -> None:
        port = self._port
        chip_id = port.chip_id if port is not None else None
        self._story = None
        if chip_id is not None and any(each.chip_id == chip_id for each in self._known):
            try:
                self._story = board_story(self._home, chip_id)
            except WattestError as exc:
                self._trouble = str(exc)

    # ---- work --------------------------------------------------------------------------------

    def action_flash(self, force: bool) -> None:
        """Flash the selected board; ask which kind it is if the port does not tell."""
        port = self._port
        if port is None or self._busy():
            return
        address = port.address
        if len(port.boards) == 1:
            self._flash(address, port.boards[0], force=force)
            return
        names = [name for name in board_names() if not port.boards or name in port.boards]
        self.app.push_screen(
            Choice(f"Which board is behind {address}?", names),
            lambda name: None if name is None else self._flash(address, name, force=force),
        )

    def _flash(self, address: str, name: str, *, force: bool) -> None:
        """Flash a board; ask first if its MicroPython would have to be fetched."""
        board, home = load_board(name), self._home

        def flash(*, download: bool) -> None:
            options = FlashOptions(
                port=address, board=board, home=home, force=force, download=download
            )
            self._begin(
                Job(f"flashing {address}", address, lambda hand, _: flash_board(options, hand))
            )

        if board.emulated or (home.micropython / board.micropython.file_name).exists():
            flash(download=False)
            return
        question = f"MicroPython for {name} is not here. Fetch {board.micropython.url}?"
        self.app.push_screen(
            Choice(question, [_FETCH, "leave it"]),
            lambda answer: flash(download=True) if answer == _FETCH else None,
        )

    def action_provision(self) -> None:
        """Provision the selected board."""
        if self._port is None or self._busy():
            return
        address, home = self._selected, self._home

        def begin(control: RunControl, approve: Callable[[Candidate], bool]) -> Generator[Any]:
            return provision_board(ProvisionOptions(port=address, home=home), approve, control)

        self._begin(Job(f"provisioning {address}", address, begin))

    def _begin(self, job: Job) -> None:
        self._job = job
        self._trouble = ""
        job.start()
        self._show()

    def _busy(self) -> bool:
        return self._job is not None and self._job.outcome is None

    def action_answer(self, yes: bool) -> None:
        """Answer the question that waits; without one, n begins a note."""
        if self._job is not None and self._job.candidate is not None:
            self._job.answer(yes)
            self._show()
        elif not yes:
            self._note()

    def action_stop(self) -> None:
        """Ask the work to stop."""
        if self._job is not None and self._busy():
            self._job.stop()

    def _note(self) -> None:
        story = self._story
        if story is None:
            return

        def keep(event: str, text: str | None) -> None:
            if text is None:
                return
            try:
                note_life(self._home, story.facts.chip_id, event, at_ms=utc_ms(), text=text)
            except WattestError as exc:
                self._trouble = str(exc)
            self._read_story()
            self._show()

        def ask(event: str | None) -> None:
            if event is not None:
                question = f"{event}: in your words"
                self.app.push_screen(Words(question), lambda text: keep(event, text))

        self.app.push_screen(Choice("What happened to this board?", list(LIFE_EVENTS)), ask)

    # ---- console -----------------------------------------------------------------------------

    def action_console(self) -> None:
        """Follow the selected port's console, or stop."""
        address = self._selected
        was = self._tap.address if self._tap is not None else ""
        self._close_tap()
        if address and address != was:
            try:
                self._tap = Tap(address, self._home)
                self._trouble = ""
            except WattestError as exc:
                self._trouble = exc.diagnostics()
        self._show()

    def _close_tap(self) -> None:
        if self._tap is not None:
            self._tap.close()
            self._tap = None

    def action_send(self, text: str) -> None:
        """Give the board a key."""
        if self._tap is not None:
            self._trouble = self._tap.send(text.encode())
            self._show()

    def action_reset(self) -> None:
        """Reset the board with the recorder listening."""
        if self._tap is not None:
            self._trouble = self._tap.reset()
            self._show()

    # ---- the rest ----------------------------------------------------------------------------

    def _tick(self) -> None:
        news = False
        if self._job is not None and self._job.take():
            news = True
            if self._job.outcome is not None:
                self.action_scan()
        if self._tap is not None and self._tap.take():
            news = True
        if news:
            self._show()

    def _show(self) -> None:
        """Bring the panels up to date."""
        head = paint.head_line(
            str(self._home.path),
            len(self._ports),
            self._remarks,
            self._trouble or self._scan_trouble,
        )
        self.query_one("#boards-head", Static).update(head)
        self.query_one("#boards-keys", Static).update(paint.key_line(self._job))
        passport = self.query_one("#passport", Panel)
        passport.update(paint.passport_text(self._story, utc_ms(), self._port))
        work = self.query_one("#work", Panel)
        work.border_title = paint.job_title(self._job)
        size = work.content_size
        work.update(paint.job_text(self._job, size.height, size.width))
        console = self.query_one("#console", Panel)
        console.border_title = paint.console_title(self._tap)
        size = console.content_size
        console.update(paint.console_text(self._tap, size.height, size.width))

    def action_help(self) -> None:
        """Open the help."""
        self.app.push_screen(BoardsHelp())

    def action_leave(self) -> None:
        """Quit."""
        self.app.exit()
