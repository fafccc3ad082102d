"""What the screens look like, compared with what they looked like before.

The views show the run's own time only, so the same events give the same picture anywhere. After a
wanted change: pytest tests/tui/test_tui_snapshots.py --snapshot-update, then look at the files.
"""

from __future__ import annotations

import pytest
from scripted import Script, story, whole_story

from wattest.operations.control import RunControl
from wattest.tui.app import BenchApp
from wattest.tui.model import RunView


def app_of(events) -> BenchApp:
    view = RunView()
    for event in events:
        view.apply(event)
    return BenchApp(view, RunControl(speed=60.0))


@pytest.mark.parametrize("size", [(120, 36), (100, 30), (80, 24)], ids=lambda size: f"{size[0]}")
def test_main_screen_after_three_attacks(snap_compare, size: tuple[int, int]) -> None:
    assert snap_compare(app_of(story()), terminal_size=size)


def test_main_screen_of_a_finished_run(snap_compare) -> None:
    assert snap_compare(app_of(whole_story()), press=["2"], terminal_size=(100, 30))


def test_forged_reading_opened(snap_compare) -> None:
    assert snap_compare(app_of(story()), press=["enter"], terminal_size=(100, 40))


def test_running_statement_opened(snap_compare) -> None:
    assert snap_compare(app_of(story()), press=["s"], terminal_size=(100, 30))


def test_a_node_in_doubt_beside_one_without_readings(snap_compare) -> None:
    script = Script()
    events = [script.start(), *script.minute("pump")]
    events += script.send("pump", script.nodes["pump"].sealed(2, 10**9))
    assert snap_compare(app_of(events), terminal_size=(100, 30))
