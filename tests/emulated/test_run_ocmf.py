"""A run with two sessions: what it exports, who accepts it, and what is said when it cannot."""

from __future__ import annotations

import json
import shutil
import sqlite3
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyocmf
import pytest

from wattest.cli import main
from wattest.data import data_root
from wattest.operations.virtual.demo_keys import demo_key
from wattest.wire import parse_record

pytestmark = pytest.mark.emulated

SCENARIO = data_root() / "bench" / "scenarios" / "charging_sessions.toml"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished run of two minutes with two sessions."""
    folder = tmp_path_factory.mktemp("ocmf") / "OUT"
    assert (
        main.main(["run", str(SCENARIO), "--headless", "--for", "2min", "--out", str(folder)]) == 0
    )
    return folder


class Said:
    """What a command said, and how it ended."""

    def __init__(self, code: int, captured: Any) -> None:
        self.code = code
        self.out: str = captured.out
        self.err: str = captured.err


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*argv: str | Path) -> Said:
        return Said(main.main([str(word) for word in argv]), capsys.readouterr())

    return run


def accepted(text: str, key: str) -> bool:
    """Whether pyocmf finds signature and rules all right."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pyocmf.SpecWarning)  # it wants a user without a session
        signed, issues = pyocmf.OCMF.from_string(text).verify(key)
    return signed and not [issue for issue in issues if issue.severity == "error"]


def exported(say: Any, kept: Path, *options: str) -> Sequence[dict[str, Any]]:
    said = say("ocmf", "export", kept, "--format", "json", *options)
    assert said.code == 0, said.err
    documents = json.loads(said.out)
    assert isinstance(documents, list)
    return documents


@pytest.mark.parametrize("mode", ["gateway", "node"])
def test_pyocmf_accepts_every_text_of_a_run(say: Any, kept: Path, mode: str) -> None:
    documents = exported(say, kept, "--mode", mode)
    pages = [document["page"] for document in documents]
    assert pages[:2] == ["T1", "T2"]
    assert pages[2:] == ([] if mode == "node" else [f"F{n}" for n in range(1, len(pages) - 1)])
    assert all(accepted(document["ocmf"], document["public_key"]) for document in documents)
    assert len({document["public_key"] for document in documents}) == 1
    assert all(document["demo"] for document in documents)


def test_both_modes_say_the_same_about_a_session_under_different_keys(
    say: Any, kept: Path
) -> None:
    (bench,) = exported(say, kept, "--session", "van-0001")
    (node,) = exported(say, kept, "--session", "T1", "--mode", "node")
    assert bench["public_key"] != node["public_key"]
    assert bench["entries"] == node["entries"]
    payloads = [json.loads(one["ocmf"].split("|")[1]) for one in (bench, node)]
    assert payloads[0]["RD"] == payloads[1]["RD"]
    assert payloads[0]["GI"] == "wattest bench (demo key)"


def test_exporting_again_gives_the_same_bytes(say: Any, kept: Path) -> None:
    whole = exported(say, kept)
    assert exported(say, kept) == whole
    assert exported(say, kept, "--session", "bike-0002") == [whole[1]]


def test_window_and_node_select_what_is_exported(say: Any, kept: Path) -> None:
    window = ("--from", "2026-06-15T12:00:30Z", "--to", "2026-06-15T14:01:30+02:00")
    pages = [document["page"] for document in exported(say, kept, *window)]
    assert pages == ["T1", "F4", "F5", "F6", "F7", "F8", "F9"]
    for name in ("charger", "DEMO-charger"):
        assert len(exported(say, kept, "--node", name)) > 10


def test_lint_accepts_the_export_and_names_a_page_that_is_taken_out(
    say: Any, kept: Path, tmp_path: Path
) -> None:
    file = tmp_path / "all.xml"
    assert say("ocmf", "export", kept, "--format", "xml", "-o", file).code == 0
    assert say("ocmf", "lint", file).code == 0
    said = say("ocmf", "export", kept, "--from", "2026-06-15")
    key = said.err.split(": ")[-1].strip()
    lines = [line for line in said.out.splitlines() if '"PG":"F5"' not in line]
    shorter = tmp_path / "shorter.ocmf"
    shorter.write_text("\n".join(lines))
    said = say("ocmf", "lint", shorter, "--key", key)
    assert said.code == 1
    assert "missing: F5" in said.out
    assert "accepts it and misses the rest" in said.out
    document = json.loads(say("ocmf", "lint", shorter, "--key", key, "--json").out)
    assert document["refused"] is False
    assert document["complete"] is False
    assert {text["signature"] for text in document["texts"]} == {"valid"}


