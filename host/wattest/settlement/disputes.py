"""Disputes over a part of a statement: who disputes what, and how each ends.

A dispute names a period, a line and a window of time in it. What it disputes are base counts: as
many as it says, or what the line metered in its window. It ends by a resolution that grants a part
of them, or it expires, and then the signed readings stand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

from wattest.errors import SettlementError
from wattest.settlement.reading import SettlementReading
from wattest.settlement.terms import Basis, LineTerms, Terms, Window, find_line

HOUR_MS = 3_600_000
EXPIRY_PERIODS = 2
"""A dispute expires when so many later periods of its contract were settled since."""


class DisputeState(StrEnum):
    """Where a dispute stands."""

    OPEN = "open"
    RESOLVED = "resolved"
    EXPIRED = "expired"
    """Nobody settled it in time: the signed readings stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One line of one period that a dispute is about; ``code`` is that of the terms' line."""

    period: Window
    code: str
    window: Window


@dataclass(slots=True, kw_only=True)
class DisputeCase:
    """A dispute of one contract and what became of it.

    Args:
        digest: SHA-256 of the body of its entry, 32 bytes: what a resolution names.
        index: its entry.
        party: who disputes; ``""``: the evidence itself (equivocation).
        on_top: it claims that more was delivered than was billed.
        reason: for people.
        claims: what is disputed; one, but for a dispute of the evidence.
        quantity: disputed base counts as stated, or None: what was metered in the window.
        state: where it stands.
        granted: of a resolved one, how many of the disputed counts are billed after all.
        closed: the entry that ended it, or None.
        said: what each party said in a resolution: ``(granted, entry)`` by party.
        later: periods that were settled since, one directly after the other.
        next_ms: begin of the period that counts next, UTC ms.
    """

    digest: bytes
    index: int
    party: str
    reason: str
    claims: tuple[Claim, ...]
    quantity: int | None
    on_top: bool = False
    state: DisputeState = DisputeState.OPEN
    granted: int | None = None
    closed: int | None = None
    said: dict[str, tuple[int, int]] = field(default_factory=dict)
    later: int = 0
    next_ms: int = 0

    @property
    def is_open(self) -> bool:
        """Whether money is held for it."""
        return self.state is DisputeState.OPEN

    def touches(self, claim: Claim) -> bool:
        """Whether it is about the same line of the same period, at a time both name."""
        return any(
            (own.period, own.code) == (claim.period, claim.code)
            and own.window.start_ms < claim.window.end_ms
            and claim.window.start_ms < own.window.end_ms
            for own in self.claims
        )


def between_neighbours(
    readings: Sequence[SettlementReading], kid: bytes, ctx: int, seq: int
) -> Window | None:
    """Return the time between the readings of a key around one of its numbers.

    Args:
        readings: of any key, any order.
        kid: whose number was signed for two contents.
        ctx: of the number.
        seq: the number.

    Returns:
        From the newest reading before to the oldest after it; its own time where there is none.
        None if nobody knows when it was.
    """
    own = [r.time_ms for r in readings if r.identity == (kid, ctx, seq) and r.time_ms is not None]
    if not own:
        return None
    times = sorted(
        reading.time_ms
        for reading in readings
        if reading.kid == kid
        and reading.identity != (kid, ctx, seq)
        and reading.time_ms is not None
    )
    start = max((time for time in times if time < min(own)), default=min(own))
    end = min((time for time in times if time > max(own)), default=max(own))
    return Window(start_ms=start, end_ms=end) if end > start else None


def counts_of(terms: Terms, code: str, units: Fraction) -> int:
    """Return what a line counts for some of its units: kilowatt-hours, or hours of a time.

    Raises:
        SettlementError: no such line, nothing of it can be in dispute, or a part of a base count
            is left over.
    """
    needs = find_line(terms, code).needs
    if needs.basis is Basis.NOTHING:
        raise SettlementError(f"contract {terms.contract}: nothing of line {code} can be disputed")
    base, unit = HOUR_MS, "h"
    if needs.basis is Basis.QUANTITY and needs.quantity is not None:
        base, unit = needs.quantity.base_per_unit, needs.quantity.unit
    counts = units * base
    if counts.denominator != 1:
        raise SettlementError(
            f"line {code}: whole steps of 1/{base} {unit} expected, got {units} {unit}"
        )
    return counts.numerator


def disputes_time(line: LineTerms) -> bool:
    """Tell whether a dispute of a line is about down time: granting it removes the down time."""
    return line.needs.basis is Basis.DOWNTIME


def struck(line: LineTerms, counts: Mapping[int, int], granted: int) -> dict[int, int]:
    """Return what is taken out of a line when ``granted`` of what is disputed goes to the seller.

    Of a quantity or of active time that is the rest; of down time it is what was granted.

    Args:
        line: of the terms.
        counts: what is disputed, base counts or ms by time-of-use window.
        granted: 0 to all of it.
    """
    return split(counts, granted if disputes_time(line) else sum(counts.values()) - granted)


def split(counts: Mapping[int, int], part: int) -> dict[int, int]:
    """Take ``part`` of the sum of some counts out of each pro rata, the remainder of the last."""
    whole = sum(counts.values())
    part = min(part, whole)
    shares: dict[int, int] = {}
    seen = given = 0
    for label in sorted(counts):
        seen += counts[label]
        reached = part * seen // whole if whole else 0
        shares[label] = reached - given
        given = reached
    return shares
