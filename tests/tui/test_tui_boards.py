"""The boards screen without boards: what it shows, what its keys do, what it asks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, OptionList, Static

from wattest.boards import load_board
from wattest.errors import FlashError, StoreError
from wattest.link.holder import Holder, Holders
from wattest.operations.commission.flash_events import ChipFound, Flashed, Interrupted, Moved, Step
from wattest.operations.commission.home import Home
from wattest.operations.commission.passport import LIFE_EVENTS
from wattest.operations.commission.provision_events import (
    Candidate,
    Declined,
    Enrolled,
    NodeProven,
    StepBegun,
)
from wattest.operations.commission.scan import FoundPort, Scan
from wattest.store import Passport, PassportEvent
from wattest.tui.boards import boards_screen as screen_module
from wattest.tui.boards.app import BoardsApp
from wattest.tui.boards.choice import Choice, Words
from wattest.tui.boards.sheets import BoardsHelp, PassportSheet
from wattest.wire import EnrolmentKind

CHIP = "240ac4000001"
PORT = FoundPort(
    address="/dev/ttyUSB0",
    description="CP2102N",
    boards=("esp32-devkitc",),
    chip_id=CHIP,
    holders=Holders(),
)
OTHER = FoundPort(
    address="/dev/ttyUSB1",
    description="CP2102N",
    boards=("esp32-devkitc", "esp32-c3-devkitm-1"),
    holders=Holders(found=(Holder(pid=4711, name="minicom"),)),
)
CANDIDATE = Candidate(
    board="esp32-devkitc",
    title="ESP32-DevKitC",
    chip="esp32",
    chip_id=CHIP,
    serial="WT-240AC4000001",
    name="wt-240ac4000001",
    asset="heat-pump",
    kind=EnrolmentKind.REAL,
    kid=bytes(8),
    fingerprint=" ".join(["abcd"] * 16),
    cfg="00" * 16,
    software="wattest-node 0.1.0",
    backlog=3,
)
FLASHED = Flashed(
    board="esp32-devkitc",
    chip_id=CHIP,
    cached=False,
    cfg="00" * 16,
    image_sha256="11" * 32,
    micropython="v1.27.0",
    micropython_sha256="22" * 32,
    kid="00" * 8,
    serial="WT-240AC4000001",
    bootcount=1,
    new_key=False,
)
Steps = Callable[[Pilot[None]], Awaitable[None]]


def shown(pilot: Pilot[None], name: str) -> str:
    return str(pilot.app.screen.query_one(f"#{name}", Static).content)


async def settled(pilot: Pilot[None], has: Callable[[], bool]) -> None:
    """Let the application turn until something holds; the test's own time limit is the end."""
    while not has():
        await pilot.pause(0.02)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.make(home.micropython)
    for name in ("esp32-devkitc", "esp32-c3-devkitm-1"):
        (home.micropython / load_board(name).micropython.file_name).touch()
    with Passport(home.passport) as passport:
        passport.note(
            CHIP, PassportEvent.FLASHED, {"board": "esp32-devkitc", "version": "0.1.0"}, at_ms=0
        )
    return home


def used(home: Home, steps: Steps, *ports: FoundPort, scanner=None) -> None:
    """Open the screen over some ports and let a pilot do ``steps``."""
    found = ports or (PORT, OTHER)
    app = BoardsApp(home, scanner or (lambda: Scan(ports=found, remarks=())))

    async def session() -> None:
        async with app.run_test(size=(120, 36)) as pilot:
            await settled(pilot, lambda: scanner is not None or has_rows(pilot, len(found)))
            await steps(pilot)

    asyncio.run(asyncio.wait_for(session(), 30))


def has_rows(pilot: Pilot[None], count: int) -> bool:
    return pilot.app.screen.query_one(DataTable).row_count == count


def flashing(monkeypatch: pytest.MonkeyPatch, *events: object) -> list[object]:
    """Have flashing tell these events, or raise the one that is an exception."""
    asked: list[object] = []

    def flash(options, control):
        asked.append(options)
        for event in events:
            if isinstance(event, Exception):
                raise event
            yield event

    monkeypatch.setattr(screen_module, "flash_board", flash)
    return asked


