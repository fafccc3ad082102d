"""Terms that ask for two of three witnesses, from the contract to the bundle of the customer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_cli_witness import witness

from wattest.cli import main
from wattest.data import data_root
from wattest.ledger.cosignature import Cosigner

pytestmark = pytest.mark.emulated

PERIOD = 'currency = "EUR"\nperiod'
BUNDLE = ("bundle", "RUN", "--contract", "charging", "-o", "evidence.zip")


def test_a_statement_is_evidence_only_once_the_witnesses_of_its_terms_cosigned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WATTEST_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def said(*argv: str, code: int = 0) -> str:
        assert main.main(argv) == code, capsys.readouterr().err
        out, err = capsys.readouterr()
        return out + err

    absent = Cosigner("absent.example", bytes(32)).key.to_text()
    scenario = (data_root() / "bench/scenarios/charging_sessions.toml").read_text("utf-8")
    assert scenario.count(PERIOD) == 1
    with (
        witness(tmp_path / "1.json", "--name", "buyer.example") as buyer,
        witness(tmp_path / "2.json", "--name", "notary.example") as notary,
    ):
        keys = [buyer.begun["key"], notary.begun["key"], absent]
    table = f"witness = {{ threshold = 2, keys = {json.dumps(keys)} }}\n"
    text = scenario.replace(PERIOD, f'currency = "EUR"\n{table}period')
    Path("mine.toml").write_text(text, "utf-8")
    said("run", "mine.toml", "--headless", "--out", "RUN")
    vkey = json.loads(said("ledger", "show", "RUN", "--json"))["key"]
    assert "witnesses" in said(*BUNDLE, code=1)
    for name, code in (("1", 1), ("2", 0)):
        with witness(tmp_path / f"{name}.json", "--log", vkey) as process:
            said("ledger", "cosign", "RUN", "--witness", process.address)
        assert Path("evidence.zip").exists() is False
        said(*BUNDLE, code=code)
    told = said("verify", "evidence.zip", "--log-key", vkey)
    assert "2 of 3 cosigned, 2 asked for" in told
    said("verify", "RUN")
