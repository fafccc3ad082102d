"""`wattest accounts`, `settle`, `dispute`, `party`, `contract agree` and `pay` on a kept run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from wattest.cli import main
from wattest.ledger import EntryKind, NewEntry
from wattest.operations.accounting.desk import AccountsDesk
from wattest.operations.virtual.deeds import party_key
from wattest.wire import PaymentAct, PaymentKind

pytestmark = pytest.mark.emulated
SCENARIO = """
name = "half-hour"
seed = 7
epoch = 2026-06-15T00:00:00Z
duration = "38m"
interval = "5m"

[[node]]
name = "lamp-1"
load = { kind = "constant", power_w = 600 }

[[party]]
id = "grid"
name = "Grid"

[[party]]
id = "owner"
name = "Owner"

[[contract]]
contract = "supply"
seller = "grid"
buyer = "owner"
assets = ["lamp-1"]
currency = "EUR"
period = { kind = "fixed", start = 2026-06-15T00:00:00Z, duration_s = 1200 }
policy = { cutoff_delay_s = 60, final_after_s = 86400 }

[[contract.line]]
template = "PAY_PER_USE"
code = "energy"
quantity = "import_energy"
unit = "kWh"
price = "10"

[[action]]
kind = "fund"
contract = "supply"
party = "owner"
amount = "30"
at = "1m"

[[action]]
kind = "dispute"
name = "ten"
contract = "supply"
party = "owner"
line = "energy"
from = "5m"
to = "15m"
reason = "the lamp was off"
at = "25m"
"""
RESOLVE = """
[[action]]
kind = "resolve"
contract = "supply"
dispute = "ten"
granted = "0.04"
at = "2h"
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run with a dispute that its parties resolved after the end."""
    folder = tmp_path_factory.mktemp("kept")
    scenario = folder / "scenario.toml"
    scenario.write_text(SCENARIO + RESOLVE, encoding="utf-8")
    assert main.main(["run", str(scenario), "--headless", "--out", str(folder / "OUT")]) == 0
    return folder / "OUT"


@pytest.fixture
def out(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("WATTEST_HOME", str(tmp_path / "HOME"))
    shutil.copytree(kept, tmp_path / "OUT")
    return str(tmp_path / "OUT")


def call(capsys: pytest.CaptureFixture[str], *argv: str) -> Any:
    capsys.readouterr()
    assert main.main([*argv, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str]:
    capsys.readouterr()
    code = main.main([*argv])
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "Traceback" not in said
    return code, said


def files(folder: str) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()}


def keys(capsys: pytest.CaptureFixture[str], *parties: str) -> None:
    for party in parties or ("grid", "owner"):
        call(capsys, "party", "new", party, "--demo", "7")


def test_accounts_say_what_moved_and_why(out: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Periods of 2.00 and 1.80; of the first 1.00 was disputed and 0.40 of it granted."""
    (document,) = call(capsys, "accounts", out)["contracts"]
    balances = {each["account"]: each["posted"] for each in document["balances"]}
    assert balances["seller:income"] == "3.20"
    assert balances["buyer:escrow"] == "26.80"
    first = document["periods"][0]
    assert (first["state"], first["generation"], first["late"]) == ("final", 2, 0)
    assert document["disputes"][0]["state"] == "resolved"
    causes = {each["cause"] for each in document["transfers"]}
    assert causes == {"payment", "statement", "dispute", "resolution"}
    posts = [each["amount"] for each in document["transfers"] if each["phase"] == "post"]
    assert posts == ["0.40"]
    assert main.main(["accounts", out]) == 0
    assert "CONTRACT supply: active, owner pays grid in EUR" in capsys.readouterr().out


def test_a_run_with_a_dispute_holds(out: str) -> None:
    assert main.main(["verify", out]) == 0


