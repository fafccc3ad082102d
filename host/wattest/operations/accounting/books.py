"""The accounts of a kept ledger as books for another program, and what is still due."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from wattest.errors import DecodeError
from wattest.exports.beancount import Booking, Note, statement_bookings
from wattest.exports.beancount_transfers import held_notes, transfer_bookings
from wattest.exports.placed import PlacedStatement
from wattest.exports.words import amount, instant, listed, local_day
from wattest.ledger import EntryKind
from wattest.operations.kept.ledger_view import open_view
from wattest.settlement.accounts import DUE
from wattest.settlement.contract_account import ContractAccount
from wattest.settlement.folding import AccountsFold
from wattest.settlement.postings import held_for
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


def with_remarks(path: Path, statements: Sequence[PlacedStatement]) -> tuple[PlacedStatement, ...]:
    """Return statements with what became of them since: later generations, disputes.

    Args:
        path: the kept run they come from.
        statements: any of its statements.

    Raises:
        ConfigError: this is not the folder of a run.
        StoreError: its ledger cannot be read.
        VerificationError: a disputed statement does not follow from its evidence.
    """
    fold = _fold(path)
    return tuple(
        replace(
            placed,
            remarks=tuple(_remarks(placed, fold.contracts.get(str(placed.document["contract"])))),
        )
        for placed in statements
    )


def _remarks(placed: PlacedStatement, contract: ContractAccount | None) -> Iterator[str]:
    if contract is None:
        return
    start_ms = placed.document["period"][0]
    account = contract.periods.get(start_ms)
    if account is not None and account.index > placed.index:
        generation = account.document["generation"]
        yield f"Entry {account.index} replaces it: generation {generation} of this period."
    zone, scale, currency = placed.zone, contract.terms_now.scale, contract.terms_now.currency
    for case in contract.disputes.values():
        claims = [claim for claim in case.claims if claim.period.start_ms == start_ms]
        if not claims:
            continue
        who = case.party or "The evidence itself"
        codes = listed([claim.code for claim in claims])
        window = claims[0].window
        span = f"{instant(window.start_ms, zone)} to {instant(window.end_ms, zone)}"
        text = f"Entry {case.index}: {who} disputes {codes}, {span}: {case.reason}"
        if case.is_open:
            held = amount(held_for(contract, case), scale, currency)
            yield f"{text} ({held} held)."
        else:
            yield f"{text} ({case.state.value} by entry {case.closed})."


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
        fold.take_all(view.proven_entries())
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
