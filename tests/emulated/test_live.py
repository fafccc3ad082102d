"""Collecting from boards on pseudo terminals: unplugged, reset, shared, restarted."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from live_harness import Boards, audit, check_complete, is_free, say_at_console, wait_for

from wattest.cli.main import main
from wattest.errors import ConfigError, LinkError
from wattest.operations.control import RunControl
from wattest.operations.events import (
    ConsolePrinted,
    FaultJudged,
    NodeChanged,
    RecordLogged,
    RunEvent,
    RunFinished,
)
from wattest.operations.kept.ledger_view import open_view
from wattest.operations.kept.stored import stored_events
from wattest.operations.live.collect import collect_live
from wattest.operations.rundir import RunDir
from wattest.operations.standing.board_up import BoardsOptions, boards_up
from wattest.scenario import FaultKind
from wattest.verify import EnrolmentKind, Severity
from wattest.wire import parse_enrolment

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(sys.platform == "win32", reason="this system has no pseudo terminals"),
]

NODE = "feeder"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Boards]:
    """Boards that several tests collect from, one after the other."""
    boards = Boards(tmp_path_factory.mktemp("shared"))
    boards.start()
    yield boards
    boards.end()


@pytest.fixture(scope="module")
def collected(shared: Boards, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one collection of the shared boards: what a node was told to forget is only here."""
    return tmp_path_factory.mktemp("collected") / "out"


def is_reading(event: RunEvent) -> bool:
    return isinstance(event, RecordLogged) and event.verdict.record.event is None


def is_change(state: str):
    return lambda event: isinstance(event, NodeChanged) and event.state == state


def end(events: Iterator[RunEvent], control: RunControl) -> RunFinished:
    control.stopped = True
    *_, finished = wait_for(events, lambda event: isinstance(event, RunFinished), "end")
    assert next(events, None) is None, "RunFinished is last"
    assert isinstance(finished, RunFinished)
    return finished


def collect_some(boards: Boards, out: Path) -> RunFinished:
    control = RunControl()
    events = collect_live(boards.file, out, control=control)
    for _ in range(3):
        wait_for(events, is_reading, "reading")
    return end(events, control)


def worst_of(events: list[RunEvent]) -> Severity:
    findings = [f for e in events if isinstance(e, RecordLogged) for f in e.verdict.findings]
    return max((finding.severity for finding in findings), default=Severity.NOTICE)


def test_readings_are_collected_and_pass_the_audit(shared: Boards, collected: Path) -> None:
    finished = collect_some(shared, collected)
    assert finished.passed, finished.reasons
    assert [node.node for node in finished.nodes] == [NODE]
    assert audit(collected).records >= 3
    check_complete(collected)
    assert is_free(shared.file.ports[0].address), "the port is let go"


def test_kept_collection_can_be_looked_at_again(shared: Boards, collected: Path) -> None:
    collect_some(shared, collected)
    told = list(stored_events(collected))
    assert any(isinstance(event, RecordLogged) for event in told)
    assert isinstance(told[-1], RunFinished)
    assert told[-1].passed


def test_emulated_boards_are_enrolled_as_what_they_are(shared: Boards, collected: Path) -> None:
    collect_some(shared, collected)
    with open_view(collected) as view:
        enrolments = [parse_enrolment(e.body) for e in view.entries() if e.kind == 3]
    assert [(e.kind, e.demo, e.serial) for e in enrolments] == [
        (EnrolmentKind.EMULATED, True, f"DEMO-{NODE}")
    ]
    assert RunDir(collected).read_json()["demo_keys"] is True


