"""`wattest provision` called wrongly, without a board: one line, nothing made."""

from __future__ import annotations

from pathlib import Path

import pytest

from wattest.cli import main

WRONG: dict[str, tuple[list[str], int, str]] = {
    "no port": ([], 2, "provision: --port is missing; see `wattest boards scan`"),
    "no such port": (["--port", "nowhere"], 3, "nowhere: no such port"),
    "a day that is none": (
        ["--port", "nowhere", "--due", "soon"],
        2,
        "--due: expected a day such as 2027-06-30, got 'soon'",
    ),
    "a due date alone": (
        ["--port", "nowhere", "--due", "2027-06-30"],
        2,
        "--due: says until when",
    ),
    "a digest that is none": (
        ["--port", "x", "--cfg", "00"],
        2,
        "--cfg: expected 16 bytes in hex",
    ),
    "two digests": (
        ["--port", "x", "--cfg", "00" * 16, "--manifest", "m"],
        2,
        "--cfg and --manifest exclude each other",
    ),
    "a board file that is not there": (["--port", "x", "--board", "toaster"], 2, "toaster"),
    "an empty name": (["--port", "x", "--name", ""], 2, "--name: a name of letters"),
    "a name of two lines": (["--port", "x", "--name", "a\nb"], 2, "--name: a name of letters"),
    "a reason to enrol": (["--port", "x", "--reason", "old"], 2, "--reason belongs to --retire"),
    "a certificate with no name": (["--port", "x", "--calibration", ""], 2, "is a folder"),
    "nobody to retire": (["--retire"], 2, "--retire needs --name"),
    "retire with a port": (
        ["--retire", "--name", "x", "--port", "y"],
        2,
        "--port has no meaning with --retire",
    ),
    "retire with a new key": (
        ["--retire", "--name", "x", "--new-key"],
        2,
        "--new-key and --retire exclude each other",
    ),
    "retire where nothing was enrolled": (
        ["--retire", "--name", "x", "--yes"],
        2,
        "no such folder: nothing was ever enrolled there",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_call_is_refused_in_one_line_and_makes_nothing(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    argv, expected, says = WRONG[case]
    monkeypatch.chdir(tmp_path)
    code = main.main(["provision", "--home", "HOME", *argv])
    out, err = capsys.readouterr()
    assert code == expected, err
    assert says in err
    assert err.count("\n") == 1
    assert out == ""
    made = [path.name for path in tmp_path.rglob("*")]
    assert all(name in {"HOME", "locks"} or name.endswith(".lock") for name in made), made


def test_damaged_list_of_boards_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "boards.json").write_text("[")
    assert main.main(["provision", "--home", str(tmp_path), "--port", "x"]) == 2
    assert "boards.json: cannot be read" in capsys.readouterr().err


def test_no_standard_input_is_a_no(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", None)  # as of a job that the system starts by the clock
    assert main.main(["provision", "--retire", "--name", "pump", "--home", str(tmp_path)]) == 1
    assert "not retired" in capsys.readouterr().out
