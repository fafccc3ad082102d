"""Acts and due statements on the ledger of a live collection, under its own key."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import pytest

from ledger_samples import EPOCH_MS, SampleNode, entry_of
from wattest.errors import ConfigError, ForkFound, VerificationError, WattestError
from wattest.ledger import EntryKind, Ledger, NewEntry
from wattest.operations.accounting.acts import agree, open_dispute, pay, resolve
from wattest.operations.accounting.books import still_due
from wattest.operations.accounting.desk import AccountsDesk
from wattest.operations.accounting.due import settle_kept
from wattest.operations.accounting.view import accounts_of
from wattest.operations.kept.sessions import kept_sessions
from wattest.operations.kept.statements import statements_of
from wattest.operations.live.folder import LiveDir
from wattest.operations.live.ledger_key import LedgerKey
from wattest.operations.party_key import PartyKey
from wattest.settlement import parse_terms, terms_hash, terms_to_cbor
from wattest.store import open_store
from wattest.wire import Agreement, PaymentKind

MINUTE_MS = 60_000
TERMS = """
contract = "mill"
seller = "owner"
buyer = "bakery"
assets = ["turbine"]
currency = "EUR"
period = { kind = "fixed", start = 2026-01-01T00:01:00Z, duration_s = 3600 }
policy = { cutoff_delay_s = 600, final_after_s = 7200 }

[[line]]
template = "PAY_PER_USE"
code = "use"
quantity = "import_energy"
unit = "Wh"
price = "0.01"
"""
KEYS = {name: PartyKey.from_secret(name.encode()) for name in ("owner", "bakery")}


def at(minute: int) -> int:
    return EPOCH_MS + minute * MINUTE_MS


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a live collection with terms, a node and an hour of readings."""
    monkeypatch.setenv("WATTEST_HOME", str(tmp_path / "HOME"))
    node = SampleNode()
    terms = NewEntry(kind=EntryKind.TERMS, body=terms_to_cbor(parse_terms(TERMS, "mill.toml")))
    with LiveDir(
        tmp_path / "OUT", epoch_ms=EPOCH_MS, interval_ms=MINUTE_MS, demo_keys=True
    ) as folder:
        ledger = folder.open_ledger()
        readings = [entry_of(node.sealed(seq, seq * 10_000)) for seq in (1, 11, 31, 61, 70)]
        ledger.append([terms, node.enrolment(), *readings])
        signed = ledger.checkpoint()
        assert signed is not None
        folder.end({"entries": ledger.size, "checkpoint": signed.note.decode()})
    return tmp_path / "OUT"


def files(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.rglob("*") if path.is_file()}


def sign_up(out: Path) -> None:
    for party, key in KEYS.items():
        agree(out, contract="mill", party=party, key=key)


def test_what_is_due_is_settled_once_under_the_key_of_the_collection(out: Path) -> None:
    assert settle_kept(out, now_ms=at(70)) == []
    (drawn,) = settle_kept(out, now_ms=at(72))
    assert (drawn.statement.total, drawn.new, drawn.index) == ("6.00", True, 7)
    before = files(out)
    assert [item.new for item in settle_kept(out, now_ms=at(73))] == [False]
    assert files(out) == before
    assert json.loads((out / "run.json").read_bytes())["entries"] == 8
    (final,) = settle_kept(out, now_ms=at(1 + 180))[:1]
    assert (final.statement.state.value, final.statement.generation) == ("final", 2)


def test_an_act_says_its_own_place_when_another_bench_appends_meanwhile(out: Path) -> None:
    with AccountsDesk(out) as desk, open_store(desk.run.ledger_place) as store:
        other = Ledger(store, LedgerKey(out).signer(make=False))
        other.append([SampleNode(2).enrolment()])
        act = Agreement(
            contract="mill",
            party="owner",
            time_ms=0,
            terms=terms_hash(parse_terms(TERMS, "mill.toml")),
            public_key=KEYS["owner"].public_key,
        )
        index = desk.act(act, KEYS["owner"])
        assert desk.ledger.entry(index).kind == EntryKind.AGREEMENT
        assert (index, desk.ledger.size) == (8, 9)


@pytest.mark.parametrize(
    "tampering",
    [
        "DELETE FROM entry WHERE idx = 2",
        "UPDATE entry SET kind = 2 WHERE idx = 3",
        "UPDATE entry SET body = CAST('x' AS BLOB) WHERE idx = 0",
    ],
)
@pytest.mark.parametrize(
    "command", [accounts_of, still_due, statements_of, settle_kept, sign_up, kept_sessions]
)
def test_no_command_computes_from_entries_that_were_not_signed(
    out: Path, tampering: str, command: Callable[[Path], object]
) -> None:
    with closing(sqlite3.connect(out / "ledger.sqlite")) as file, file:
        file.execute(tampering)
    before = files(out)
    with pytest.raises(WattestError):
        command(out)
    after = files(out)  # a file's readers leave an empty write-ahead log where nobody writes
    assert {name: after[name] for name in before} == before
    assert not after.get("ledger.sqlite-wal")


