"""What cannot be run is refused before anything begins: no board boots, no folder is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from wattest.errors import ConfigError
from wattest.operations.virtual import run as run_module
from wattest.operations.virtual.run import RunOptions, run
from wattest.scenario import Scenario, parse_scenario

FILE = """
name = "refused"
seed = 1
epoch = 2026-01-01T00:00:00Z
duration = "1h"
[[node]]
name = "feeder"
load = { kind = "constant", power_w = 600 }
"""
CHANGES = {
    "a load beyond the board's range": ("power_w = 600", "power_w = 6000", "at most 4800 W"),
    "an unknown board": ('"feeder"\n', '"feeder"\nboard = "abacus"\n', "abacus"),
    "a load file that is not there": (
        '{ kind = "constant", power_w = 600 }',
        '{ kind = "csv", file = "gone.csv", column = "p", unit = "W" }',
        "gone.csv",
    ),
    "an interval between two samples": ("seed = 1", 'seed = 1\ninterval = "1500ms"', "interval"),
}


@pytest.fixture
def no_boards(monkeypatch: pytest.MonkeyPatch) -> None:
    def boot(*_: object, **__: object) -> None:
        raise AssertionError("a board was about to be made")

    monkeypatch.setattr(run_module, "VirtualRig", boot)


def scenario(text: str = FILE) -> Scenario:
    return parse_scenario(text, "refused.toml")


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.usefixtures("no_boards")
def test_scenario_that_cannot_be_run_is_refused_before_the_start(
    name: str, tmp_path: Path
) -> None:
    old, new, words = CHANGES[name]
    assert old in FILE
    with pytest.raises(ConfigError, match=words) as caught:
        next(run(scenario(FILE.replace(old, new, 1)), RunOptions(out=tmp_path / "OUT")))
    assert "\n" not in caught.value.diagnostics()
    assert not (tmp_path / "OUT").exists()


@pytest.mark.usefixtures("no_boards")
def test_nothing_begins_before_somebody_listens(tmp_path: Path) -> None:
    told = run(scenario(), RunOptions(out=tmp_path / "OUT"))
    assert not (tmp_path / "OUT").exists()
    with pytest.raises(AssertionError, match="about to be made"):
        next(told)


@pytest.mark.emulated
@pytest.mark.parametrize("what", ["a file", "a folder with a run"])
def test_out_that_is_taken_is_refused_and_left_alone(what: str, tmp_path: Path) -> None:
    out = tmp_path / "OUT"
    if what == "a file":
        out.write_text("mine")
    else:
        out.mkdir()
        (out / "ledger.sqlite").write_text("mine")
    before = {path: path.is_file() and path.read_text() for path in tmp_path.rglob("*")}
    with pytest.raises(ConfigError, match=r"OUT: (is a file|already holds a run)"):
        next(run(scenario(), RunOptions(out=out)))
    assert {path: path.is_file() and path.read_text() for path in tmp_path.rglob("*")} == before
