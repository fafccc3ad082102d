"""Statements as lines and as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from wattest.cli.output import marked
from wattest.settlement import format_minor, statement_json

if TYPE_CHECKING:
    from wattest.operations.events import StatementDrawn


def statement_line(drawn: StatementDrawn) -> str:
    """Return a statement in one line."""
    statement = drawn.statement
    place = "not logged" if drawn.index is None else f"entry {drawn.index}"
    test = marked(" TEST") if statement.test else ""
    owed = f"{statement.total} {statement.currency}"
    return f"statement: {drawn.contract}: {owed}, {statement.state.value}, {place}{test}"


def placed_json(index: int | None, document: dict[str, Any]) -> dict[str, Any]:
    """Return a statement as plain values, with its place in the ledger, or None."""
    return {"index": index, **statement_json(document)}


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
