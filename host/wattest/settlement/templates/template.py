"""What a template is: a name and a reader; the reader gives a line that prices itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wattest.settlement.terms import LineTerms
from wattest.tables import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is known of a contract while one of its lines is read.

    Args:
        start_ms: the contract's first instant, or ``None``.
        seller: who is paid.
        buyer: who pays.
        lines: the lines before this one.
    """

    start_ms: int | None
    seller: str
    buyer: str
    lines: tuple[LineTerms, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One kind of line.

    Args:
        name: as contracts write it.
        read: from the line's table, its code and the draft; refuses what breaks a rule with
            ``ConfigError`` and leaves unknown keys to the caller.
        shares: labels of the parts whose quantity is a share of the period.
    """

    name: str
    read: Callable[[Table, str, Draft], LineTerms]
    shares: tuple[str, ...] = ()
