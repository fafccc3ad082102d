"""Least and largest amounts, bands of performance, names of other lines: what templates share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from wattest.settlement.fields import read_decimal, read_instant
from wattest.settlement.flags import Flag
from wattest.settlement.money import decimal_text
from wattest.settlement.templates.template import Draft
from wattest.settlement.terms import Given
from wattest.tables import Table, describe


def bounded(
    amount: Fraction, minimum: Fraction | None, maximum: Fraction | None, share: Fraction
) -> tuple[Fraction, tuple[Flag, ...]]:
    """Apply the least and the largest amount, in this order.

    Args:
        amount: by the formula.
        minimum: for a full period, or ``None``.
        maximum: for a full period, or ``None``.
        share: of a full period; 1 where bounds do not shrink.
    """
    flags: tuple[Flag, ...] = ()
    if minimum is not None and amount < minimum * share:
        amount, flags = minimum * share, (Flag.MINIMUM,)
    if maximum is not None and amount > maximum * share:
        amount, flags = maximum * share, (Flag.MAXIMUM,)
    return amount, flags


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """What holds from a value of the metric on, the value included."""

    start: Fraction
    value: Fraction


def read_bands(table: Table, key: str, *, maximum: int) -> tuple[Band, ...]:
    """Read bands: ``from`` descends to 0, ``key`` says what holds there."""
    entries = table.tables("bands")
    if not entries or len(entries) > 32:
        raise table.error("bands", f"1 to 32 bands expected, got {len(entries)}")
    bands: list[Band] = []
    for entry in entries:
        start = read_decimal(entry, "from")
        if bands and start >= bands[-1].start:
            raise entry.error(
                "from",
                f"less than {decimal_text(bands[-1].start)} expected, got {describe(start)}",
            )
        bands.append(Band(start=start, value=read_decimal(entry, key, maximum=maximum)))
        entry.finish()
    if bands[-1].start != 0:
        raise entries[-1].error(
            "from", f"0 expected in the last band, got {describe(bands[-1].start)}"
        )
    return tuple(bands)


def bands_form(bands: Sequence[Band], key: str) -> list[dict[str, str]]:
    """Write bands."""
    return [{"from": decimal_text(b.start), key: decimal_text(b.value)} for b in bands]


def band_of(bands: Sequence[Band], metric: Fraction) -> Fraction:
    """Return what holds for a metric, 0 or more."""
    return next(band.value for band in bands if metric >= band.start)


def read_others(table: Table, key: str, draft: Draft) -> tuple[str, ...]:
    """Read codes of lines before this one that the buyer pays or is credited."""
    payable = [line.code for line in draft.lines if not line.needs.follows]
    codes = table.strings(key)
    for code in codes:
        if code not in payable:
            raise table.error(key, f"codes of lines above this one expected, got {describe(code)}")
    if not codes or len(set(codes)) != len(codes):
        raise table.error(key, "one code or more, none twice, expected")
    return tuple(code for code in payable if code in codes)


def read_day(table: Table, key: str, draft: Draft) -> int:
    """Read an instant, by default the contract's first."""
    if key in table:
        return read_instant(table, key)
    if draft.start_ms is None:
        raise table.error(
            key, "an instant expected because the contract has no start, got nothing"
        )
    return draft.start_ms


def falls_due(given: Given, at_ms: int) -> Fraction:
    """Return 1 if an instant lies in the period, else 0."""
    if given.period is None:
        return Fraction(given.once)
    return Fraction(given.period.start_ms <= at_ms < given.period.end_ms)
