"""`wattest contract` reads contract files and says in one line what is wrong with one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wattest.cli import main
from wattest.data import data_root

SAMPLES = sorted((data_root() / "bench" / "contracts").glob("*.toml"))


def test_check_names_the_hash_that_both_parties_sign(capsys: pytest.CaptureFixture[str]) -> None:
    from wattest.settlement import parse_terms, terms_hash

    assert main.main(["contract", "check", *(str(path) for path in SAMPLES)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(SAMPLES)
    terms = parse_terms(SAMPLES[0].read_text(encoding="utf-8"), "")
    assert lines[0] == f"{SAMPLES[0]}: {terms.contract}, terms {terms_hash(terms).hex()}"


def test_check_reads_every_file_though_one_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text(SAMPLES[0].read_text(encoding="utf-8").replace('"EUR"', '"euro"'))
    assert main.main(["contract", "check", str(bad), "ev_session"]) == 2
    told = capsys.readouterr()
    assert told.err.splitlines() == [
        f"wattest: {bad}: currency: three capital letters expected, got 'euro'"
    ]
    assert told.out.startswith("ev_session: ev-session, terms ")


def test_check_says_it_to_scripts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone = str(tmp_path / "gone.toml")
    assert main.main(["contract", "check", gone, "cabin_subscription", "--json"]) == 2
    first, second = json.loads(capsys.readouterr().out)
    assert first == {"file": gone, "error": f"{gone}: file expected, got nothing there"}
    assert second["contract"] == "cabin-subscription"


def test_list_tells_samples_by_name_template_and_title(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["contract", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["file"] for row in rows] == [str(path) for path in SAMPLES]
    assert main.main(["contract", "list"]) == 0
    table = capsys.readouterr().out
    assert all(row["name"] in table and row["title"] in table for row in rows)


def test_explain_says_it_in_the_terminal_with_a_chart(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["contract", "explain", "cabin_subscription", "--compare", "0.40"]) == 0
    text = capsys.readouterr().out
    assert "cabin-9 pays 39.00 EUR a month" in text
    assert "energy drawn, kWh\n" in text
    assert "•••  buyer elsewhere, 0.40 EUR a kWh" in text
    assert "The buyer breaks even at 97.5 kWh" in text
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_explain_writes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    assert main.main(["contract", "explain", str(SAMPLES[0]), "-o", str(page)]) == 0
    assert capsys.readouterr().out == ""
    html = page.read_text(encoding="utf-8")
    assert html.startswith("<!DOCTYPE html>")
    assert html.count("<svg ") == 1


def test_explain_writes_text_into_a_file_when_asked(tmp_path: Path) -> None:
    file = tmp_path / "contract.txt"
    assert main.main(["contract", "explain", "ev_session", "--text", "-o", str(file)]) == 0
    assert file.read_text(encoding="utf-8").startswith("Charging at the quay\n====")


def test_explain_says_it_to_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main.main(["contract", "explain", "cabin_subscription", "--compare", "0.40", "--json"])
        == 0
    )
    document = json.loads(capsys.readouterr().out)
    assert document["contract"] == "cabin-subscription"
    assert document["charts"][0]["break_even_buyer"] == ["97.5"]
    assert document["bill"]["total"] == "54.95 EUR"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["explain", "no-such.toml"], "no-such.toml: file expected, got nothing there"),
        (["explain", "cabin_subscription", "--compare", "much"], "expected a price such as 0.35"),
        (["explain", "cabin_subscription", "--compare", "-1"], "expected a price such as 0.35"),
        (["explain", "cabin_subscription", "--json", "--text"], "--json alone expected"),
        (["explain", "cabin_subscription", "-o", "."], "a file to write expected, got a folder"),
    ],
)
def test_explain_that_cannot_be_is_one_line(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["contract", *argv]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"SUBSCRIPTION"', '"SUBSCRIPTON"', "line[0].template: one of"),
        ('amount = "39.00"', 'amount = "39,00"', "line[0].amount"),
        ("[period]", "[perid]", "period"),
        ('unit = "month"', 'unit = "moon"', "period.unit"),
        ("= ", "", "broken TOML"),
    ],
)
def test_broken_contract_is_told_with_file_and_key(
    old: str, new: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (SAMPLES[0].parent / "cabin_subscription.toml").read_text(encoding="utf-8")
    bad = tmp_path / "bad.toml"
    bad.write_text(text.replace(old, new), encoding="utf-8")
    assert main.main(["contract", "explain", str(bad)]) == 2
    error = capsys.readouterr().err
    assert f"wattest: {bad}: " in error
    assert said in error
    assert error.count("\n") == 1
