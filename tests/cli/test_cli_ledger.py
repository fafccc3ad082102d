"""`wattest ledger` and `wattest statement` show a kept run, and prove what they show."""

from __future__ import annotations

import base64
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from kept_run import make_kept_run

from wattest.cli import main
from wattest.ledger import leaf_hash, verify_consistency, verify_inclusion
from wattest.wire.note import parse_checkpoint, parse_note


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """Return the folder of a kept run of four entries."""
    return str(make_kept_run(tmp_path / "OUT").path)


def said(argv: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    assert main.main([*argv, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_show_counts_entries_by_kind(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    document = said(["ledger", "show", folder], capsys)
    assert document["size"] == 4
    assert document["origin"] == "wattest/test"
    assert document["entries"] == {"finding": 2, "statement": 1, "terms": 1}


def test_checkpoint_is_the_signed_note_itself(
    folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["ledger", "checkpoint", folder]) == 0
    note = parse_note(capsys.readouterr().out.encode())
    assert parse_checkpoint(note.text).size == 4


def test_inclusion_proof_leads_to_the_checkpoint(
    folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    document = said(["ledger", "prove", folder, "1"], capsys)
    checkpoint = parse_checkpoint(parse_note(document["checkpoint"].encode()).text)
    path = [base64.b64decode(node) for node in document["path"]]
    leaf = base64.b64decode(document["leaf"])
    assert leaf == leaf_hash(6, b"\xa0")
    verify_inclusion(leaf, 1, document["size"], checkpoint.root, path)


def test_consistency_proof_links_two_sizes(
    folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    document = said(["ledger", "prove", folder, "--consistency", "1", "4"], capsys)
    root = parse_checkpoint(parse_note(document["checkpoint"].encode()).text).root
    first = base64.b64decode(said(["ledger", "prove", folder, "0", "--size", "1"], capsys)["leaf"])
    path = [base64.b64decode(node) for node in document["path"]]
    verify_consistency(1, 4, first, root, path)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["4"], "expected"),
        (["0", "--size", "9"], "expected a size of at most 4, got 9"),
        (["--consistency", "4", "2"], "size"),
        ([], "expected an INDEX or --consistency OLD NEW"),
        (["1", "--consistency", "1", "2"], "expected an INDEX or --consistency OLD NEW"),
    ],
)
def test_proof_that_does_not_exist_is_refused_in_one_line(
    argv: list[str], message: str, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["ledger", "prove", folder, *argv]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert message in err


def test_entries_are_listed_within_bounds(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["ledger", "entries", folder, "--from", "1", "--count", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["1", "finding"], ["2", "finding"]]
    assert main.main(["ledger", "entries", folder, "--from", "99"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_entries_are_taken_apart_in_json(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    documents = said(["ledger", "entries", folder], capsys)
    assert [d["kind"] for d in documents] == ["4 terms", "6 finding", "6 finding", "5 statement"]
    assert documents[3]["value"]["contract"] == "kettle"


def test_statement_says_what_is_owed_on_which_evidence_and_that_it_is_a_test(
    folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["statement", folder]) == 0
    out = capsys.readouterr().out
    assert "TEST: no claim for money" in out
    assert "2 kWh" in out
    assert "0.60 EUR" in out
    assert "ledger entry 3" in out


def test_statement_json_has_the_amount_as_decimal_text(
    folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (document,) = said(["statement", folder, "--contract", "kettle"], capsys)
    assert (document["total"], document["currency"], document["test"]) == ("0.60", "EUR", True)
    assert document["index"] == 3


def test_run_that_settled_nothing_says_so(
    folder: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wattest.operations.kept.statements.statements_of", lambda _folder: ())
    assert main.main(["statement", folder]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"no statement is logged in {folder}\n")


def test_statement_of_no_such_contract_names_those_there_are(
    folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["statement", folder, "--contract", "boiler"]) == 2
    assert "no contract 'boiler', there are: kettle" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["ledger", "show"], ["statement"]])
def test_changed_root_is_noticed_before_anything_is_shown(
    command: list[str], folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with sqlite3.connect(Path(folder) / "ledger.sqlite") as connection:
        connection.execute("UPDATE edge SET hashes = zeroblob(length(hashes))")
    connection.close()
    assert main.main([*command, folder]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "newest checkpoint: expected root" in err
