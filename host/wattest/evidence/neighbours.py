"""Which records of one key a statement rests on.

What lies further away from a period than one usable record on each side has no influence on it
(docs/settlement.md section 2). Usable is taken in the narrowest sense here, good status and a time
of its own, so that one more record may be chosen than some terms need, and never one too few.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from wattest.ledger.entry import RecordFacts, RecordRow
from wattest.wire.record import Ctx, EventKind, Record

_NEW_TIME = 3
ReadRecord = Callable[[int], Record]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clock:
    """The earliest time-set event of a boot: it speaks about the time before."""

    mono_ms: int
    new_ms: int
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Timed:
    time_ms: int
    row: RecordRow
    clock: _Clock | None


def rows_around(
    rows: Sequence[RecordRow], start_ms: int, end_ms: int, read: ReadRecord, *, relays: bool
) -> set[int]:
    """Return the indexes of the records of one key that a window needs.

    Args:
        rows: of the key, those before the cut-off.
        start_ms: begin of the window, UTC ms.
        end_ms: its end.
        read: the record of an entry; asked only where the rows do not say enough.
        relays: also the last relay event before these: whether the relay was open at first.
    """
    clocks = _clocks(rows, read)
    timed = sorted(_with_times(rows, clocks), key=lambda each: each.time_ms)
    kept = _around(timed, start_ms, end_ms)
    if relays and kept:
        kept = [*_last_relay(timed, kept[0].time_ms, read), *kept]
    chosen = {each.row.index for each in kept}
    chosen |= {each.clock.index for each in kept if each.clock is not None}
    known = {each.row.index for each in timed}
    untimed = [row for row in rows if row.index not in known]
    return chosen | {row.index for row in _between(untimed, kept)}


def clock_of(rows: Sequence[RecordRow], facts: RecordFacts, read: ReadRecord) -> int | None:
    """Return the entry of the event that gives a record without a time one, or None."""
    same_boot = [row for row in rows if row.facts.bootseed == facts.bootseed]
    clock = _clocks([*same_boot], read).get(facts.bootseed) if facts.time_ms is None else None
    return None if clock is None else clock.index


def _clocks(rows: Sequence[RecordRow], read: ReadRecord) -> dict[bytes, _Clock]:
    wanted = {row.facts.bootseed for row in rows if row.facts.time_ms is None}
    found: dict[bytes, _Clock] = {}
    for row in rows:
        facts = row.facts
        if facts.ctx != Ctx.EVENT or facts.bootseed not in wanted:
            continue
        event = read(row.index).event
        if event is None or event.kind is not EventKind.TIME_SET:
            continue
        known = found.get(facts.bootseed)
        if known is None or facts.mono_ms < known.mono_ms:
            found[facts.bootseed] = _Clock(
                mono_ms=facts.mono_ms, new_ms=event.fields[_NEW_TIME], index=row.index
            )
    return found


def _with_times(rows: Iterable[RecordRow], clocks: dict[bytes, _Clock]) -> Iterable[_Timed]:
    for row in rows:
        facts = row.facts
        clock = clocks.get(facts.bootseed)
        if facts.time_ms is not None:
            yield _Timed(time_ms=facts.time_ms, row=row, clock=None)
        elif clock is not None:
            time_ms = clock.new_ms - (clock.mono_ms - facts.mono_ms)
            yield _Timed(time_ms=time_ms, row=row, clock=clock)


def _around(timed: Sequence[_Timed], start_ms: int, end_ms: int) -> Sequence[_Timed]:
    times = [each.time_ms for each in timed]
    low = bisect_left(times, start_ms)
    high = bisect_right(times, end_ms)
    while low > 0:
        low -= 1
        if _usable(timed[low]):
            low = bisect_left(times, times[low])
            break
    while high < len(timed):
        high += 1
        if _usable(timed[high - 1]):
            high = bisect_right(times, times[high - 1])
            break
    return timed[low:high]


def _last_relay(timed: Sequence[_Timed], before_ms: int, read: ReadRecord) -> Iterable[_Timed]:
    for each in reversed(timed):
        if each.time_ms < before_ms and each.row.facts.ctx == Ctx.EVENT:
            event = read(each.row.index).event
            if event is not None and event.kind is EventKind.RELAY:
                yield each
                return


def _usable(each: _Timed) -> bool:
    facts = each.row.facts
    return each.clock is None and facts.status == "G" and not facts.err


def _between(untimed: Sequence[RecordRow], kept: Sequence[_Timed]) -> Iterable[RecordRow]:
    """Return the records without a time whose numbers lie between kept ones."""
    numbers: dict[int, list[int]] = {}
    for each in kept:
        numbers.setdefault(each.row.facts.ctx, []).append(each.row.facts.seq)
    for row in untimed:
        seqs = numbers.get(row.facts.ctx)
        if seqs and min(seqs) < row.facts.seq < max(seqs):
            yield row
