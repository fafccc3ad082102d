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
