"""Amounts without readings: for charts, for disputes, for anybody who checks a price.

A dispute is about a quantity, not about a line: whatever depends on the quantity is priced again,
so a step in a price, a shortfall or a commission moves along with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from wattest.errors import SettlementError
from wattest.settlement.availability import share_up
from wattest.settlement.disputes import struck
from wattest.settlement.line import Priced
from wattest.settlement.money import parse_exact
from wattest.settlement.price import Counted, Counts, payouts_of, price_lines
from wattest.settlement.quantity import Quantity
from wattest.settlement.statement import Statement
from wattest.settlement.terms import Basis, DayWindow, LineTerms, Terms, Window, find_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """What a statement makes the buyer pay, and who gets it.

    Args:
        lines: ``(code, minor units)`` of the lines the buyer pays; they sum to the total.
        payouts: ``(party, minor units)``; they sum to the total too.
    """

    lines: tuple[tuple[str, int], ...]
    payouts: tuple[tuple[str, int], ...]

    @property
    def total(self) -> int:
        """What the buyer owes, minor units."""
        return sum(minor for _, minor in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What a statement was priced with: all that is needed to price it again.

    Args:
        terms: of the contract.
        counts: what the lines were priced with.
        up_ms: time the assets were up, all of them.
        down_ms: time they were down.
        base_ms: base of the fraction.
        left_out: unknown time that leaves both sides of it, ms.
    """

    terms: Terms
    counts: Counts
    up_ms: int = 0
    down_ms: int = 0
    base_ms: int = 0
    left_out: Fraction = Fraction(0)


def price_at(
    terms: Terms,
    quantities: Mapping[str, Fraction | int],
    *,
    active: Fraction = Fraction(1),
    availability: Fraction = Fraction(1),
    period: Window | None = None,
    once: bool = False,
) -> tuple[Priced, ...]:
    """Price quantities without readings, line by line; ``total_of`` and ``payouts_of`` sum them.

    Args:
        terms: of the contract.
        quantities: price units by code; a line left out takes the quantity of a line that counts
            the same, else 0. Time-of-use windows are left aside: everything lies outside of them.
        active: active share of the period.
        availability: share of time the assets were up.
        period: a settlement period, for what depends on dates; ``None``: any ordinary one.
        once: whether what falls due once falls into an ordinary period.

    Raises:
        SettlementError: a code of no line, or of one that counts nothing.
    """
    counts: dict[tuple[str, bytes], Fraction] = {}
    own: dict[str, Fraction] = {}
    for code, units in quantities.items():
        line = find_line(terms, code)
        quantity = line.needs.quantity
        if quantity is None:
            raise SettlementError(f"line {code}: a line that counts something expected")
        own[line.code] = Fraction(units) * quantity.base_per_unit
        counts.setdefault(_same(quantity), own[line.code])
    lines: dict[str, Counted] = {}
    for line in terms.lines:
        quantity = line.needs.quantity
        by_window: dict[int, int | Fraction] = {}
        if quantity is not None:
            count = counts.get(_same(quantity), Fraction(0))
            by_window = {-1: own.get(line.code, count)}
        lines[line.code] = Counted(active=active, by_window=by_window)
    whole = Counts(period=period, lines=lines, availability=availability, once=once)
    return price_lines(terms, whole)


def settled_of(statement: Statement) -> Settled:
    """Return what a statement was priced with."""
    found = statement.availability
    if found is None:
        return Settled(terms=statement.terms, counts=statement.counts)
    return Settled(
        terms=statement.terms,
        counts=statement.counts,
        up_ms=found.up_ms,
        down_ms=found.down_ms,
        base_ms=found.base_ms,
        left_out=found.left_out,
    )


