"""A load played to live nodes through their test input: signed as such, ended on every way out."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from live_harness import Boards, audit, check_complete, wait_for

from wattest.cli.main import main
from wattest.errors import ConfigError
from wattest.operations.control import RunControl
from wattest.operations.events import (
    ConsolePrinted,
    RecordLogged,
    RunEvent,
    RunFinished,
    StatementDrawn,
)
from wattest.operations.live.collect import collect_live
from wattest.operations.live.played_input import InputPlan, input_plans
from wattest.wire import EventKind, Record

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(sys.platform == "win32", reason="this system has no pseudo terminals"),
]
S = 1_000_000_000
LOAD = """
name = "steps"
seed = 1
epoch = 2026-06-15T00:00:00Z
duration = "30s"
interval = "1s"
[[node]]
name = "bench"
load = { kind = "steps", steps = [["0s", 3600], ["7s", -1800], ["12s", 720], ["25s", 4320]] }
"""


@pytest.fixture(scope="module")
def boards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Boards]:
    """Boards with a load of their own, ten seconds a second."""
    up = Boards(tmp_path_factory.mktemp("boards"))
    up.start()
    yield up
    up.end()


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("collected") / "out"


def plans(boards: Boards, folder: Path, text: str = LOAD, node: str | None = None):
    (folder / "load.toml").write_text(text)
    return input_plans(folder / "load.toml", node, boards.file.ports, step_ns=S)


def record_of(event: RunEvent) -> Record:
    assert isinstance(event, RecordLogged)
    assert event.verdict.record is not None
    return event.verdict.record


def changes(seen: list[RunEvent]) -> list[Record]:
    """Return the records of the events that say the input changed."""
    records = [record_of(event) for event in seen if isinstance(event, RecordLogged)]
    events = [record for record in records if record.event is not None]
    return [r for r in events if r.event is not None and r.event.kind is EventKind.INPUT]


def readings(seen: list[RunEvent]) -> list[Record]:
    """Return the readings among what happened."""
    records = [record_of(event) for event in seen if isinstance(event, RecordLogged)]
    return [record for record in records if record.event is None]


def inputs_of(seen: list[RunEvent]) -> list[int]:
    return [int(record.input) for record in readings(seen)]


def fields_of(seen: list[RunEvent]) -> list[dict[int, object]]:
    """Return what the changes of the input say: key 2 the input before, key 3 after."""
    return [dict(r.event.fields) for r in changes(seen) if r.event is not None]


def is_input_event(event: RunEvent) -> bool:
    return isinstance(event, RecordLogged) and bool(changes([event]))


def test_what_is_played_is_what_is_signed_and_it_is_a_test(
    boards: Boards, out: Path, tmp_path: Path
) -> None:
    control = RunControl()
    inputs = plans(boards, tmp_path)
    with closing(collect_live(boards.file, out, control=control, inputs=inputs)) as events:
        seen = wait_for(events, is_input_event, "beginning")
        seen += wait_for(events, is_input_event, "end")
        seen += wait_for(events, lambda event: isinstance(event, StatementDrawn), "statement")
        control.stopped = True
        seen += list(events)
    begun, ended = changes(seen)
    records = [record_of(event) for event in seen if isinstance(event, RecordLogged)]
    between = [r for r in records if begun.mono_ms < r.mono_ms <= ended.mono_ms]
    readings = [record for record in between if record.event is None]
    assert {int(record.input) for record in readings} == {1}
    # Each is a level that was played; when it arrived depends on how busy this machine is.
    powers = {round(record.registers[3].mantissa / 1000) for record in readings[1:]}
    assert powers <= {3600, -1800, 720, 4320}
    assert len(powers) >= 3
    assert begun.registers[0].mantissa < ended.registers[0].mantissa
    assert begun.registers[1].mantissa < ended.registers[1].mantissa
    told = [event.text for event in seen if isinstance(event, ConsolePrinted)]
    assert any("test input: " in text and "asked for in" in text for text in told)
    drawn = [event.statement for event in seen if isinstance(event, StatementDrawn)]
    assert all(statement.test for statement in drawn)
    assert isinstance(seen[-1], RunFinished)
    audit(out)
    check_complete(out)


@pytest.mark.parametrize("way", ["stop", "close"])
def test_node_is_back_at_its_sensor_whichever_way_it_ends(
    boards: Boards, out: Path, tmp_path: Path, way: str
) -> None:
    control = RunControl()
    inputs = plans(boards, tmp_path)
    with closing(collect_live(boards.file, out, control=control, inputs=inputs)) as events:
        seen = wait_for(events, is_input_event, "beginning")
        if way == "stop":
            control.stopped = True
            seen += list(events)
            assert any("asked for in" in e.text for e in seen if isinstance(e, ConsolePrinted))
    with closing(collect_live(boards.file, out)) as later:
        seen += wait_for(later, is_input_event, "end") if len(changes(seen)) == 1 else []
    assert len(changes(seen)) == 2


def test_node_whose_sensor_is_played_states_it_while_it_is_collected(
    boards: Boards, out: Path
) -> None:
    name = boards.file.ports[0].expected.name
    control = RunControl()
    with closing(collect_live(boards.file, out, control=control, inputs={name: None})) as events:
        seen = wait_for(events, is_input_event, "beginning")
        seen += wait_for(events, lambda event: bool(readings([event])), "reading")
        assert readings(seen)[-1].input == 2
        control.stopped = True
        seen += list(events)
    with closing(collect_live(boards.file, out)) as later:
        seen += wait_for(later, is_input_event, "end") if len(changes(seen)) == 1 else []
    assert fields_of(seen) == [{2: 0, 3: 2}, {2: 2, 3: 0}]


def test_a_collector_that_is_killed_leaves_the_node_at_its_sensor_within_a_minute(
    boards: Boards, out: Path, tmp_path: Path
) -> None:
    (tmp_path / "load.toml").write_text(LOAD.replace('"30s"', '"1h"'))
    command = ["tui", "--live", "--headless", "--ports", str(boards.home), "--out", str(out)]
    command += ["--home", str(tmp_path / "home"), "--test-input", str(tmp_path / "load.toml")]
    with subprocess.Popen(
        [sys.executable, "-m", "wattest.cli.main", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as killed:
        assert killed.stderr is not None
        assert any("test input: " in line for line in killed.stderr)
        assert any("records, ledger of" in line for line in killed.stderr)
        killed.kill()
    with closing(collect_live(boards.file, out)) as events:
        # A reading measured before the input was played may be sent once more: only the change
        # itself says the node went back.
        wait_for(events, lambda event: fields_of([event]) == [{2: 1, 3: 0}], "sensor")
        # The reading whose interval holds the change still counts as a test; the next does not.
        wait_for(events, lambda event: inputs_of([event]) == [0], "reading of the sensor")


def test_command_plays_and_says_so(
    boards: Boards, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "load.toml"
    path.write_text(LOAD)
    command = ["tui", "--live", "--headless", "--ports", str(boards.home), "--out", str(out)]
    command += ["--home", str(tmp_path / "home"), "--for", "12s", "--json"]
    code = main([*command, "--test-input", f"{path}:bench", "--test-step", "2s"])
    printed = capsys.readouterr()
    assert code in (0, 1), printed.err
    assert "wattest: test input: " in printed.err
    assert json.loads(printed.out)["nodes"][0]["readings"] > 0


@pytest.mark.parametrize(
    ("text", "node", "message"),
    [
        (LOAD, "mill", "one of bench expected"),
        (LOAD.replace('"bench"', '"a"') + LOAD[LOAD.index("[[node]]") :], None, "a node named"),
        (LOAD, None, ""),
    ],
)
def test_whose_load_it_is_must_be_clear(
    boards: Boards, tmp_path: Path, text: str, node: str | None, message: str
) -> None:
    if not message:
        (plan,) = plans(boards, tmp_path, text, node).values()
        assert isinstance(plan, InputPlan)
        return
    with pytest.raises(ConfigError, match=message):
        plans(boards, tmp_path, text, node)
