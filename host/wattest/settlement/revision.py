"""What changes after a statement: late records make a new generation, disputes hold a part back.

Differences are always between rounded lines of whole recomputed periods, never a price times a
late delta: a late kilowatt-hour can land in another tier. Nothing here posts money; these are the
amounts.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from wattest.errors import SettlementError
from wattest.settlement.price import price_line
from wattest.settlement.statement import Line, Statement
from wattest.settlement.terms import PayPerUse


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
        code: of a pay-per-use line without time-of-use windows.
        disputed: base counts in dispute, 0 to what the line bills.

    Raises:
        SettlementError: no such line, or another quantity.
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
    """Price a line again with ``count`` base counts less."""
    line, terms = _find(statement, code)
    billed = line.metered + line.estimated
    if not 0 <= count <= billed:
        raise SettlementError(f"line {code}: 0 to {billed} base counts expected, got {count}")
    active: Fraction = line.active
    return price_line(statement.terms, terms, {-1: billed - count}, active).minor


def _find(statement: Statement, code: str) -> tuple[Line, PayPerUse]:
    for line, terms in zip(statement.lines, statement.terms.lines, strict=True):
        if line.code == code and isinstance(terms, PayPerUse) and not terms.windows:
            return line, terms
    raise SettlementError(
        f"contract {statement.contract}: a pay-per-use line without time-of-use windows "
        f"expected, got {code!r}"
    )
