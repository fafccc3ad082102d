"""`wattest statement` writes what was settled for people and for other programs."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from kept_run import make_kept_run

from wattest.cli import main

PARTIES = """
[party.kitchen]
name = "Kitchen"
iban = "DE02120300000000202051"

[party.grid]
name = "Grid"
iban = "NL91ABNA0417164300"
"""


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """Return the folder of a kept run with one statement, of an emulated kettle."""
    return str(make_kept_run(tmp_path / "OUT").path)


@pytest.fixture
def parties(tmp_path: Path) -> str:
    path = tmp_path / "parties.toml"
    path.write_text(PARTIES, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("form", "begin", "mark"),
    [
        ("text", "STATEMENT kettle", "TEST: no claim for money"),
        ("html", "<!DOCTYPE html>", "<b>TEST</b> no claim for money"),
        ("csv", "mark,contract,", "TEST: no claim for money,kettle,"),
        ("beancount", "; TEST: no claim for money", "#TEST"),
    ],
)
def test_every_format_goes_to_a_file_or_to_the_terminal_and_says_test(
    form: str, begin: str, mark: str, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path(folder) / "statement"
    command = ["statement", folder, "--format", form]
    assert main.main([*command, "-o", str(file)]) == 0
    assert capsys.readouterr().out == ""
    assert main.main(command) == 0
    said = capsys.readouterr().out
    assert said.startswith(begin)
    assert mark in said
    assert file.read_bytes().decode() == said


def test_csv_file_has_the_ends_of_lines_that_spreadsheets_expect(
    folder: str, tmp_path: Path
) -> None:
    file = tmp_path / "statement.csv"
    assert main.main(["statement", folder, "--format", "csv", "-o", str(file)]) == 0
    assert file.read_bytes().count(b"\r\n") == 2
    with file.open(newline="", encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["contract"], row["line"], row["line_amount"]) == ("kettle", "energy", "0.60")


def test_json_lists_what_scripts_need(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["statement", folder, "--json"]) == 0
    (first,) = json.loads(capsys.readouterr().out)
    assert first["contract"] == "kettle"
    assert first["period"] == ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]
    assert (first["total"], first["currency"]) == ("0.60", "EUR")
    assert len(first["digest"]) == 64
    assert main.main(["statement", folder, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == [first]


@pytest.mark.parametrize("period", ["2026", "2026-01", "2026-01-01", "2026-01-01T00:00:00Z"])
def test_period_is_meant_by_how_it_begins(
    period: str, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["statement", folder, "--period", period]) == 0
    assert "STATEMENT kettle" in capsys.readouterr().out


def test_payment_file_of_a_test_needs_to_be_asked_for_as_a_test(
    folder: str, parties: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["statement", folder, "--format", "pain.001", "--parties", parties]
    command += ["--execute-on", "2026-04-15"]
    assert main.main(command) == 1
    assert "claim for money expected, got a TEST statement" in capsys.readouterr().err
    assert main.main([*command, "--test"]) == 0
    assert "TEST: no claim for money. Do not give this file to a bank." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--format", "pain.001"], "expects --parties FILE and --execute-on DATE"),
        (["--test"], "--test is for --format pain.001, got text"),
        (["--json", "--format", "csv"], "--json or --format csv expected, got both"),
        (["--period", "2027"], "no period '2027', there are: 2026-01-01T00:00+00:00"),
        (["--contract", "roof"], "no contract 'roof', there are: kettle"),
        (["--format", "pdf"], "invalid choice: 'pdf'"),
        (["--format", "pain.001", "--execute-on", "today"], "expected a day such as 2026-04-15"),
        (["-o", "."], "a file to write expected, got a folder"),
    ],
)
def test_wrong_call_is_one_line(
    options: list[str], said: str, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["statement", folder, *options]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_file_that_cannot_be_written_leaves_nothing_behind(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "no-such-folder" / "statement.html"
    assert main.main(["statement", folder, "--format", "html", "-o", str(gone)]) == 3
    assert "cannot be written: No such file or directory" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["OUT"]


def test_file_that_holds_something_else_is_not_replaced(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "letter.html"
    mine.write_text("my only copy", encoding="utf-8")
    command = ["statement", folder, "--format", "html", "-o"]
    assert main.main([*command, str(mine)]) == 2
    assert "a new file expected, got one that holds something else" in capsys.readouterr().err
    assert mine.read_text(encoding="utf-8") == "my only copy"
    ledger = Path(folder) / "ledger.sqlite"
    before = ledger.read_bytes()
    assert main.main([*command, str(ledger)]) == 2
    assert ledger.read_bytes() == before


def test_earlier_export_is_replaced(folder: str, tmp_path: Path) -> None:
    file = tmp_path / "statement.html"
    command = ["statement", folder, "--format", "html", "-o", str(file)]
    assert main.main(command) == 0
    before = file.read_bytes()
    file.write_bytes(before[:100])
    assert main.main(command) == 0
    assert file.read_bytes() == before
