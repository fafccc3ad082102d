"""A stimulus board as a person makes one: files copied with mpremote, then told what to play."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from port_harness import run_tool, serving
from stimulus_harness import FIRMWARE, S, stimulus_files

from wattest.cli.main import main
from wattest.emulator.board import BoardWiring, EmulatedBoard
from wattest.emulator.engine import load_engine
from wattest.emulator.flash import NorFlash

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(sys.platform == "win32", reason="this system has no pseudo terminals"),
]
SETTINGS = {"role": "s0", "pin": 26, "impulses_per_kwh": 1000, "pulse_ms": 80, "exporting": 0}
SCENARIO = """
name = "steps"
seed = 1
epoch = 2026-06-15T00:00:00Z
duration = "2s"
interval = "1s"
[[node]]
name = "n"
board = "emulated-esp32-s0"
load = { kind = "steps", steps = [["0s", 9000], ["1s", 12000]] }
"""
EXPORTING = SCENARIO.replace("-s0", "").replace("9000", "-4000").replace("12000", "4000")


def test_files_are_copied_and_a_load_is_played(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "stimulus.json").write_text(json.dumps(SETTINGS))
    (tmp_path / "s.toml").write_text(SCENARIO)
    (tmp_path / "export.toml").write_text(EXPORTING)
    board = EmulatedBoard(load_engine(), flash=NorFlash(4 << 20), wiring=BoardWiring())
    board.power_on()
    with serving(board) as port:
        sources = [str(FIRMWARE / name) for name in ("main.py", "player")]
        copy = ["cp", "-r", *sources, str(tmp_path / "stimulus.json"), ":"]
        code, text = run_tool("mpremote", "connect", port.address, *copy)
        assert code == 0, text
        code, text = run_tool("mpremote", "connect", port.address, "reset")
        assert code == 0, text
        port.wait_until(lambda: board.pin_level(26) == 0 or board.boots >= 2, "restart")
        command = ["stimulus", str(tmp_path / "s.toml"), "--board", port.address]
        assert main([*command, "--step", "500ms", "--json", "--out", str(tmp_path / "OUT")]) == 0
        played = json.loads(capsys.readouterr().out)
        command[1] = str(tmp_path / "export.toml")
        assert main([*command, "--out", str(tmp_path / "OTHER")]) == 2
        assert not (tmp_path / "OTHER").exists()
        printed = capsys.readouterr()
        assert (
            "0.0 to 32727.3 W expected, which this stimulus board plays, got -4000.0 to"
            in printed.err
        )
    board.close()
    assert played["levels"] + played["late"] == 4
    assert played["resets"] == 0
    assert float(played["flowed_wh"]) == pytest.approx(float(played["asked_wh"]), abs=1.1)
    rows = (tmp_path / "OUT" / "stimulus.csv").read_text().splitlines()
    assert len(rows) == played["levels"] + 1


def test_a_board_that_resets_while_it_plays_fails_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.toml").write_text(SCENARIO)
    board = EmulatedBoard(load_engine(), flash=NorFlash(4 << 20), wiring=BoardWiring())
    board.install(stimulus_files(SETTINGS))
    board.power_on()
    board.world.run_until(S)
    with serving(board) as port:
        port.call(lambda: board.world.call_at(board.world.now_ns + S, board.press_enable))
        command = ["stimulus", str(tmp_path / "s.toml"), "--board", port.address]
        assert main([*command, "--step", "500ms"]) == 1
    board.close()
    printed = capsys.readouterr().out
    assert "FAIL: the stimulus board started anew: 1x" in printed
    assert "the board plays nothing any more" in printed


def test_something_else_at_the_port_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.toml").write_text(SCENARIO)
    board = EmulatedBoard(load_engine(), flash=NorFlash(4 << 20), wiring=BoardWiring())
    board.power_on()
    with serving(board) as port:
        assert main(["stimulus", str(tmp_path / "s.toml"), "--board", port.address]) == 3
    board.close()
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "an answer to ? expected of a stimulus board" in printed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--board", "x", "--dialect", "scpi-supply"], "go with --instrument"),
        (["--instrument", "x"], "--instrument needs --dialect"),
        (["--board", "x", "--step", "30s"], "at most 20s expected with a stimulus board"),
    ],
)
def test_options_that_do_not_fit_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    (tmp_path / "s.toml").write_text(SCENARIO)
    assert main(["stimulus", str(tmp_path / "s.toml"), *options]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert message in printed
