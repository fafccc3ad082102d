"""A month of three turbines: settled, disputed, resolved, and proved to two verifiers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tidy_rules import ROOT
from wattest.cli.main import main
from wattest.operations.accounting.view import accounts_of

sys.path.append(str(Path(__file__).parents[1] / "page"))
from page_bench import HERE, NODE

pytestmark = [pytest.mark.emulated, pytest.mark.long]
SCENARIO = ROOT / "bench" / "scenarios" / "windfarm-month.toml"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the month."""
    path = tmp_path_factory.mktemp("month") / "OUT"
    assert main(["run", str(SCENARIO), "--headless", "--speed", "max", "--out", str(path)]) == 0
    return path


def said(capsys: pytest.CaptureFixture[str], *command: object) -> str:
    capsys.readouterr()
    assert main([str(word) for word in command]) == 0
    return capsys.readouterr().out


def test_month_holds(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "HOLDS" in said(capsys, "verify", out).upper()


def test_statements_say_what_every_list_of_statements_must(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = json.loads(said(capsys, "statement", out, "--json"))
    for statement in listed:
        assert {"contract", "period", "total", "currency", "digest"} <= set(statement)
    found = {(each["contract"], each["generation"], each["state"]) for each in listed}
    assert found == {
        ("wind-sla", 1, "complete"),
        ("wind-sla", 2, "final"),
        ("keeping", 1, "final"),
    }
    newest = next(
        each for each in listed if each["state"] == "final" and "sla" in each["contract"]
    )
    amounts = {line["code"]: line["amount"] for line in newest["lines"]}
    assert float(amounts["energy"]) > 0
    assert float(amounts["shortfall"]) < 0
    assert float(amounts["availability"]) < 0  # the sensor hung for two and a half days
    assert float(amounts["commission"]) > 0


def test_dispute_held_money_and_its_resolution_shared_it(out: Path) -> None:
    (contract,) = accounts_of(out).contracts("wind-sla")
    (case,) = contract.disputes.values()
    assert not case.is_open
    codes = [(t.phase.value, t.code) for t in contract.book]
    assert ("pending", "energy") in codes
    assert ("post", "energy") in codes
    assert sum(1 for t in contract.book if t.code == "energy" and t.phase.value == "post") == 1


@pytest.mark.parametrize("contract", ["wind-sla", "keeping"])
def test_both_verifiers_accept_the_bundle(
    contract: str, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "evidence.zip"
    said(capsys, "bundle", out, "--contract", contract, "-o", bundle)
    assert "holds" in said(capsys, "verify", bundle)
    if NODE is None:
        pytest.skip("no Node.js from version 20 on: the page's verifier was not asked")
    done = subprocess.run(
        [NODE, str(HERE / "run_vectors.mjs"), str(bundle)], capture_output=True, check=True
    )
    (verdict,) = json.loads(done.stdout)
    assert verdict["passed"], verdict