def test_records_inside_the_texts_of_the_bench_are_checked_with_the_nodes_key(
    say: Any, kept: Path, tmp_path: Path
) -> None:
    (node,) = exported(say, kept, "--session", "T1", "--mode", "node")
    file = tmp_path / "all.xml"
    say("ocmf", "export", kept, "--format", "xml", "-o", file)
    assert say("ocmf", "lint", file, "--node-key", node["public_key"]).code == 0
    (bench,) = exported(say, kept, "--session", "T1")
    said = say("ocmf", "lint", file, "--node-key", bench["public_key"])
    assert said.code == 1
    assert "signed by another key than the one given" in said.out


def test_session_statement_has_energy_time_and_price(say: Any, kept: Path) -> None:
    van, bike = json.loads(say("session", kept, "--json").out)
    assert (van["session"], van["number"], van["ocmf"]) == ("van-0001", "T1", "valid")
    # 1,200 W for 50 s, and 30 s: the registers' own difference, and about what flowed.
    assert van["import_milliwh"] == van["end"]["import_milliwh"] - van["begin"]["import_milliwh"]
    assert abs(van["import_milliwh"] - 16_667) <= 400
    assert abs(bike["duration_ms"] - 30_000) <= 1000
    (price,) = van["prices"]
    assert price["left_out"] == ["place"]
    energy, session = price["lines"]
    assert energy["metered"] == van["import_milliwh"]
    assert energy["amount"] == f"{round(van['import_milliwh'] * 39 / 10_000) / 100:.2f}"
    assert (session["metered"], session["amount"]) == (1, "0.35")
    assert price["test"] is True
    text = say("session", kept, "van-0001").out
    assert "node's OCMF valid" in text
    assert "for whole periods, not in it: place" in text
    assert "bike-0002" in say("session", kept).out


# ---- wrong things ----


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--node", "nobody"), "ocmf export: no node 'nobody', there are: DEMO-charger"),
        (("--session", "x"), "ocmf export: no session 'x', there are: van-0001, bike-0002"),
        (("--from", "noon"), "expected a time such as 2026-06-15T12:00:00Z, got 'noon'"),
        (("--mode", "both"), "invalid choice: 'both'"),
    ],
)
def test_export_of_what_is_not_there_is_one_clear_line(
    say: Any, kept: Path, options: tuple[str, ...], message: str
) -> None:
    said = say("ocmf", "export", kept, *options)
    assert said.code == 2
    assert message in said.err
    assert said.err.count("\n") == 1
    assert say("session", kept, "x").err == (
        "wattest: session: no session 'x', there are: van-0001, bike-0002\n"
    )


def test_export_never_writes_over_a_file_nor_into_the_run(
    say: Any, kept: Path, tmp_path: Path
) -> None:
    file = tmp_path / "there"
    file.write_text("mine")
    said = say("ocmf", "export", kept, "-o", file)
    assert (said.code, file.read_text()) == (2, "mine")
    said = say("ocmf", "export", kept, "-o", tmp_path / "no" / "folder")
    assert (said.code, said.err.count("\n")) == (3, 1)
    assert say("verify", kept).code == 0


def test_bench_without_its_key_exports_by_nodes_only(say: Any, kept: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(kept, copy)
    values = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps({**values, "live": True}))
    said = say("ocmf", "export", copy)
    assert said.code == 2
    assert "ledger.key: is not there: the bench signs with a key made of it" in said.err
    assert "--mode node" in said.err
    (copy / "ledger.key").write_text(demo_key(values["seed"], "ledger").hex())
    (document,) = exported(say, copy, "--session", "T1")
    assert accepted(document["ocmf"], document["public_key"])
    assert '"GI":"wattest bench","' in document["ocmf"], "a key that is kept is no demo key"
    assert document["demo"], "but the node's is one"
    for content in ("zz", "00", "11" * 32):
        (copy / "ledger.key").write_text(content)
        assert say("ocmf", "export", copy).code == 2
    assert say("ocmf", "export", copy, "--mode", "node").code == 0


def test_record_that_was_changed_in_the_ledger_is_never_exported(
    say: Any, kept: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(kept, copy)
    (document,) = exported(say, kept, "--session", "T1")
    with sqlite3.connect(copy / "ledger.sqlite") as file:
        (body,) = file.execute(
            "SELECT body FROM entry WHERE idx = ?", (document["entries"][1],)
        ).fetchone()
        record = parse_record(body)
        assert record.extra_body
        changed = bytearray(body)
        changed[body.index(dict(record.extra_body)[25])] ^= 1
        file.execute(
            "UPDATE entry SET body = ? WHERE idx = ?", (bytes(changed), document["entries"][1])
        )
    file.close()
    for mode in ("node", "gateway"):
        said = say("ocmf", "export", copy, "--mode", mode)
        assert said.code == 1
        assert f"entry {document['entries'][1]}" in said.err
        assert said.out == ""
