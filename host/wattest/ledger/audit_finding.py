"""One thing an audit found wrong."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class AuditCode(enum.StrEnum):
    """What is wrong, for scripts."""

    CHANGED = "changed"
    MISSING = "missing"
    UNEXPECTED = "unexpected"
    UNREADABLE = "unreadable"
    DAMAGED = "damaged"
    INVALID = "invalid"
    INCONSISTENT = "inconsistent"
    UNCOVERED = "uncovered"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFinding:
    """One thing that is wrong with a stored ledger.

    Attributes:
        code: for scripts.
        table: ``entry``, ``record``, ``conflict``, ``tile``, ``edge``, ``checkpoint`` or ``file``.
        place: the row: index of an entry, level/number of a tile, size of a checkpoint.
        index: the entry concerned, or None.
        message: what is wrong: expected, then got.
    """

    code: AuditCode
    table: str
    place: str
    index: int | None
    message: str

    def line(self) -> str:
        """Return the finding as one line for people."""
        where = f"{self.table} {self.place}".rstrip()
        return f"{where}: {self.message}"
