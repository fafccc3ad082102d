"""The book: what may move, what is held, and that nothing moves twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wattest.errors import SettlementError
from wattest.settlement.accounts import (
    CASH,
    ESCROW,
    EXTERNAL,
    INCOME,
    Book,
    Phase,
    Transfer,
    startup_id,
    transfer_id,
)

ORIGIN = bytes(32)
OTHER = b"\1" * 32


def transfer(
    line: str = "a",
    debit: str = EXTERNAL,
    credit: str = CASH,
    amount: int = 100,
    *,
    phase: Phase = Phase.POSTED,
    ends: Transfer | None = None,
) -> Transfer:
    return Transfer(
        id=transfer_id(ORIGIN, line),
        phase=phase,
        debit=debit,
        credit=credit,
        amount=amount,
        currency="EUR",
        code=line,
        pending_id=None if ends is None else ends.id,
        cause=7,
    )


@pytest.fixture
def book() -> Book:
    """A book with 100 in escrow, of which 60 are pending under ``hold``."""
    book = Book()
    book.apply([transfer("fund"), transfer("escrow", CASH, ESCROW)])
    book.apply([HOLD])
    return book


HOLD = transfer("hold", ESCROW, INCOME, 60, phase=Phase.PENDING)


def test_posting_moves_and_pending_holds(book: Book) -> None:
    escrow, income = book.balance(ESCROW, "EUR"), book.balance(INCOME, "EUR")
    assert (escrow.posted, escrow.available) == (100, 40)
    assert (income.posted, income.credits_pending) == (0, 60)


def test_post_of_a_part_lets_the_rest_go(book: Book) -> None:
    book.apply([transfer("post", ESCROW, INCOME, 25, phase=Phase.POST, ends=HOLD)])
    assert book.balance(ESCROW, "EUR").available == 75
    assert book.balance(INCOME, "EUR").posted == 25
    assert book.pending() == ()


def test_void_lets_everything_go(book: Book) -> None:
    book.apply([transfer("void", ESCROW, INCOME, 60, phase=Phase.VOID, ends=HOLD)])
    assert book.balance(ESCROW, "EUR").available == 100
    assert not book.is_open(HOLD.id)


@pytest.mark.parametrize("phase", [Phase.POST, Phase.VOID])
def test_a_pending_transfer_ends_once(book: Book, phase: Phase) -> None:
    book.apply([transfer("first", ESCROW, INCOME, 60, phase=phase, ends=HOLD)])
    with pytest.raises(SettlementError, match="open expected, got one that ended"):
        book.apply([transfer("second", ESCROW, INCOME, 60, phase=Phase.POST, ends=HOLD)])


def test_no_more_than_what_is_pending_is_posted(book: Book) -> None:
    with pytest.raises(SettlementError, match="at most 60 minor units expected, got 61"):
        book.apply([transfer("post", ESCROW, INCOME, 61, phase=Phase.POST, ends=HOLD)])


@pytest.mark.parametrize("phase", [Phase.POSTED, Phase.PENDING])
def test_escrow_cannot_be_overdrawn_not_even_by_what_is_pending(book: Book, phase: Phase) -> None:
    with pytest.raises(SettlementError, match="at most 40 minor units expected from buyer:escrow"):
        book.apply([transfer("more", ESCROW, INCOME, 41, phase=phase)])


def test_the_same_transfer_again_changes_nothing(book: Book) -> None:
    before = dict(book.balances())
    again = replace(transfer("fund"), cause=99)
    assert book.apply([again]) == 0
    assert (dict(book.balances()), len(book)) == (before, 3)


def test_another_transfer_under_the_same_id_is_an_error(book: Book) -> None:
    with pytest.raises(SettlementError, match="an id of its own expected"):
        book.apply([transfer("fund", amount=101)])


def test_several_transfers_are_applied_all_or_none(book: Book) -> None:
    before = (dict(book.balances()), list(book))
    with pytest.raises(SettlementError):
        book.apply([transfer("one"), transfer("two", ESCROW, INCOME, 1_000)])
    assert (dict(book.balances()), list(book)) == before


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (transfer(amount=0), "an amount above 0 expected, got 0"),
        (transfer(amount=-1), "an amount above 0 expected, got -1"),
        (transfer(debit=CASH, credit=CASH), "two accounts that differ expected"),
        (replace(transfer(), id=bytes(15)), "an id of 16 bytes expected, got 15"),
        (transfer(phase=Phase.VOID), "a pending transfer to end expected"),
        (transfer(ends=HOLD), "a pending transfer to end expected"),
        (
            transfer("x", ESCROW, INCOME, 59, phase=Phase.VOID, ends=HOLD),
            "60 minor units expected, got 59",
        ),
        (
            transfer("x", CASH, INCOME, 60, phase=Phase.POST, ends=HOLD),
            "the accounts and the currency of the pending one expected",
        ),
        (
            transfer("x", ESCROW, INCOME, 1, phase=Phase.POST, ends=transfer("escrow")),
            "a pending transfer expected before it, got none",
        ),
    ],
)
def test_a_transfer_that_breaks_a_rule_is_refused(
    book: Book, wrong: Transfer, message: str
) -> None:
    with pytest.raises(SettlementError, match=message):
        book.apply([wrong])


def test_currencies_are_apart() -> None:
    book = Book()
    book.apply([transfer()])
    assert book.balance(CASH, "USD").posted == 0
    with pytest.raises(SettlementError, match="at most 0 minor units"):
        book.apply([replace(transfer("b", CASH, ESCROW), currency="USD")])


def test_ids_come_from_run_and_line_and_a_startup_fee_from_the_contract_alone() -> None:
    assert transfer_id(ORIGIN, "a") != transfer_id(ORIGIN, "b") != transfer_id(OTHER, "b")
    assert startup_id("one", "fee") == startup_id("one", "fee") != startup_id("two", "fee")
    assert len(transfer_id(ORIGIN, "a")) == len(startup_id("one", "fee")) == 16
