"""The accounts of a kept ledger as books for another program, and what is still due."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from wattest.errors import DecodeError
from wattest.exports.beancount import Booking, Note, statement_bookings
from wattest.exports.beancount_transfers import held_notes, transfer_bookings
from wattest.exports.placed import PlacedStatement
from wattest.exports.words import local_day
from wattest.ledger import EntryKind
from wattest.operations.kept.ledger_view import open_view
from wattest.settlement.accounts import DUE
from wattest.settlement.contract_account import ContractAccount
from wattest.settlement.folding import AccountsFold
from wattest.wire import parse_act


def books_of(
    path: Path, statements: Sequence[PlacedStatement]
) -> tuple[list[Booking], list[Note]]:
    """Return the bookings of the contracts of statements, and notes on what is held.

    A contract that both parties agreed to is booked as its accounts stand; of any other, each
    statement is booked as it is drawn.

    Args:
        path: folder of a kept run.
        statements: all of each contract that is wanted.

    Raises:
        ConfigError: this is not the folder of a run.
        StoreError: its ledger cannot be read.
        VerificationError: a disputed statement does not follow from its evidence.
    """
    fold = _fold(path)
    bookings: list[Booking] = []
    notes: list[Note] = []
    for name in sorted({str(placed.document["contract"]) for placed in statements}):
        mine = [placed for placed in statements if placed.document["contract"] == name]
        contract = fold.contracts.get(name)
        if contract is None or not contract.signed(contract.newest):
            bookings += statement_bookings(mine)
            continue
        test = any(placed.test for placed in mine)
        scale = contract.terms_now.scale
        causes = dict(_causes(path, mine, contract))
        bookings += transfer_bookings(name, contract.book, causes=causes, scale=scale, test=test)
        if causes:
            last = max(date for date, _ in causes.values())
            notes += held_notes(name, contract.book, date=last, scale=scale, test=test)
    return bookings, notes


def still_due(path: Path) -> Mapping[str, int]:
    """Return what the buyers of the contracts both parties agreed to still owe, minor units.

    Raises:
        ConfigError: this is not the folder of a run.
        StoreError: its ledger cannot be read.
        VerificationError: a disputed statement does not follow from its evidence.
    """
    fold = _fold(path)
    return {
        name: -contract.book.balance(DUE, contract.terms_now.currency).posted
        for name, contract in fold.contracts.items()
        if contract.signed(contract.newest)
    }


def _fold(path: Path) -> AccountsFold:
    fold = AccountsFold()
    with open_view(path) as view:
        for entry in view.entries():
            fold.take(entry)
    return fold


def _causes(
    path: Path, statements: Sequence[PlacedStatement], contract: ContractAccount
) -> Iterator[tuple[int, tuple[dt.date, str]]]:
    """Yield the day and the name of every entry that moved money of a contract."""
    days = {placed.index: (placed.last_day, _drawn(placed)) for placed in statements}
    zone = contract.terms_now.zone
    day = min(placed.last_day for placed in statements)
    wanted = sorted({transfer.cause for transfer in contract.book})
    with open_view(path) as view:
        for index in wanted:
            if index in days:
                day = days[index][0]
                yield index, days[index]
                continue
            entry = view.entry(index)
            name = EntryKind(entry.kind).name.lower()
            try:
                act = parse_act(entry.body).act
            except DecodeError:  # stated by the evidence itself, which has no clock
                yield index, (day, name)
                continue
            day = local_day(act.time_ms, zone)
            yield index, (day, f"{name} by {act.party}")


def _drawn(placed: PlacedStatement) -> str:
    document = placed.document
    return f"statement {placed.begins}, generation {document['generation']}"
