"""What the existing verifier finds in the readings of a transaction, step by step as it does it.

A model of S.A.F.E. Transparenzsoftware 1.4.1, written from reading its code: it counts some
registers only, inherits ST and RU among those and nothing else, and stops at the first failure,
where this goes on and tells all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

END_REASONS: Final = frozenset("ELRAP")
LEVELS_REFUSED: Final = frozenset({"MISMATCH", "INVALID", "OUTDATED", "UNKNOWN"})
_OBIS = re.compile(
    r"([0-9a-f]*)-([0-9a-f]*):([0-9a-f]*)\.([0-9a-f]*)(?:\.([0-9a-f]*)(?:[.*]([0-9a-f]*))?)?"
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d,\d{3}[+-]\d{4}")
_COMPENSATED = frozenset({0x98, 0xB1, 0xB3, 0xC1, 0xC3})
_SUFFIXES = frozenset({0, 0x200, 0x255, 0xFF})

Broken = tuple[int, str, str]
"""Number of the rule, place, message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A reading and its place in a text.

    Args:
        where: such as ``T1 RD[0]``.
        fields: of the reading, as the text has them.
    """

    where: str
    fields: Mapping[str, Any]

    def text(self, key: str) -> str | None:
        """Return a field as text, None if it is not there."""
        value = self.fields.get(key)
        return None if value is None else str(value)

    @property
    def begins(self) -> bool:
        """TX says that a transaction begins."""
        return (self.text("TX") or "").strip() == "B"

    @property
    def ends(self) -> bool:
        """TX says that a transaction ends."""
        return (self.text("TX") or "").strip() in END_REASONS

    @property
    def letter(self) -> str | None:
        """Letter of the time; None if there is none."""
        parts = (self.text("TM") or "").split(" ")
        return parts[1] if len(parts) > 1 else None

    @property
    def instant(self) -> datetime | None:
        """The time, None if the verifier cannot read it."""
        stamp = (self.text("TM") or "").split(" ")[0]
        if self.letter is None or not _TIME.fullmatch(stamp):
            return None
        try:
            return datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S,%f%z")
        except ValueError:
            return None

    @property
    def value(self) -> Decimal | None:
        """RV as a number, None if it is none."""
        try:
            value = Decimal((self.text("RV") or "").strip())
        except InvalidOperation:
            return None
        return value if value.is_finite() else None


def obis_groups(code: str) -> tuple[int, ...] | None:
    """Return the six groups of an OBIS code, hexadecimal, 0 where one is missing.

    None if the verifier cannot read it.
    """
    match = _OBIS.fullmatch(code.lower().strip())
    return tuple(int(group or "0", 16) for group in match.groups()) if match else None


def is_counted(code: str | None) -> bool:
    """Tell whether the verifier counts a register with this code."""
    groups = obis_groups(code) if code else None
    if groups is None:
        return False
    a, _, c, d, _, f = groups
    known = c in {1, 0x98, 0x9E} or 0xB0 <= c <= 0xC7
    return a == 1 and known and d == 8 and f in _SUFFIXES


def is_compensated(code: str | None) -> bool:
    """Tell whether a register is loss-compensated: where one is, only those count."""
    groups = obis_groups(code) if code else None
    return groups is not None and (groups[0], groups[3]) == (1, 8) and groups[2] in _COMPENSATED


def counted(readings: Sequence[Placed]) -> list[Placed]:
    """Return the readings the verifier takes into account."""
    compensated = [item for item in readings if is_compensated(item.text("RI"))]
    return compensated or [item for item in readings if is_counted(item.text("RI"))]


def transaction_faults(readings: Sequence[Placed], levels: Sequence[Any]) -> Iterator[Broken]:
    """Yield everything for which the verifier refuses a transaction that has both of its ends.

    Args:
        readings: of one text, or of the two of a pair.
        levels: IL of each text.
    """
    chosen = counted(readings)
    if chosen and chosen[0].text("ST") is None:
        yield 25, f"{chosen[0].where}.ST", "missing in the first reading that counts"
    if chosen and chosen[0].text("RU") is None:
        yield 42, f"{chosen[0].where}.RU", "missing in the first reading that counts"
    ends = []
    for what, found in (
        ("first", [item for item in chosen if item.begins]),
        ("last", [item for item in chosen if item.ends]),
    ):
        if len(found) != 1:
            where = readings[0].where.rpartition("[")[0] if readings else "RD"
            yield 18, where, f"expected one {what} reading that counts, found {len(found)}"
        ends += found[:1]
    for level in levels:
        if isinstance(level, str) and level.strip() in LEVELS_REFUSED:
            yield 10, "IL", f"{level} is a level that is refused"
    if len(ends) == 2:
        yield from _ends_faults(ends[0], ends[1], chosen)


def _ends_faults(begin: Placed, end: Placed, chosen: Sequence[Placed]) -> Iterator[Broken]:
    for item in (begin, end):
        if item.value is None:
            yield 19, f"{item.where}.RV", f"expected a number, got {item.text('RV')!r}"
        status = _inherited(item, "ST", chosen)
        if status is not None and status != "G":
            yield 26, f"{item.where}.ST", f"{status}: the meter was not well"
        if "E" in (item.text("EF") or ""):
            yield 27, f"{item.where}.EF", "the energy is marked as not usable"
    if begin.value is not None and end.value is not None and begin.value > end.value:
        yield 30, f"{end.where}.RV", f"{end.value} after {begin.value}"
    if begin.instant and end.instant and begin.instant > end.instant:
        yield 30, f"{end.where}.TM", f"{end.text('TM')} after {begin.text('TM')}"
    if begin.letter is None:
        yield 14, f"{begin.where}.TM", "the first reading has no letter"
    elif begin.letter == "R" and end.letter != "R":
        yield 15, f"{end.where}.TM", f"relative at first (R), {end.letter} at last"


def _inherited(item: Placed, key: str, chosen: Sequence[Placed]) -> str | None:
    """Return a field, or that of the last reading before it that counts and has it."""
    found = None
    for other in chosen:
        found = other.text(key) or found
        if other is item:
            return found
    return found
