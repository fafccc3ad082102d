"""The accounts of a contract as beancount: what moved is booked, what is held is noted."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from wattest.exports.beancount import Booking, Note, beancount_text
from wattest.exports.beancount_transfers import account_name, held_notes, transfer_bookings
from wattest.settlement.accounts import (
    CASH,
    DEPOSIT,
    DUE,
    ESCROW,
    EXTERNAL,
    INCOME,
    Book,
    Phase,
    Transfer,
    broker_account,
    transfer_id,
)

DAYS = {number: (dt.date(2026, 3, number + 1), f"cause {number}") for number in range(10)}
ALL = (EXTERNAL, CASH, ESCROW, DUE, INCOME, DEPOSIT, broker_account("b.1"), broker_account("b-1"))


def move(
    line: str, ends: tuple[str, str], amount: int, cause: int, phase: Phase = Phase.POSTED
) -> Transfer:
    pending = transfer_id(b"run", line) if phase in (Phase.POST, Phase.VOID) else None
    return Transfer(
        id=transfer_id(b"run", f"{line}{'' if pending is None else phase.value}"),
        phase=phase,
        debit=ends[0],
        credit=ends[1],
        amount=amount,
        currency="EUR",
        code=line,
        pending_id=pending,
        cause=cause,
    )


@pytest.fixture
def book() -> Book:
    """A contract that was funded, used, disputed and resolved; a part of escrow is reserved."""
    made = Book()
    made.apply([move("fund", (EXTERNAL, CASH), 20_000, 0), move("in", (CASH, ESCROW), 20_000, 0)])
    made.apply([move("energy", (ESCROW, INCOME), 9_840, 1)])
    made.apply([move("held", (ESCROW, INCOME), 160, 1, Phase.PENDING)])
    made.apply([move("fee", (INCOME, broker_account("b.1")), 246, 1)])
    made.apply([move("reserve", (ESCROW, INCOME), 5_000, 2, Phase.PENDING)])
    made.apply([move("held", (ESCROW, INCOME), 100, 3, Phase.POST)])
    made.apply([move("debt", (DUE, INCOME), 777, 4)])
    return made


@pytest.fixture
def check(tmp_path: Path) -> Callable[[str], int]:
    def run(text: str) -> int:
        file = tmp_path / "books.beancount"
        file.write_text(text, encoding="utf-8")
        program = Path(sys.executable).parent / "bean-check"
        return subprocess.run([program, file], check=False, timeout=60).returncode

    return run


def books(book: Book, *, test: bool = False) -> tuple[list[Booking], list[Note]]:
    bookings = list(transfer_bookings("wind", book, causes=DAYS, scale=2, test=test))
    notes = list(held_notes("wind", book, date=DAYS[9][0], scale=2, test=test))
    return bookings, notes


def test_accounts_of_a_contract_pass_the_check_of_another_program(
    book: Book, check: Callable[[str], int]
) -> None:
    bookings, notes = books(book)
    text = beancount_text(bookings, notes=notes)
    assert check(text) == 0
    lost = text.replace("98.40 EUR", "98.41 EUR", 1)
    assert lost != text
    assert check(lost) != 0


def test_balances_are_those_of_the_book_with_debits_positive(book: Book) -> None:
    bookings, notes = books(book)
    text = beancount_text(bookings, notes=notes)
    stated = {
        name: Fraction(amount)
        for name, amount in re.findall(r"balance (\S+)  (\S+) ~ 0 EUR", text)
    }
    mine = {
        account_name("wind", name, test=False): Fraction(-balance.posted, 100)
        for (name, _), balance in book.balances().items()
    }
    assert stated == mine
    assert stated["Assets:Wind:Buyer:Due"] == Fraction("7.77")
    assert stated["Liabilities:Wind:Buyer:Escrow"] == Fraction("-100.60")


def test_what_is_held_is_noted_until_it_ends(book: Book) -> None:
    _, notes = books(book)
    (note,) = notes
    assert note.account == "Liabilities:Wind:Buyer:Escrow"
    assert note.text.startswith("held: 50.00 EUR for Income:Wind:Seller (reserve)")


def test_one_cause_is_one_transaction_on_its_day(book: Book) -> None:
    bookings, _ = books(book)
    assert [(item.date.day, item.narration) for item in bookings] == [
        (1, "cause 0, entry 0"),
        (2, "cause 1, entry 1"),
        (4, "cause 3, entry 3"),
        (5, "cause 4, entry 4"),
    ]


def test_accounts_that_differ_have_names_that_differ() -> None:
    names = {account_name("wind", name, test=False) for name in ALL}
    assert len(names) == len(ALL)


def test_accounts_of_a_test_are_apart(book: Book, check: Callable[[str], int]) -> None:
    bookings, notes = books(book, test=True)
    text = beancount_text(bookings, notes=notes)
    assert check(text) == 0
    opened = re.findall(r"open (\S+)", text)
    assert all(name.split(":")[1] == "Test" for name in opened)
    assert text.count("#TEST") == len(bookings)