def settled_from(terms: Terms, document: Mapping[str, Any]) -> Settled:
    """Return what a logged statement was priced with, without any reading.

    Args:
        terms: whose hash the statement names.
        document: the decoded statement.
    """
    lines: dict[str, Counted] = {}
    for line in document["lines"]:
        if line["line"] in lines and "by_window" not in line:
            continue
        lines[line["line"]] = Counted(
            active=parse_exact(line["active"]),
            by_window=dict(line.get("by_window", ())),
            history=tuple((parse_exact(a), n) for a, n in line.get("history", ())),
        )
    start_ms, end_ms = document["period"]
    found = document.get("availability")
    counts = Counts(
        period=Window(start_ms=start_ms, end_ms=end_ms),
        lines=lines,
        availability=parse_exact(found["value"]) if found else Fraction(1),
    )
    if not found:
        return Settled(terms=terms, counts=counts)
    return Settled(
        terms=terms,
        counts=counts,
        up_ms=found["up"],
        down_ms=found["down"],
        base_ms=found["base"],
        left_out=parse_exact(found["left_out"]),
    )


def amounts_with(
    settled: Settled | Statement,
    removed: Mapping[str, int | Mapping[int, int]],
    *,
    clip: bool = False,
) -> Amounts:
    """Price a period again as if part of what some lines rest on were otherwise.

    Every line that counts the same quantity is priced again; where two of the named lines do, the
    larger number counts.

    Args:
        settled: a statement, or what one was priced with.
        removed: by code of a line of the terms or of the statement. Of a metered quantity: base
            counts that were not delivered, negative: delivered on top; by time-of-use window, or
            one number that is shared out to the windows pro rata. Of a line about availability:
            ms of down time that was up. Of a line about time: ms that were not active.
        clip: take no more than there is, instead of refusing it.

    Raises:
        SettlementError: no such line, nothing of it can be in dispute, or more than there is.
    """
    known = settled_of(settled) if isinstance(settled, Statement) else settled
    terms, counts = known.terms, known.counts
    taken: dict[tuple[str, bytes], _Taken] = {}
    struck = 0
    for code, part in removed.items():
        line = find_line(terms, code)
        if line.needs.basis is Basis.QUANTITY:
            _note(taken, line, _shares(known, line, part, clip=clip))
            continue
        count = part if isinstance(part, int) else sum(part.values())
        if line.needs.basis is Basis.DOWNTIME:
            struck = max(struck, _checked(code, count, known.down_ms, "ms of down time", clip))
        elif line.needs.basis is Basis.ACTIVE:
            counts = _idle(known, counts, line, count, clip=clip)
        else:
            raise SettlementError(
                f"contract {terms.contract}: nothing of line {code} can be in dispute"
            )
    if struck:
        value = share_up(known.up_ms + struck, known.base_ms, known.left_out)
        counts = replace(counts, availability=value)
    priced = price_lines(terms, _less(terms, counts, taken))
    return Amounts(
        lines=tuple((line.code, line.minor) for line in priced if line.payer == terms.buyer),
        payouts=payouts_of(terms, priced),
    )


def amounts_granted(
    settled: Settled | Statement, code: str, disputed: int | Mapping[int, int], granted: int
) -> Amounts:
    """Price a period as if ``granted`` of what is disputed were decided for the seller.

    Nothing granted gives what is due whatever comes out; all of it gives the most that may be due.

    Args:
        settled: a statement, or what one was priced with.
        code: of a line of the terms or of the statement.
        disputed: base counts or ms, as ``amounts_with`` counts them.
        granted: 0 to all of it.

    Raises:
        SettlementError: as ``amounts_with``, or more is granted than was disputed.
    """
    known = settled_of(settled) if isinstance(settled, Statement) else settled
    whole = disputed if isinstance(disputed, int) else sum(disputed.values())
    if not 0 <= granted <= whole:
        raise SettlementError(f"0 to {whole} granted counts expected, got {granted}")
    counts = {-1: disputed} if isinstance(disputed, int) else disputed
    taken = struck(find_line(known.terms, code), counts, granted)
    return amounts_with(known, {code: taken[-1] if isinstance(disputed, int) else taken})


