"""What changes after a statement: late records make a new generation, disputes hold a part back.

Differences are always between rounded lines of whole recomputed periods, never a price times a
late delta: a late kilowatt-hour can land in another tier. Nothing here moves money (postings.py
does); these are the amounts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wattest.errors import SettlementError
from wattest.settlement.amounts import Amounts, amounts_with
from wattest.settlement.statement import Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What a later generation changes.

    Args:
        lines: ``(code, minor units)`` for every line, in the order of the terms.
        minor: their sum: what is posted on top, or taken back when negative.
    """

    lines: tuple[tuple[str, int], ...]
    minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """A disputed part of one line.

    Args:
        undisputed: minor units due whatever comes out.
        pending: minor units held until the dispute is resolved, >= 0.
    """

    undisputed: int
    pending: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What becomes of the pending part.

    Args:
        posted: minor units due after all.
        voided: minor units released.
    """

    posted: int
    voided: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Extremes:
    """The amounts when the buyer, and when the seller, is right in every open dispute."""

    buyer: Amounts
    seller: Amounts


def amounts_of(document: Mapping[str, Any]) -> Amounts:
    """Return the amounts of a statement's document as it stands.

    Raises:
        SettlementError: its lines or its payouts do not sum to its total.
    """
    buyer = document["buyer"]
    lines = tuple(
        (line["code"], line["amount"]) for line in document["lines"] if line["payer"] == buyer
    )
    payouts = tuple((party, minor) for party, minor in document["payouts"])
    found = Amounts(lines=lines, payouts=payouts)
    if not found.total == sum(minor for _, minor in payouts) == document["total"]:
        raise SettlementError(
            f"contract {document['contract']}: lines and payouts that sum to "
            f"{document['total']} expected, got {found.total} and {sum(m for _, m in payouts)}"
        )
    return found


def difference(earlier: Statement, later: Statement) -> Difference:
    """Compare two generations of one period.

    Raises:
        SettlementError: another contract, terms or period, or not a later generation.
    """
    same = (earlier.terms_digest, earlier.period) == (later.terms_digest, later.period)
    if not same or later.generation <= earlier.generation:
        raise SettlementError(
            f"contract {later.contract}: a later generation of the same terms and period expected"
        )
    lines = tuple(
        (new.code, new.minor - old.minor)
        for old, new in zip(earlier.lines, later.lines, strict=True)
    )
    return Difference(lines=lines, minor=sum(minor for _, minor in lines))


def dispute(statement: Statement, code: str, disputed: int) -> Dispute:
    """Hold back what depends on a disputed quantity of one line.

    Args:
        statement: with the line in question.
        code: of a line that bills a metered quantity.
        disputed: base counts in dispute, 0 to what the line bills.

    Raises:
        SettlementError: no such line, or more than it bills.
    """
    low = _amount_without(statement, code, disputed)
    high = _amount_without(statement, code, 0)
    return Dispute(undisputed=low, pending=high - low)


def resolve(statement: Statement, code: str, disputed: int, granted: int) -> Resolution:
    """Settle a dispute: ``granted`` of the ``disputed`` base counts were delivered after all.

    Raises:
        SettlementError: as ``dispute``, or more is granted than was disputed.
    """
    if not 0 <= granted <= disputed:
        raise SettlementError(f"0 to {disputed} granted base counts expected, got {granted}")
    held = dispute(statement, code, disputed)
    posted = _amount_without(statement, code, disputed - granted) - held.undisputed
    return Resolution(posted=posted, voided=held.pending - posted)


def _amount_without(statement: Statement, code: str, count: int) -> int:
    """Return what the buyer owes with ``count`` base counts of a line less."""
    return amounts_with(statement, {code: count}).total
