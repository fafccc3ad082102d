"""The application over a real run: real firmware on emulated boards, attacked by a pilot."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from wattest.operations.control import RunControl
from wattest.operations.events import RecordLogged
from wattest.operations.kept.audit import AuditReport, audit_run
from wattest.operations.kept.stored import stored_events
from wattest.operations.virtual.run import RunOptions, run
from wattest.scenario import parse_scenario
from wattest.tui.app import BenchApp
from wattest.tui.feed import Feed
from wattest.tui.ledger_sheet import LedgerSheet
from wattest.tui.model import RunView

ATTACKS = {
    "p": ("power-cut", "recovered"),
    "u": ("unplug", "recovered"),
    "f": ("flip-bit", "frame-lost"),
    "F": ("forge", "bad-signature"),
    "r": ("replay", "replay"),
    "c": ("clone", "fork"),
}
SCENARIO = """
name = "attacked"
title = "six nodes, six attacks"
seed = 11
epoch = 2026-06-15T12:00:00Z
duration = "6m"
interval = "60s"
""" + "\n".join(
    f'[[node]]\nname = "node-{number}"\nload = {{ kind = "steps", steps = [["0s", 800]] }}'
    for number in range(1, 7)
)

WINDY = """
name = "windy"
seed = 3
epoch = 2026-06-15T12:00:00Z
duration = "4m"
interval = "60s"

[weather.harbour]
kind = "wind"
mean_m_s = 8
memory = "6h"
step = "60s"

[[node]]
name = "turbine"
load = { kind = "turbine", weather = "harbour", curve = "skystream-3.7" }
"""

pytestmark = pytest.mark.emulated


def twins_of(events) -> list[tuple[object, ...]]:
    """Return what a screen shows of each logged record."""
    return [
        (event.node, event.index, event.twin.energies, event.twin.expectation)
        for event in events
        if isinstance(event, RecordLogged)
    ]


def test_a_kept_run_shows_the_twins_and_expectations_that_the_live_run_showed(
    tmp_path: Path,
) -> None:
    """Goal: a kept run is as good a witness. Method: both tell their twins, record by record."""
    scenario = parse_scenario(WINDY, "windy.toml")
    live = twins_of(run(scenario, RunOptions(out=tmp_path / "out", seed=5)))
    assert any(expectation is not None for *_, expectation in live)
    assert twins_of(stored_events(tmp_path / "out")) == live


def test_every_attack_of_a_live_run_visibly_ends_in_its_verdict(tmp_path: Path) -> None:
    """Goal: what a person does to a node is caught, and the screen says so.

    Method: the run is paused while each node gets its attack; then it goes as fast as it can. The
    ledger is opened beside the run while it writes, and audited when it is over.
    """
    control = RunControl()
    control.paused = True
    view = RunView()
    options = RunOptions(out=tmp_path / "out")
    feed = Feed(lambda: run(parse_scenario(SCENARIO, "attacked.toml"), options, control))
    app = BenchApp(view, control, feed=feed)
    seen: dict[str, str] = {}

    async def until(pilot: Pilot[None], done) -> None:
        for _ in range(3_000):
            if done() or feed.error is not None:
                return
            await pilot.pause(0.02)

    async def session() -> None:
        async with app.run_test(size=(120, 36)) as pilot:
            await until(pilot, lambda: view.started)
            for number, key in enumerate(ATTACKS, 1):
                await pilot.press(str(number), key)
            await until(pilot, lambda: len(view.open_faults) + len(view.judged) >= len(ATTACKS))
            await pilot.press("space")
            await until(pilot, lambda: view.checkpoint and view.checkpoint.size > 50)
            await pilot.press("l")
            await pilot.pause()
            assert isinstance(app.screen, LedgerSheet)
            seen["proof"] = str(app.screen.query_one("#proof", Static).content)
            await pilot.press("escape")
            await until(pilot, lambda: view.finished)
            await pilot.pause(0.2)
            seen["banner"] = str(app.screen.query_one("#banner", Static).content)

    asyncio.run(session())
    control.stopped = True
    assert feed.join(60)
    assert feed.error is None
    judged = {fault.kind: fault for fault in view.judged}
    assert {kind: fault.passed for kind, fault in judged.items()} == {
        kind: True for kind, _ in ATTACKS.values()
    }
    for kind, verdict in ATTACKS.values():
        assert verdict in judged[kind].got.split(", ")
        assert any(f"AS EXPECTED: {kind}" in line.text for line in view.log)
    assert "✓ PROVED entry" in seen["proof"]
    assert seen["banner"] == " finished. PASS: every verdict is as the scenario expects"
    (report,) = [e for e in audit_run(tmp_path / "out") if isinstance(e, AuditReport)]
    assert report.problems == ()
