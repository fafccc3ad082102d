"""The outermost layer: every way a command can end has its code and at most one line."""

from __future__ import annotations

import argparse
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wattest import __version__, errors
from wattest.cli import demo, main


def end_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    """Run ``wattest demo`` with an operation that ends in ``error``."""

    def fail(args: argparse.Namespace) -> int:
        raise error

    monkeypatch.setattr(demo, "run", fail)
    return main.main(["demo"])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError("no such thing"), 2),
        (errors.ConfigError("expected W", path="a.csv", key="unit"), 2),
        (errors.LinkClosed("the port vanished"), 3),
        (errors.StoreError("disk full"), 3),
        (errors.EmulatorError("out of fuel", seed=7), 3),
        (errors.CborError("truncated", 3), 1),
        (errors.SignatureInvalid("does not match"), 1),
        (errors.SettlementError("a gap"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_error_of_our_tree_is_one_line_and_its_code(
    error: errors.WattestError,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert end_with(monkeypatch, error) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"wattest: {error.diagnostics()}\n"


def test_message_of_several_lines_still_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    end_with(monkeypatch, errors.ConfigError("first\nsecond"))
    assert capsys.readouterr().err == "wattest: first second\n"


def test_interrupt_ends_with_130_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert end_with(monkeypatch, KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "wattest: interrupted\n"


def test_anything_else_is_a_bug_with_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert end_with(monkeypatch, KeyError("x")) == 4
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.endswith(
        "wattest: this is a bug in wattest: please report it with the lines above\n"
    )


def test_unexpected_os_error_is_a_bug_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert end_with(monkeypatch, OSError(errno.EBADF, "bad")) == 4
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["no-such-command"], "invalid choice: 'no-such-command'"),
        (["demo", "--nonsense"], "unrecognized arguments: --nonsense"),
        (["demo", "--for", "soon"], "argument --for: expected a duration"),
        (["demo", "--head"], "unrecognized arguments: --head"),
        (["replay"], "the following arguments are required: LOAD.csv"),
        (["ledger"], "the following arguments are required: VERB"),
        (["ledger", "prove", "OUT", "-1"], "-1"),
        (["replay", "x.csv", "--positive", "up"], "invalid choice: 'up'"),
        (["tui"], "one of the arguments DIR --live --boards is required"),
    ],
)
def test_wrong_call_is_one_line_with_the_way_to_help(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert message in err
    assert "--help`" in err


def test_without_a_command_the_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main([]) == 0
    out = capsys.readouterr().out
    assert "wattest demo --headless --for 1h" in out
    assert "exit codes: 0 as expected" in out


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["--version"]) == 0
    assert capsys.readouterr().out == f"wattest {__version__}\n"


def run_wattest(*argv: str, stdout: int) -> subprocess.CompletedProcess[str]:
    """Run the program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "wattest.cli.main", *argv],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )


def test_reader_that_leaves_is_no_error_worth_a_word() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = run_wattest("decode", "01", stdout=write_end)
    os.close(write_end)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_under_standard_output_is_one_line() -> None:
    with Path("/dev/full").open("wb") as full:
        done = run_wattest("decode", "01", stdout=full.fileno())
    assert done.returncode == 3
    assert done.stderr == "wattest: cannot write: no space left on device\n"


def test_json_is_one_document_and_nothing_else() -> None:
    done = run_wattest("decode", "--json", "a10102", stdout=subprocess.PIPE)
    assert json.loads(done.stdout) == {
        "what": "cbor",
        "sound": True,
        "value": {"1": 2},
        "hex": "a10102",
    }
    assert done.stderr == ""