def _same(quantity: Quantity) -> tuple[str, bytes]:
    return quantity.name, quantity.obis


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """Base counts taken out of one quantity, and the windows they are shared out to."""

    windows: tuple[DayWindow, ...]
    shares: Mapping[int, int]


def _shares(
    known: Settled, line: LineTerms, part: int | Mapping[int, int], *, clip: bool
) -> dict[int, int]:
    """Return what is taken out of a line by window, no more than it bills."""
    billed = {k: int(v) for k, v in known.counts.lines[line.code].by_window.items()}
    whole = part if isinstance(part, int) else sum(part.values())
    whole = _checked(line.code, whole, sum(billed.values()), "base counts", clip, least=None)
    if isinstance(part, int):
        return _share(billed, whole)
    shares = {label: min(count, billed.get(label, 0)) for label, count in part.items()}
    if shares != dict(part) and not clip:
        raise SettlementError(f"line {line.code}: no more than each window bills expected")
    return shares


def _checked(
    code: str, count: int, most: int, what: str, clip: bool, *, least: int | None = 0
) -> int:
    if count > most and clip:
        return most
    if count > most or (least is not None and count < least):
        raise SettlementError(f"line {code}: 0 to {most} {what} expected, got {count}")
    return count


def _note(
    taken: dict[tuple[str, bytes], _Taken], line: LineTerms, shares: Mapping[int, int]
) -> None:
    """Keep the larger of two numbers about one quantity."""
    assert line.needs.quantity is not None
    key = _same(line.needs.quantity)
    other = taken.get(key)
    if other is None or sum(shares.values()) > sum(other.shares.values()):
        taken[key] = _Taken(windows=line.needs.windows, shares=shares)


def _less(terms: Terms, counts: Counts, taken: Mapping[tuple[str, bytes], _Taken]) -> Counts:
    """Take base counts from every line that counts the same."""
    counted = dict(counts.lines)
    for line in terms.lines:
        quantity = line.needs.quantity
        found = taken.get(_same(quantity)) if quantity is not None else None
        if found is None:
            continue
        before = counted[line.code]
        billed = {label: int(count) for label, count in before.by_window.items()}
        shares = found.shares
        if line.needs.windows != found.windows:
            shares = _share(billed, min(sum(shares.values()), sum(billed.values())))
        labels = sorted({*billed, *shares})
        left = {k: max(0, billed.get(k, 0) - shares.get(k, 0)) for k in labels}
        counted[line.code] = replace(before, by_window=left)
    return replace(counts, lines=counted)


def _share(counts: Mapping[int, int], part: int) -> dict[int, int]:
    """Share a part out pro rata, rounded down, the remainder to the last that has room."""
    whole = sum(counts.values())
    labels = sorted(counts)
    if whole == 0:
        return {labels[-1] if labels else -1: part}
    shares = {label: part * counts[label] // whole for label in labels}
    rest = part - sum(shares.values())
    for label in reversed(labels):
        more = rest if part < 0 else min(rest, counts[label] - shares[label])
        shares[label] += more
        rest -= more
    return shares


def _idle(
    known: Settled, counts: Counts, disputed: LineTerms, removed_ms: int, *, clip: bool
) -> Counts:
    """Take time from the active share: of all lines, or of the one with windows of its own."""
    period = known.counts.period
    assert period is not None, "statements have a period"
    whole_ms = period.end_ms - period.start_ms
    most = known.counts.lines[disputed.code].active * whole_ms
    removed_ms = _checked(
        disputed.code,
        removed_ms,
        most.numerator // most.denominator,
        "ms of active time",
        clip,
    )
    share = Fraction(removed_ms, whole_ms)
    counted = dict(counts.lines)
    own = disputed.needs.spans is not None
    for line in known.terms.lines:
        if line is disputed or (not own and line.needs.spans is None):
            before = counted[line.code]
            counted[line.code] = replace(before, active=max(Fraction(0), before.active - share))
    return replace(counts, lines=counted)
