"""Statements as lines and as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from wattest.cli.decode_kinds import plain
from wattest.cli.output import marked
from wattest.operations.statement_text import amount_text, instant_text
from wattest.settlement import format_minor

if TYPE_CHECKING:
    from wattest.operations.events import StatementDrawn


def statement_line(drawn: StatementDrawn) -> str:
    """Return a statement in one line."""
    statement = drawn.statement
    place = "not logged" if drawn.index is None else f"entry {drawn.index}"
    test = marked(" TEST") if statement.test else ""
    owed = f"{statement.total} {statement.currency}"
    return f"statement: {drawn.contract}: {owed}, {statement.state.value}, {place}{test}"


def statement_json(index: int | None, document: dict[str, Any]) -> dict[str, Any]:
    """Return a statement as plain values: its document with instants and amounts as text."""
    start_ms, end_ms = document["period"]
    return {
        "contract": document["contract"],
        "amount": amount_text(document),
        "currency": document["currency"],
        "test": document["test"],
        "state": document["state"],
        "from": instant_text(start_ms),
        "until": instant_text(end_ms),
        "index": index,
        "document": plain(document),
    }


def settled(drawn: Sequence[StatementDrawn]) -> dict[str, Any]:
    """Return what all statements of one run amount to.

    Amounts of one currency add up; where there are several, ``amount`` and ``currency`` are those
    of the first in order of the alphabet, and ``by_currency`` has them all.
    """
    totals: dict[str, int] = {}
    scales: dict[str, int] = {}
    for item in drawn:
        statement = item.statement
        scales[statement.currency] = statement.terms.scale
        totals[statement.currency] = totals.get(statement.currency, 0) + statement.total_minor
    amounts = {name: format_minor(totals[name], scales[name]) for name in sorted(totals)}
    first = next(iter(amounts), None)
    return {
        "amount": amounts[first] if first else "0",
        "currency": first,
        "test": any(item.statement.test for item in drawn),
        "by_currency": amounts,
    }
