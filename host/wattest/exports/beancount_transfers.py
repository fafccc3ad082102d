"""The accounts of a contract as bookings: every transfer that moved money, with its cause."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from itertools import groupby

from wattest.exports.beancount import Booking, Note, Posting, account
from wattest.exports.placed import TEST_MARK
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
)
from wattest.settlement.money import format_minor

_PLACES = {
    EXTERNAL: ("Assets", "external"),
    DUE: ("Assets", "buyer", "due"),
    CASH: ("Liabilities", "buyer", "cash"),
    ESCROW: ("Liabilities", "buyer", "escrow"),
    DEPOSIT: ("Liabilities", "deposit"),
    INCOME: ("Income", "seller"),
}
_MOVES = (Phase.POSTED, Phase.POST)


def account_name(contract: str, name: str, *, test: bool) -> str:
    """Return beancount's account for an account of a contract's book."""
    if name in _PLACES:
        root, *rest = _PLACES[name]
    else:
        root, rest = "Income", ["broker", name.removeprefix("broker:").removesuffix(":fee")]
    return account(contract, *rest, root=root, test=test)


def transfer_bookings(
    contract: str,
    book: Book,
    *,
    causes: Mapping[int, tuple[dt.date, str]],
    scale: int,
    test: bool,
) -> Iterator[Booking]:
    """Yield one booking for all that one entry of the ledger moved.

    Args:
        contract: its name.
        book: its transfers, in order.
        causes: day and name of each entry that moved money.
        scale: decimals of the currency.
        test: no claim for money.
    """
    moves = [transfer for transfer in book if transfer.phase in _MOVES]
    for cause, group in groupby(moves, key=lambda transfer: transfer.cause):
        transfers = list(group)
        date, what = causes[cause]
        mark = f"{TEST_MARK}: " if test else ""
        yield Booking(
            date=date,
            payee=contract,
            narration=f"{mark}{what}, entry {cause}",
            currency=transfers[0].currency,
            scale=scale,
            postings=tuple(
                leg for transfer in transfers for leg in _legs(contract, transfer, test=test)
            ),
            test=test,
            meta={"contract": contract, "entry": str(cause)},
        )


def held_notes(
    contract: str, book: Book, *, date: dt.date, scale: int, test: bool
) -> Iterator[Note]:
    """Yield a note for each transfer that holds money and has not ended."""
    for transfer in book.pending():
        target = account_name(contract, transfer.credit, test=test)
        held = f"{format_minor(transfer.amount, scale)} {transfer.currency}"
        yield Note(
            date=date,
            account=account_name(contract, transfer.debit, test=test),
            text=f"held: {held} for {target} ({transfer.code}), transfer {transfer.id.hex()}",
        )


def _legs(contract: str, transfer: Transfer, *, test: bool) -> Iterator[Posting]:
    """A debit is positive in beancount, a credit negative."""
    debit, credit = (
        account_name(contract, name, test=test) for name in (transfer.debit, transfer.credit)
    )
    yield Posting(account=debit, minor=transfer.amount, note=transfer.code)
    yield Posting(account=credit, minor=-transfer.amount, note=transfer.code)