def test_a_dispute_from_opening_to_its_end(out: Path) -> None:
    sign_up(out)
    settle_kept(out, now_ms=at(72))
    case = open_dispute(
        out,
        contract="mill",
        party="bakery",
        key=KEYS["bakery"],
        line="use",
        window=(at(11), at(31)),
        quantity=None,
        reason="nothing turned",
    )
    said = {"dispute": str(case.index), "contract": None, "granted": Fraction(50), "text": "half"}
    assert resolve(out, party="owner", key=KEYS["owner"], **said).is_open
    assert not resolve(out, party="bakery", key=KEYS["bakery"], **said).is_open
    (contract,) = accounts_of(out, now_ms=at(73)).contracts()
    assert contract.book.balance("seller:income", "EUR").posted == 450
    assert contract.book.balance("buyer:due", "EUR").posted == -450


def test_saying_the_same_again_logs_nothing(out: Path) -> None:
    sign_up(out)
    fund = {
        "contract": "mill",
        "party": "bakery",
        "key": KEYS["bakery"],
        "what": PaymentKind.FUND,
        "amount": Fraction(10),
        "reference": "bank 1",
    }
    assert pay(out, **fund) is not None
    before = files(out)
    assert pay(out, **fund) is None
    assert agree(out, contract="mill", party="owner", key=KEYS["owner"]) is None
    assert files(out) == before


def call_wrong(out: Path, what: str) -> None:
    claim = {
        "contract": "mill",
        "party": "bakery",
        "key": KEYS["bakery"],
        "line": "use",
        "window": (at(11), at(31)),
        "quantity": None,
        "reason": "x",
    }
    match what:
        case "stranger":
            agree(out, contract="mill", party="stranger", key=KEYS["owner"])
        case "contract":
            agree(out, contract="farm", party="owner", key=KEYS["owner"])
        case "key":
            agree(out, contract="mill", party="owner", key=KEYS["bakery"])
        case "line":
            open_dispute(out, **{**claim, "line": "other"})
        case "window":
            open_dispute(out, **{**claim, "window": (at(11), at(99))})
        case "quantity":
            open_dispute(out, **{**claim, "quantity": Fraction(1, 3)})
        case "dispute":
            answer = {"granted": Fraction(0), "text": "x", "party": "owner", "key": KEYS["owner"]}
            resolve(out, dispute="abcdef", contract=None, **answer)


@pytest.mark.parametrize(
    ("what", "error", "message"),
    [
        ("stranger", VerificationError, "step 3: one of bakery, owner expected, got 'stranger'"),
        ("contract", ConfigError, "no contract 'farm' in the ledger, there are: mill"),
        ("key", VerificationError, "step 4: the key owner is known by expected"),
        ("line", VerificationError, "a line out of use expected, got 'other'"),
        ("window", ConfigError, "--to: a time after --from, in the same period, expected"),
        ("quantity", ConfigError, "--quantity: line use: whole steps of 1/1000 Wh expected"),
        ("dispute", ConfigError, "one dispute expected, 0 begin with 'abcdef'"),
    ],
)
def test_what_cannot_be_is_refused_and_no_byte_changes(
    what: str, error: type[WattestError], message: str, out: Path
) -> None:
    sign_up(out)
    before = files(out)
    with pytest.raises(error, match=message):
        call_wrong(out, what)
    assert files(out) == before


def test_a_ledger_cut_back_is_refused(out: Path) -> None:
    old = (out / "ledger.sqlite").read_bytes()
    sign_up(out)
    (out / "ledger.sqlite").write_bytes(old)
    with pytest.raises(ForkFound, match="cut short"):
        settle_kept(out, now_ms=at(72))


def test_a_run_that_did_not_end_and_a_foreign_key_are_refused(out: Path) -> None:
    values = json.loads((out / "run.json").read_bytes())
    values["live"] = False
    values["finished"] = False
    (out / "run.json").write_text(json.dumps(values), "utf-8")
    with pytest.raises(ConfigError, match="has not come to its end"):
        settle_kept(out)
    values["finished"] = True
    (out / "run.json").write_text(json.dumps(values), "utf-8")
    with pytest.raises(ConfigError, match="the key that signs this ledger is not here"):
        settle_kept(out)