def test_ports_are_listed_with_what_is_known_of_the_boards_behind_them(home: Home) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        table = pilot.app.screen.query_one(DataTable)
        assert table.get_row_at(0) == ["/dev/ttyUSB0", "esp32-devkitc", CHIP, "", "flashed"]
        assert table.get_row_at(1)[1] == "esp32-devkitc or esp32-c3-devkitm-1"
        assert table.get_row_at(1)[4] == "in use by minicom"
        assert CHIP in shown(pilot, "passport")
        await pilot.press("down")
        assert "no passport yet" in shown(pilot, "passport")
        await pilot.press("up", "enter")
        assert isinstance(pilot.app.screen, PassportSheet)
        await pilot.press("escape", "question_mark")
        assert isinstance(pilot.app.screen, BoardsHelp)

    used(home, steps)


def test_flashing_shows_its_steps_its_progress_and_its_end(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def flash(options, control):
        yield Step(text="looking for the chip")
        yield ChipFound(chip="esp32", chip_id=CHIP, flash_bytes=4 << 20)
        yield Moved(done_bytes=512 << 10, total_bytes=1024 << 10)
        assert go_on.wait(20)
        yield FLASHED

    monkeypatch.setattr(screen_module, "flash_board", flash)

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("f")
        await settled(pilot, lambda: "512 of 1024 KiB" in shown(pilot, "work"))
        assert "found esp32, chip 240ac4000001, 4 MiB of flash" in shown(pilot, "work")
        assert "esc stop it" in shown(pilot, "boards-keys")
        await pilot.press("p")  # one thing at a time
        go_on.set()
        await settled(pilot, lambda: "written and verified" in shown(pilot, "work"))
        title = str(pilot.app.screen.query_one("#work").border_title)
        assert title == "flashing /dev/ttyUSB0: done"

    used(home, steps)


def test_a_port_that_fits_several_boards_is_asked_about(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = flashing(monkeypatch, FLASHED)

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("down", "F")
        assert isinstance(pilot.app.screen, Choice)
        options = pilot.app.screen.query_one(OptionList)
        assert options.option_count == 2
        await pilot.press("enter")
        await settled(pilot, lambda: bool(asked))
        assert asked[0].board.name == "esp32-c3-devkitm-1"
        assert asked[0].force
        await pilot.press("F", "escape")
        assert len(asked) == 1

    used(home, steps)


@pytest.mark.parametrize("wanted", [True, False])
def test_micropython_is_fetched_only_after_a_person_said_so(
    home: Home, monkeypatch: pytest.MonkeyPatch, wanted: bool
) -> None:
    asked = flashing(monkeypatch, FLASHED)
    (home.micropython / load_board("esp32-devkitc").micropython.file_name).unlink()

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("f")
        assert isinstance(pilot.app.screen, Choice)
        assert asked == []
        await pilot.press(*(("enter",) if wanted else ("down", "enter")))
        await settled(pilot, lambda: not isinstance(pilot.app.screen, Choice))
        await settled(pilot, lambda: bool(asked) is wanted)

    used(home, steps)
    assert [options.download for options in asked] == ([True] if wanted else [])


@pytest.mark.parametrize(
    ("event", "words", "title"),
    [
        (FlashError("another chip", hint="look at the board"), "another chip; look at", "failed"),
        (Interrupted(text="interrupted: half is written"), "half is written", "stopped"),
    ],
    ids=["failed", "interrupted"],
)
def test_what_goes_wrong_stands_in_the_panel(
    home: Home, monkeypatch: pytest.MonkeyPatch, event: object, words: str, title: str
) -> None:
    flashing(monkeypatch, event)

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("f")
        await settled(pilot, lambda: words in shown(pilot, "work"))
        assert str(pilot.app.screen.query_one("#work").border_title).endswith(title)

    used(home, steps)


def test_what_to_do_next_is_not_cut_off_at_the_edge_of_the_panel(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    flashing(monkeypatch, FlashError("words " * 20 + "at last", hint="hold the BOOT button"))

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("f")
        await settled(pilot, lambda: "BOOT button" in shown(pilot, "work"))
        width = pilot.app.screen.query_one("#work").content_size.width
        assert max(len(line) for line in shown(pilot, "work").splitlines()) <= width

    used(home, steps)


@pytest.mark.parametrize("yes", [True, False])
def test_a_node_is_enrolled_only_after_a_person_said_yes(
    home: Home, monkeypatch: pytest.MonkeyPatch, yes: bool
) -> None:
    said = []

    def provision(options, approve, control):
        yield StepBegun(what="challenging the node")
        yield NodeProven(candidate=CANDIDATE)
        said.append(approve(CANDIDATE))
        out = home.collected
        yield (
            Enrolled(candidate=CANDIDATE, index=7, out=out, ports=home.ports)
            if said[0]
            else Declined(candidate=CANDIDATE)
        )

    monkeypatch.setattr(screen_module, "provision_board", provision)

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("p")
        await settled(pilot, lambda: "is this the board" in shown(pilot, "work"))
        assert "fingerprint  abcd abcd" in shown(pilot, "work")
        assert "y enrol this node" in shown(pilot, "boards-keys")
        assert said == []
        await pilot.press("y" if yes else "n")
        words = "is enrolled: entry 7" if yes else "not enrolled; the board meters on"
        await settled(pilot, lambda: words in shown(pilot, "work"))
        assert said == [yes]

    used(home, steps)


def test_leaving_while_a_question_waits_enrols_nobody(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []

    def provision(options, approve, control):
        said.append(approve(CANDIDATE))
        yield Declined(candidate=CANDIDATE)

    monkeypatch.setattr(screen_module, "provision_board", provision)

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("p")
        await settled(pilot, lambda: "is this the board" in shown(pilot, "work"))
        await pilot.press("q")

    used(home, steps)
    assert said == [False]


def test_a_life_event_is_noted_in_words(home: Home) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("n")
        assert isinstance(pilot.app.screen, Choice)
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, Words)
        pilot.app.screen.query_one(Input).value = "new USB socket"
        await pilot.press("enter")
        await settled(pilot, lambda: "new USB socket" in shown(pilot, "passport"))

    used(home, steps)
    with Passport(home.passport) as passport:
        assert passport.events(CHIP)[-1].kind == "repair"


def test_a_life_event_that_is_left_is_not_noted(home: Home) -> None:
    """Goal: who thinks better of retiring a board has not retired it."""

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("n", *["down"] * list(LIFE_EVENTS).index("retire"), "enter")
        assert isinstance(pilot.app.screen, Words)
        await pilot.press("escape")
        await settled(pilot, lambda: not isinstance(pilot.app.screen, Words))

    used(home, steps)
    with Passport(home.passport) as passport:
        assert [event.kind for event in passport.events(CHIP)] == ["flashed"]


def test_a_scan_that_fails_is_one_line_and_the_screen_goes_on(home: Home) -> None:
    def scanner() -> Scan:
        raise StoreError("passport.sqlite: cannot be read")

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot, lambda: "cannot be read" in shown(pilot, "boards-head"))
        await pilot.press("f", "p", "enter", "c")
        assert "nothing is being done" in shown(pilot, "work")

    used(home, steps, scanner=scanner)


def test_a_console_that_cannot_be_opened_says_why(home: Home, tmp_path: Path) -> None:
    nowhere = FoundPort(
        address=str(tmp_path / "tty"), description="gone", boards=(), holders=Holders()
    )

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("c")
        await settled(pilot, lambda: "no such port" in shown(pilot, "boards-head"))

    used(home, steps, nowhere)


def test_reset_of_a_board_without_control_lines_is_answered(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stays until something else is done: a scan comes every few seconds."""

    class Deaf:
        address, trouble, ours, items = PORT.address, "", True, ()

        def __init__(self, *_: object) -> None: ...

        def take(self) -> bool:
            return False

        def reset(self) -> str:
            return "has no control lines"

        def close(self) -> None: ...

    monkeypatch.setattr(screen_module, "Tap", Deaf)

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("c", "R")
        assert "no control lines" in shown(pilot, "boards-head")
        await pilot.press("r")
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert "no control lines" in shown(pilot, "boards-head")
        await pilot.press("down")
        assert "no control lines" not in shown(pilot, "boards-head")

    used(home, steps)


def test_the_boards_screen_looks_as_it_did(home: Home, snap_compare) -> None:
    quiet = Home(Path("/home"))
    app = BoardsApp(quiet, lambda: Scan(ports=(PORT, OTHER), remarks=()))

    async def before(pilot: Pilot[None]) -> None:
        await settled(pilot, lambda: has_rows(pilot, 2))

    assert snap_compare(app, run_before=before, terminal_size=(100, 30))