def test_a_statement_logged_a_second_time_is_named(
    out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with AccountsDesk(Path(out)) as desk:
        bodies = [e.body for e in desk.ledger.entries() if e.kind == EntryKind.STATEMENT]
        desk.log([NewEntry(kind=EntryKind.STATEMENT, body=bodies[0])])
    capsys.readouterr()
    assert main.main(["verify", out]) == 1
    said = capsys.readouterr()
    assert "generation: none after the final one expected, got 1" in said.out + said.err
    (document,) = call(capsys, "accounts", out)["contracts"]
    assert "the period is final since entry" in document["problems"][-1]["what"]


def test_settling_what_is_final_changes_no_byte(
    out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(out)
    assert call(capsys, "settle", out, "--now", "2030-01-01T00:00:00Z") == []
    assert files(out) == before


def test_a_payment_is_logged_once_and_the_run_still_holds(
    out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    keys(capsys)
    command = ["contract", "pay", out, "--contract", "supply", "--party", "grid", "--what"]
    payout = [*command, "payout", "--amount", "3.20", "--reference", "bank 9"]
    assert isinstance(call(capsys, *payout)["entry"], int)
    after = files(out)
    assert call(capsys, *payout)["entry"] is None
    assert files(out) == after
    assert main.main(["verify", out]) == 0
    (document,) = call(capsys, "accounts", out)["contracts"]
    balances = {each["account"]: each["posted"] for each in document["balances"]}
    assert (balances["seller:income"], balances["external"]) == ("0.00", "-26.80")
    code, said = refused(capsys, *command, "payout", "--amount", "0.01", "--reference", "bank 10")
    assert (code, "at most 0 minor units in seller:income expected" in said) == (1, True)
    assert files(out) == after


def test_what_a_killed_program_left_beside_the_ledger_is_brought_up_to_date(
    out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    act = PaymentAct(
        contract="supply",
        party="grid",
        time_ms=0,
        what=PaymentKind.PAYOUT,
        amount_minor=100,
        currency="EUR",
        reference="before the kill",
    )
    desk = AccountsDesk(Path(out))
    desk.act(act, party_key(7, "grid"))
    desk._stack.close()
    assert main.main(["verify", out]) == 1
    assert "run.json entries" in capsys.readouterr().out
    assert main.main(["settle", out]) == 0
    assert main.main(["verify", out]) == 0


def test_agreeing_again_logs_nothing(out: str, capsys: pytest.CaptureFixture[str]) -> None:
    keys(capsys)
    before = files(out)
    command = ["contract", "agree", out, "--contract", "supply", "--party", "owner"]
    assert call(capsys, *command)["entry"] is None
    assert files(out) == before


def test_another_key_is_refused_and_nothing_is_logged(
    out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    call(capsys, "party", "new", "owner")
    before = files(out)
    for verb in (
        ["contract", "agree", out, "--contract", "supply"],
        [
            *("dispute", "open", out, "--contract", "supply", "--line", "energy"),
            *("--from", "2026-06-15T00:20:00Z", "--to", "2026-06-15T00:30:00Z"),
            *("--reason", "x"),
        ],
    ):
        code, said = refused(capsys, *verb, "--party", "owner")
        assert (code, "step 4" in said) == (1, True)
    assert files(out) == before


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["accounts", "nowhere"], 2, "no such folder"),
        (["accounts", "OUT", "--contract", "x"], 2, "no contract 'x' in the ledger"),
        (["settle", "OUT", "--now", "soon"], 2, "expected a time such as"),
        (["settle", "OUT", "--contract", "x"], 2, "no contract 'x' in the ledger"),
        (["dispute", "list", "OUT", "--contract", "x"], 2, "no contract 'x'"),
        (["party", "show", "nobody"], 2, "make a key with `wattest party new NAME`"),
        (["party", "new", "a/b"], 2, "a name of letters, digits"),
        (["party", "new", "grid", "--demo", "x"], 2, "expected a whole number"),
        (["contract", "agree", "OUT", "--contract", "supply", "--party", "grid"], 2, "no such"),
    ],
)
def test_what_is_wrong_is_one_line(
    argv: list[str], code: int, message: str, out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, *(out if word == "OUT" else word for word in argv))
    assert said[0] == code
    assert message in said[1]


def test_a_key_is_private_and_never_written_over(
    out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    document = call(capsys, "party", "new", "grid")
    path = Path(document["file"])
    assert path.stat().st_mode & 0o777 == 0o600
    code, said = refused(capsys, "party", "new", "grid")
    assert (code, "is there already" in said) == (2, True)
    assert call(capsys, "party", "show", "grid") == document
    assert call(capsys, "party", "show", "grid", "--key", str(path)) == document
    path.write_text("nothing", encoding="utf-8")
    assert refused(capsys, "party", "show", "grid")[0] == 2


def test_a_deed_that_would_move_nothing_ends_the_run_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = SCENARIO.replace('from = "5m"', 'from = "19m"').replace('to = "15m"', 'to = "25m"')
    (tmp_path / "wrong.toml").write_text(wrong, encoding="utf-8")
    assert main.main(["run", str(tmp_path / "wrong.toml"), "--headless"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert "action dispute at 25m: a window inside of a settlement period expected" in said