def test_second_collector_on_a_port_is_refused_in_one_line(
    shared: Boards, collected: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(collect_live(shared.file, collected)) as events:
        wait_for(events, is_reading, "reading")
        with pytest.raises(LinkError, match="in use by another program"):
            next(collect_live(shared.file, tmp_path / "other"))
        command = ["tui", "--live", "--headless", "--ports", str(shared.home)]
        assert main([*command, "--out", str(tmp_path / "other")]) == 3
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1
        assert "in use by another program" in lines[0]
        assert not (tmp_path / "other").exists(), "nothing was started"
        wait_for(events, is_reading, "reading of the first collector")


def test_second_collector_in_a_folder_is_refused(shared: Boards, collected: Path) -> None:
    with closing(collect_live(shared.file, collected)) as events:
        next(events)
        other = Boards(shared.home.parent / "other", speed=1)
        other.start()
        try:
            with pytest.raises(ConfigError, match="another collector is at work there"):
                next(collect_live(other.file, collected))
        finally:
            other.end()


def test_node_that_a_person_resets_goes_on(shared: Boards, collected: Path) -> None:
    control = RunControl()
    events = collect_live(shared.file, collected, control=control)
    before = wait_for(events, is_reading, "reading")[-1]
    say_at_console(shared.file.ports[0].address, b"\r\x03\x03\x04")
    seen = wait_for(
        events,
        lambda e: is_reading(e) and e.verdict.record.bootcount > before.verdict.record.bootcount,
        "reading after the reset",
    )
    assert any("stopped by Ctrl-C" in e.text for e in seen if isinstance(e, ConsolePrinted))
    assert any(map(is_change("restarted"), seen))
    assert end(events, control).passed
    audit(collected)
    check_complete(collected)


def test_faults_are_not_done_to_boards_of_others(shared: Boards, collected: Path) -> None:
    control = RunControl()
    events = collect_live(shared.file, collected, control=control)
    next(events)
    control.ask(FaultKind.POWER_CUT, NODE)
    judged = wait_for(events, lambda e: isinstance(e, FaultJudged), "answer")[-1]
    assert isinstance(judged, FaultJudged)
    assert not judged.passed
    assert "not done" in judged.got
    end(events, control)


def test_headless_collection_prints_a_summary(
    shared: Boards, collected: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["tui", "--live", "--json", "--ports", str(shared.home), "--out", str(collected)]
    assert main([*command, "--for", "20s"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["passed"] is True
    assert document["nodes"][0]["node"] == NODE
    assert document["entries"] == audit(collected).entries
    assert main(["verify", str(collected)]) == 0


def test_vanished_port_is_told_and_collection_goes_on_when_it_is_back(tmp_path: Path) -> None:
    boards, out = Boards(tmp_path / "boards"), tmp_path / "out"
    boards.start()
    file = boards.file
    control = RunControl()
    events = collect_live(file, out, control=control)
    before = wait_for(events, is_reading, "reading")[-1]
    assert boards.end(signal.SIGKILL) == -signal.SIGKILL
    lost = wait_for(
        events, lambda e: isinstance(e, ConsolePrinted) and "vanished" in e.text, "line"
    )
    line = lost[-1].text
    assert line.count("\n") == 1
    assert line.startswith(f"wattest: {file.ports[0].address}: the port vanished: ")
    assert any(map(is_change("unplugged"), lost))
    audit(out)
    boards.start()
    try:
        wait_for(events, is_change("running"), "port that is back")
        after = wait_for(
            events,
            lambda e: is_reading(e) and e.verdict.record.bootcount == 2,
            "reading after the power cut",
        )
        assert worst_of(after) < Severity.ERROR
        record, earlier = after[-1].verdict.record, before.verdict.record
        assert record.kid == earlier.kid, "the key came back with the flash"
        assert record.import_milliwatthours >= earlier.import_milliwatthours
        assert end(events, control).passed
    finally:
        boards.end()
    audit(out)
    check_complete(out)


@pytest.mark.long
def test_boards_killed_again_and_again_number_no_record_twice(tmp_path: Path) -> None:
    boards, out = Boards(tmp_path / "boards", count=2), tmp_path / "out"
    boards.start()
    control = RunControl()
    events = collect_live(boards.file, out, control=control)
    rng = random.Random(1)
    try:
        for life in range(1, 13):
            for _ in range(rng.randint(1, 12)):
                wait_for(
                    events,
                    lambda e, life=life: is_reading(e) and e.verdict.record.bootcount == life,
                    f"reading of life {life}",
                )
            boards.end(signal.SIGKILL)
            boards.start()
            wait_for(events, is_change("unplugged"), "port that vanished")
        seen = wait_for(events, is_reading, "reading")
        assert worst_of(seen) < Severity.ERROR
        finished = end(events, control)
        assert finished.passed, finished.reasons
    finally:
        boards.end()
    audit(out)
    check_complete(out)


def test_port_that_was_never_there_is_one_line_and_exit_3(
    shared: Boards, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads((shared.home / "boards.json").read_text())
    document["boards"][0]["port"] = "/dev/no-such-port"
    document["pid"] = os.getpid()
    (tmp_path / "boards.json").write_text(json.dumps(document))
    command = ["tui", "--live", "--headless", "--ports", str(tmp_path / "boards.json")]
    assert main(command) == 3
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("wattest: /dev/no-such-port: no such port")


def test_ledger_goes_on_only_with_its_own_key_and_its_own_past(
    shared: Boards, collected: Path, tmp_path: Path
) -> None:
    collect_some(shared, collected)
    keyless, foreign = tmp_path / "keyless", tmp_path / "foreign"
    shutil.copytree(collected, keyless)
    (keyless / "ledger.key").unlink()
    with pytest.raises(ConfigError, match=r"ledger\.key: is missing"):
        next(collect_live(shared.file, keyless))
    shutil.copytree(collected, foreign)
    values = RunDir(foreign).read_json()
    RunDir(foreign).write_json({**values, "live": False})
    with pytest.raises(ConfigError, match="no live collection"):
        next(collect_live(shared.file, foreign))


def test_announcement_and_keys_are_private_and_the_announcement_goes_with_the_boards(
    tmp_path: Path,
) -> None:
    home = tmp_path / "boards"
    control = RunControl()
    with closing(boards_up(BoardsOptions(out=home, count=2, seed=5), control)) as events:
        names = [next(events).name, next(events).name]
        announced = next(events).state_file
        assert names == ["board-1", "board-2"]
        private = [announced, home / "bench.json", home / "board-1.flash"]
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in private}
        assert set(modes.values()) == {0o600}, modes
        document = json.loads(announced.read_text())
        assert {(b["kind"], b["demo"]) for b in document["boards"]} == {("emulated", True)}
    assert not announced.exists()
    assert not (home / "board-1.tty").is_symlink()


def test_kept_boards_refuse_what_does_not_fit_them(tmp_path: Path) -> None:
    home = tmp_path / "boards"
    with closing(boards_up(BoardsOptions(out=home, seed=5))) as events:
        next(events)
        with pytest.raises(ConfigError, match="expected 5, the seed of the boards"):
            next(boards_up(BoardsOptions(out=home, seed=6)))
    with pytest.raises(ConfigError, match="other names, firmware or configuration"):
        next(boards_up(BoardsOptions(out=home, count=2)))
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is a file, expected a folder"):
        next(boards_up(BoardsOptions(out=tmp_path / "file")))


def test_boards_soak_in_memory(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["board", "up", "--link", "memory", "--count", "2", "--speed", "max"]
    assert main([*command, "--for", "5min", "--seed", "3"]) == 0
    *up, last = capsys.readouterr().out.splitlines()
    assert len(up) >= 2
    assert "2 boards" in last
    assert " 0 refused, 0 findings, 0 damaged frames, 0 bytes dropped, 2 boots, 0 crashes" in last
    assert int(last.split("boards, ")[1].split()[0]) > 50


def test_speed_max_is_not_for_terminals(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["board", "up", "--speed", "max"]) == 2
    assert "tools wait in real time" in capsys.readouterr().err


def test_scenario_says_how_many_boards(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["board", "up", "--scenario", str(tmp_path / "no.toml"), "--count", "2"]) == 2
    assert "leave out --count" in capsys.readouterr().err
