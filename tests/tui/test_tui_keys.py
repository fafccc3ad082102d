"""Every key of the main screen and of the sheets, pressed by a pilot."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from scripted import Script, keep, story, whole_story
from textual.pilot import Pilot
from textual.widgets import Static

from wattest.operations.control import Request, RunControl
from wattest.operations.kept.stored import stored_events
from wattest.scenario import FaultKind
from wattest.tui.app import BenchApp
from wattest.tui.help_sheet import HelpSheet
from wattest.tui.ledger_sheet import LedgerSheet
from wattest.tui.log_sheet import LogSheet
from wattest.tui.main_screen import MainScreen
from wattest.tui.model import RunView
from wattest.tui.node_table import NodeTable
from wattest.tui.reading_sheet import ReadingSheet
from wattest.tui.statement_sheet import StatementSheet

Steps = Callable[[Pilot[None]], Awaitable[None]]


def viewed(events=None) -> RunView:
    view = RunView()
    for event in story() if events is None else events:
        view.apply(event)
    return view


def pressed(
    steps: Steps,
    *,
    view: RunView | None = None,
    control: RunControl | None = None,
    kept: bool = False,
    size: tuple[int, int] = (120, 36),
) -> BenchApp:
    """Run the application over a view that stands still, and let a pilot do ``steps``."""
    app = BenchApp(view or viewed(), control or RunControl(speed=60.0), kept=kept)

    async def session() -> None:
        async with app.run_test(size=size) as pilot:
            await steps(pilot)

    asyncio.run(session())
    return app


def shown(pilot: Pilot[None], name: str) -> str:
    return str(pilot.app.screen.query_one(f"#{name}", Static).content)


def test_space_pauses_and_goes_on_and_says_so() -> None:
    control = RunControl(speed=60.0)
    seen = []

    async def steps(pilot: Pilot[None]) -> None:
        for _ in range(2):
            await pilot.press("space")
            seen.append((control.paused, "PAUSED" in shown(pilot, "clock")))

    pressed(steps, control=control)
    assert seen == [(True, True), (False, False)]


def test_events_may_come_before_the_screen_is_laid_out() -> None:
    MainScreen(viewed(), RunControl()).show()


def test_boards_on_ports_are_neither_attacked_nor_paused_nor_hurried() -> None:
    control = RunControl(speed=1.0)
    view = RunView(live=True)
    view.apply(next(iter(story())))

    async def steps(pilot: Pilot[None]) -> None:
        assert "attack" not in shown(pilot, "keys") + shown(pilot, "banner")
        assert "speed" not in shown(pilot, "keys") + shown(pilot, "clock")
        assert "collecting" in shown(pilot, "clock")
        await pilot.press("p")
        assert "boards on ports are not attacked" in shown(pilot, "banner")
        await pilot.press("space", "plus", "m")
        assert "keep their own time" in shown(pilot, "banner")
        assert (control.paused, control.speed) == (False, 1.0)
        assert not view.open_faults

    pressed(steps, view=view, control=control)


def test_plus_minus_and_m_change_the_speed_and_the_clock_line() -> None:
    control = RunControl(speed=60.0)
    seen = []

    async def steps(pilot: Pilot[None]) -> None:
        for key in ("plus", "minus", "minus", "m", "plus", "minus"):
            await pilot.press(key)
            seen.append((control.speed, shown(pilot, "clock").partition("speed ")[2].split()[0]))

    pressed(steps, control=control)
    assert seen == [
        (300.0, "300x"),
        (60.0, "60x"),
        (10.0, "10x"),
        (None, "max"),
        (None, "max"),
        (3600.0, "3600x"),
    ]


def test_digits_and_arrows_select_a_node_in_every_panel() -> None:
    seen = []

    async def steps(pilot: Pilot[None]) -> None:
        screen = pilot.app.screen
        for key in ("3", "up", "down", "down", "1", "9"):
            await pilot.press(key)
            titles = {str(screen.query_one(f"#{name}").border_title) for name in ("twin", "power")}
            seen.append(sorted(title.replace("twin of ", "")[:4] for title in titles))

    pressed(steps)
    assert [names[0] for names in seen] == ["oven", "lamp", "oven", "oven", "pump", "pump"]
    assert all(first == second for first, second in seen)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("p", FaultKind.POWER_CUT),
        ("u", FaultKind.UNPLUG),
        ("f", FaultKind.FLIP_BIT),
        ("F", FaultKind.FORGE),
        ("r", FaultKind.REPLAY),
        ("c", FaultKind.CLONE),
    ],
)
def test_an_attack_key_asks_for_its_fault_on_the_selected_node(key: str, kind: FaultKind) -> None:
    control = RunControl()
    banner = []

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("2", key)
        banner.append(shown(pilot, "banner"))

    pressed(steps, control=control)
    assert control.requests() == [Request(kind=kind, node="lamp")]
    assert banner == [f" {kind.value} on lamp: asked for"]


@pytest.mark.parametrize("kept", [True, False])
def test_a_run_that_is_over_cannot_be_attacked(kept: bool) -> None:
    control = RunControl()
    seen = []

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("F")
        seen.extend([shown(pilot, "banner"), shown(pilot, "keys")])

    pressed(steps, view=viewed(whole_story()), control=control, kept=kept)
    assert control.requests() == []
    assert "nothing is running" in seen[0]
    assert "nothing is running" in seen[1]


def test_enter_opens_the_newest_arrival_and_the_arrows_walk_through_the_others() -> None:
    texts = []

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, ReadingSheet)
        texts.append(shown(pilot, "sheet-text"))
        for key in ("left", "left", "left", "right"):
            await pilot.press(key)
            texts.append(shown(pilot, "sheet-text"))
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, MainScreen)

    pressed(steps)
    firsts = [text.splitlines()[0] for text in texts]
    assert firsts == [
        "✗ refused: bad-signature",
        "✗ not counted: replay",
        "✗ frame lost: crc",
        "✓ verified",
        "✗ frame lost: crc",
    ]


def test_an_opened_forgery_shows_the_step_that_failed_and_that_it_is_unverified() -> None:
    texts = []

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        texts.append(shown(pilot, "sheet-text"))

    pressed(steps)
    (text,) = texts
    assert " 2 ✓ passed  key: enrolled" in text
    assert " 3 ✗ failed  signature: ES256 over the exact bytes" in text
    assert " 4 · skipped" in text
    assert "UNVERIFIED: nothing of this is believed" in text
    assert "bad-signature (error)" in text


def test_an_opened_reading_shows_words_envelope_and_bytes() -> None:
    texts = []

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("3", "enter")
        texts.append(shown(pilot, "sheet-text"))

    pressed(steps)
    (text,) = texts
    assert text.count("✓ passed") == 12
    assert "active energy import  20.000 Wh" in text
    assert "signature r" in text
    assert "0000  d2 84 58" in text
    assert "UNVERIFIED" not in text


def test_n_jumps_over_clean_readings_to_the_older_one_with_a_finding() -> None:
    texts = []
    script = Script()
    events = [script.start(), *script.minute(), *script.forge("pump")]
    for _ in range(5):
        events += script.minute()

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("enter", "n")
        texts.append(shown(pilot, "sheet-text"))
        await pilot.press("n")
        texts.append(shown(pilot, "sheet-text"))

    pressed(steps, view=viewed(events))
    assert [text.splitlines()[0] for text in texts] == ["✗ refused: bad-signature"] * 2


def test_enter_on_a_node_without_arrivals_opens_nothing() -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, MainScreen)

    pressed(steps, view=viewed([Script().start()]))


def test_l_shows_entries_and_proves_the_selected_one(tmp_path: Path) -> None:
    keep(tmp_path / "out")
    seen = []

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("l")
        await pilot.pause()
        assert isinstance(pilot.app.screen, LedgerSheet)
        seen.extend([shown(pilot, "sheet-title"), shown(pilot, "proof")])
        await pilot.press("down", "down", "r", "down")
        await pilot.pause()
        seen.append(shown(pilot, "proof"))
        await pilot.press("q")
        assert isinstance(pilot.app.screen, MainScreen)

    pressed(steps, view=viewed(stored_events(tmp_path / "out")), kept=True)
    assert seen[0] == " ledger of 95 entries, newest first"
    assert seen[1].startswith("✓ PROVED entry 94 is in the ledger")
    assert seen[2].startswith("✓ PROVED entry 93 is in the ledger")
    assert "signed checkpoint, its signature holds" in seen[2]


def test_l_says_why_there_is_nothing_to_prove() -> None:
    seen = []

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("l", "r")
        seen.append(shown(pilot, "proof"))

    pressed(steps)
    assert seen == ["this run keeps no ledger file; start it with --out DIR to see proofs"]


def test_l_says_in_one_line_that_the_ledger_cannot_be_read(tmp_path: Path) -> None:
    seen = []

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("l")
        seen.append(shown(pilot, "proof"))

    pressed(steps, view=viewed([Script(out=str(tmp_path / "gone")).start()]))
    assert seen == [f"{tmp_path / 'gone'}: no such folder; give the folder that `--out` named"]


def test_s_shows_the_running_statement_and_that_it_is_a_test() -> None:
    seen = []

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("s")
        assert isinstance(pilot.app.screen, StatementSheet)
        seen.append(shown(pilot, "sheet-text"))
        await pilot.press("right", "escape")

    pressed(steps)
    assert "RUNNING: a view of the period so far" in seen[0]
    assert "TEST: no claim for money" in seen[0]
    assert "5.70 EUR" in seen[0]


def test_s_before_the_first_statement_says_that_there_is_none() -> None:
    seen = []

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("s", "right")
        seen.append(shown(pilot, "sheet-text"))

    pressed(steps, view=viewed([Script().start()]))
    assert seen == ["nothing was drawn yet"]


def test_e_shows_the_whole_log_and_question_mark_the_help() -> None:
    seen = []

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("e")
        assert isinstance(pilot.app.screen, LogSheet)
        seen.append(shown(pilot, "sheet-text"))
        await pilot.press("escape", "question_mark")
        assert isinstance(pilot.app.screen, HelpSheet)
        seen.append(shown(pilot, "sheet-text"))
        await pilot.press("q")
        assert isinstance(pilot.app.screen, MainScreen)

    pressed(steps)
    assert "forge must end in bad-signature" in seen[0]
    assert "F  forge" in seen[1]


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
def test_q_and_the_interrupt_leave(key: str) -> None:
    app = pressed(lambda pilot: pilot.press(key))
    assert app.return_code == 0
    assert not app.is_running


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (120, 36), (200, 60), (40, 12)])
def test_nothing_breaks_at_any_size_and_verified_is_always_said_in_words(
    size: tuple[int, int],
) -> None:
    seen = []

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.pause()
        table = pilot.app.screen.query_one(NodeTable)
        seen.extend(str(cell) for row in range(3) for cell in table.get_row_at(row))

    pressed(steps, size=size)
    assert " ✓ verified" in seen
    assert " ~ stale" in seen


def test_before_the_boards_have_booted_the_screen_says_what_it_waits_for() -> None:
    seen = []

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("space", "space", "1", "enter", "F")
        seen.append(shown(pilot, "clock"))

    control = RunControl()
    pressed(steps, view=RunView(), control=control)
    assert "boards are being built" in seen[0]
    assert control.requests() == []
