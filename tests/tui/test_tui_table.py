"""The table of nodes: a thousand of them, and values that change their look as they age."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from scripted import NAMES, Script
from textual.pilot import Pilot

from wattest.operations.control import RunControl
from wattest.operations.events import RecordLogged, RunStarted
from wattest.tui.app import BenchApp
from wattest.tui.marks import STALE, VERIFIED, Tone
from wattest.tui.model import RunView
from wattest.tui.node_table import NodeTable, node_cells
from wattest.tui.paint import STYLES

NODES = 1_000


def crowd() -> RunView:
    """Return a run of a thousand nodes, each with the same twin."""
    script = Script()
    view = RunView()
    started = script.start()
    assert isinstance(started, RunStarted)
    names = [f"node-{number}" for number in range(NODES)]
    infos = tuple(replace(started.nodes[0], name=name, asset=name) for name in names)
    view.apply(replace(started, nodes=infos))
    (logged,) = [e for e in script.minute("pump") if isinstance(e, RecordLogged)]
    for name in names:
        view.apply(replace(logged, node=name))
    return view


def test_a_thousand_nodes_are_shown_row_by_row_as_they_come_into_sight() -> None:
    app = BenchApp(crowd(), RunControl())
    seen = []

    async def steps(pilot: Pilot[None]) -> None:
        table = pilot.app.screen.query_one(NodeTable)
        seen.append([str(cell) for cell in table.get_row_at(0)])
        seen.append([str(cell) for cell in table.get_row_at(NODES - 1)])
        await pilot.press("ctrl+end")
        await pilot.pause()
        seen.append([str(cell) for cell in table.get_row_at(NODES - 1)])

    async def session() -> None:
        async with app.run_test(size=(120, 36)) as pilot:
            await steps(pilot)

    asyncio.run(session())
    first, last_unseen, last = seen
    assert first[1] == " node-0"
    assert set(last_unseen) == {""}
    assert last[1] == " node-999"
    assert last[0].startswith("▸")
    assert " ✓ verified" in last


def test_histories_of_many_nodes_share_the_room_of_a_few() -> None:
    many, few = crowd(), RunView()
    few.apply(Script().start())
    assert many.nodes[0].arrivals.maxlen == 12
    assert few.nodes[0].arrivals.maxlen == 200


def test_a_value_that_goes_stale_changes_its_word_and_its_tone() -> None:
    script = Script()
    view = RunView()
    for event in (script.start(), *script.minute()):
        view.apply(event)
    fresh = node_cells(view.nodes[0], view.now_ms, 0, selected=False)
    stale = node_cells(view.nodes[0], view.now_ms + 600_000, 0, selected=False)
    assert (str(fresh["mark"]), str(stale["mark"])) == (str(VERIFIED), str(STALE))
    assert fresh["power"].plain == stale["power"].plain
    assert fresh["power"] != stale["power"]
    assert stale["power"].spans[0].style == STYLES[Tone.WARN]


def test_the_table_on_the_screen_follows_time_without_any_event() -> None:
    script = Script()
    view = RunView()
    for event in (script.start(), *script.minute()):
        view.apply(event)
    app = BenchApp(view, RunControl())
    seen = []

    async def session() -> None:
        async with app.run_test(size=(120, 36)) as pilot:
            view.now_ms += 600_000
            await pilot.press("space")
            table = pilot.app.screen.query_one(NodeTable)
            seen.extend(str(table.get_cell(name, "mark")) for name in NAMES)
            seen.extend(str(table.get_cell(name, "age")) for name in NAMES)

    asyncio.run(session())
    assert seen == [" ~ stale"] * 3 + [" 10 min old"] * 3
