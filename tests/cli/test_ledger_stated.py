"""What an operator adds to a ledger, and the wrong things an operator may try."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ledger_samples import plain
from wattest.cli.main import main
from wattest.operations.live.folder import LiveDir


@pytest.fixture
def out(tmp_path: Path) -> Path:
    with LiveDir(tmp_path / "out", epoch_ms=1, interval_ms=1000, demo_keys=True) as folder:
        folder.open_ledger()
        folder.end({})
    return tmp_path / "out"


def said(capsys: pytest.CaptureFixture[str], *command: object) -> tuple[int, str, str]:
    code = main([str(word) for word in command])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def fill(out: Path) -> None:
    with LiveDir(out, epoch_ms=1, interval_ms=1000, demo_keys=True) as folder:
        folder.open_ledger().append([plain(1)])
        folder.end({})


def test_anchor_of_an_empty_ledger_is_refused(out: Path, capsys) -> None:
    code, _, err = said(capsys, "ledger", "anchor", out, "--method", "print", "--place", "wall")
    assert code == 2
    assert "the ledger is empty" in err
    assert err.count("\n") <= 2


def test_anchor_and_new_key_are_logged(out: Path, capsys, tmp_path: Path) -> None:
    fill(out)
    (tmp_path / "answer").write_bytes(b"stamped")
    words = ["--method", "rfc3161", "--place", "a.example", "--evidence", tmp_path / "answer"]
    code, text, _ = said(capsys, "ledger", "anchor", out, *words, "--json")
    assert (code, json.loads(text)) == (0, {"entry": 1, "size": 1})
    code, text, _ = said(capsys, "ledger", "rotate", out)
    assert code == 0
    assert text.startswith("entry 2, key wattest/live+")
    code, text, _ = said(capsys, "ledger", "show", out, "--json")
    assert json.loads(text)["entries"] == {"anchor": 1, "rotation": 1, "terms": 1}


def test_evidence_that_cannot_be_used_is_one_line(out: Path, capsys, tmp_path: Path) -> None:
    fill(out)
    (tmp_path / "big").write_bytes(bytes(65_537))
    for name, message in (("none", "cannot be read"), ("big", "at most 65536 bytes expected")):
        words = ["--method", "print", "--place", "wall", "--evidence", tmp_path / name]
        code, _, err = said(capsys, "ledger", "anchor", out, *words)
        assert code == 2
        assert message in err
    code, text, _ = said(capsys, "ledger", "show", out, "--json")
    assert json.loads(text)["size"] == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"--quantity": "wind"}, "quantity"),
        ({"--unit": "J"}, "Wh, kWh, MWh expected, got J"),
        ({"--to": "2026-06-15T06:00:00Z"}, "--to after --from expected"),
        ({"--model": "none"}, "cannot be read"),
        ({"--amount": "-1"}, "expected a number"),
        ({"--from": "yesterday"}, "--from"),
        ({}, "an asset under contract expected"),
    ],
)
def test_estimate_that_says_nothing_is_one_line(
    out: Path, capsys, tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    (tmp_path / "model").write_text("wind")
    options = {
        "--asset": "roof",
        "--quantity": "export_energy",
        "--unit": "kWh",
        "--amount": "1.5",
        "--from": "2026-06-15T06:00:00Z",
        "--to": "2026-06-15T07:00:00Z",
        "--model": str(tmp_path / "model"),
        "--inputs": str(tmp_path / "model"),
    } | changes
    words = [word for pair in options.items() for word in pair]
    try:
        code, _, err = said(capsys, "ledger", "estimate", out, *words)
    except SystemExit as exit_:
        code, err = int(str(exit_.code)), capsys.readouterr().err
    assert code == 2
    assert message in err
    assert "Traceback" not in err
