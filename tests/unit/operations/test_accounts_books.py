"""Books, payments and remarks of a kept ledger follow what its parties stated."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from ledger_samples import EPOCH_MS, SampleNode, entry_of
from wattest.exports.beancount import beancount_text
from wattest.exports.pain001 import payments_due
from wattest.exports.placed import PlacedStatement
from wattest.ledger import EntryKind, NewEntry
from wattest.operations.accounting.acts import agree, open_dispute, pay, resolve
from wattest.operations.accounting.books import books_of, still_due, with_remarks
from wattest.operations.accounting.due import settle_kept
from wattest.operations.kept.statements import statements_of
from wattest.operations.live.folder import LiveDir
from wattest.operations.party_key import PartyKey
from wattest.settlement import parse_terms, terms_to_cbor
from wattest.wire import PaymentKind

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
    """Return a live collection whose first hour cost 6.00 EUR; nobody has agreed to anything."""
    monkeypatch.setenv("WATTEST_HOME", str(tmp_path / "HOME"))
    path = tmp_path / "OUT"
    node = SampleNode()
    terms = NewEntry(kind=EntryKind.TERMS, body=terms_to_cbor(parse_terms(TERMS, "mill.toml")))
    with LiveDir(path, epoch_ms=EPOCH_MS, interval_ms=MINUTE_MS, demo_keys=True) as folder:
        ledger = folder.open_ledger()
        readings = [entry_of(node.sealed(seq, seq * 10_000)) for seq in (1, 11, 31, 61, 70)]
        ledger.append([terms, node.enrolment(), *readings])
        signed = ledger.checkpoint()
        assert signed is not None
        folder.end({"entries": ledger.size, "checkpoint": signed.note.decode()})
    settle_kept(path, now_ms=at(72))
    return path


@pytest.fixture
def agreed(out: Path) -> Path:
    """Return the same, agreed to by both."""
    for party, key in KEYS.items():
        agree(out, contract="mill", party=party, key=key)
    return out


def dispute(out: Path) -> int:
    """Dispute 2.00 EUR of the hour; return the entry."""
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
    return case.index


def remarks(out: Path) -> tuple[str, ...]:
    (placed,) = with_remarks(out, statements_of(out))
    return placed.remarks


def checked(out: Path, tmp_path: Path) -> str:
    bookings, notes = books_of(out, statements_of(out))
    text = beancount_text(bookings, notes=notes)
    file = tmp_path / "books.beancount"
    file.write_text(text, encoding="utf-8")
    program = Path(sys.executable).parent / "bean-check"
    subprocess.run([program, file], check=True, timeout=60)
    return text


def due(out: Path) -> list[int]:
    statements: tuple[PlacedStatement, ...] = statements_of(out)
    return [item.minor for item in payments_due(statements, due=still_due(out), test=True)]


def test_statement_nobody_agreed_to_is_booked_as_drawn(out: Path, tmp_path: Path) -> None:
    assert still_due(out) == {}
    assert due(out) == [600]
    assert "Assets:Mill:Buyer:Due  6.00 EUR" in checked(out, tmp_path).replace("Test:", "")
    assert remarks(out) == ()


def test_what_is_disputed_is_neither_booked_nor_due(agreed: Path, tmp_path: Path) -> None:
    assert due(agreed) == [600]
    index = dispute(agreed)
    assert still_due(agreed) == {"mill": 400}
    assert due(agreed) == [400]
    text = checked(agreed, tmp_path).replace("Test:", "")
    assert "balance Income:Mill:Seller  -4.00 ~ 0 EUR" in text
    assert '"held: 2.00 EUR for Income:' in text
    (remark,) = remarks(agreed)
    assert remark == (
        f"Entry {index}: bakery disputes use, 1 January 2026, 00:11 UTC to 1 January 2026, 00:31 "
        "UTC: nothing turned (2.00 EUR held)."
    )


def test_resolution_ends_it(agreed: Path, tmp_path: Path) -> None:
    index = dispute(agreed)
    said = {"dispute": str(index), "contract": None, "granted": Fraction(50), "text": "half"}
    for party, key in KEYS.items():
        resolve(agreed, party=party, key=key, **said)
    assert due(agreed) == [450]
    assert "balance Income:Mill:Seller  -4.50 ~ 0 EUR" in (
        checked(agreed, tmp_path).replace("Test:", "")
    )
    (remark,) = remarks(agreed)
    assert remark.endswith(f"nothing turned (resolved by entry {index + 2}).")


def test_what_escrow_covered_is_not_asked_for_again(agreed: Path, tmp_path: Path) -> None:
    pay(
        agreed,
        contract="mill",
        party="owner",
        key=KEYS["owner"],
        what=PaymentKind.FUND,
        amount=Fraction(5),
        reference="bank 1",
    )
    assert due(agreed) == [100]
    text = checked(agreed, tmp_path).replace("Test:", "")
    assert "balance Assets:Mill:External  5.00 ~ 0 EUR" in text
    assert "balance Assets:Mill:Buyer:Due  1.00 ~ 0 EUR" in text


def test_later_generation_is_named(agreed: Path) -> None:
    settle_kept(agreed, now_ms=at(1 + 180))
    first, *_ = with_remarks(agreed, statements_of(agreed))
    (remark,) = first.remarks
    assert remark.endswith("replaces it: generation 2 of this period.")
