"""How much of a quantity one asset delivered in a window, by which keys, shown by which records.

Deltas are only ever taken within one key. Keys of one asset follow each other; time between them,
before the first, after the last and inside gaps that are too long is *unmetered*: measured as
time, never invented as energy. What the terms make of it is decided per line, see ``engine.py``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from wattest.settlement.flags import Flag
from wattest.settlement.quantity import Quantity
from wattest.settlement.reading import CTX_FISCAL, CTX_TRANSACTION, MeteringNode, SettlementReading
from wattest.settlement.register import (
    Delivered,
    Position,
    Rule,
    locate,
    read_register,
    value_at,
)
from wattest.settlement.terms import DerivedTime, Policy, Window
from wattest.settlement.track import Track, missing_between

Cuts = tuple[tuple[int, int], ...]
"""``(instant, time-of-use window)``, ascending; -1 is outside of every window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRef:
    """A record that carries an end of metered time.

    Args:
        ctx: with ``seq``, its identity within the key.
        seq: number within ``ctx``.
        index: entry of the ledger.
        time_ms: when the register was latched, ms since 1970 UTC.
        value: the register as signed, base counts.
    """

    ctx: int
    seq: int
    index: int
    time_ms: int
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """One end of metered time: the register's value there and the one or two records behind it."""

    time_ms: int
    value: int
    rule: Rule
    records: tuple[RecordRef, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEvidence:
    """What one key shows for one quantity.

    Args:
        kid: the key.
        quantity: base counts it delivered.
        start: where metered time begins; ``None`` for a count of records.
        end: where it ends; ``None`` for a count of records.
        records: how many records span it, neighbours included.
        missing: fiscal readings whose numbers are missing among them.
        digest: SHA-256 over their payload digests in ascending order, 32 bytes.
    """

    kid: bytes
    quantity: int
    start: End | None
    end: End | None
    records: int
    missing: int
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Unmetered time; ``known`` is what a register moved over it, pro rata to time."""

    start_ms: int
    end_ms: int
    known: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """One asset, one quantity, one window.

    Args:
        asset: its name.
        by_window: metered base counts by time-of-use window (-1: outside of all).
        metered_ms: time the readings cover.
        gaps: the rest of the window, in order.
        excluded: base counts left out because the input was not the sensor.
        keys: evidence by key, in order of time.
        flags: ascending, each once.
    """

    asset: str
    by_window: Mapping[int, int]
    metered_ms: int
    gaps: tuple[Gap, ...]
    excluded: int
    keys: tuple[KeyEvidence, ...]
    flags: tuple[Flag, ...]

    @property
    def metered(self) -> int:
        """Base counts the readings prove."""
        return sum(self.by_window.values())


class _Collector:
    """Walks the keys of one asset through the window."""

    def __init__(self, window: Window, cuts: Cuts, policy: Policy) -> None:
        self.window = window
        self.cuts = cuts
        self.policy = policy
        self.cursor = window.start_ms
        self.by_window: dict[int, int] = {}
        self.metered_ms = 0
        self.gaps: list[Gap] = []
        self.excluded = 0
        self.keys: list[KeyEvidence] = []
        self.flags: set[Flag] = set()

    def take(self, track: Track, delivered: Delivered) -> None:
        """Add what one key covers after everything covered so far."""
        times, window = delivered.times, self.window
        if times[-1] < window.start_ms or times[0] >= window.end_ms:
            return
        begin_ms = self.cursor
        if begin_ms > window.start_ms and times[0] < begin_ms:
            self.flags.add(Flag.OVERLAP)
            if times[-1] <= begin_ms:
                return
        first = locate(delivered, begin_ms, self.policy.max_gap_ms)
        last = locate(delivered, window.end_ms, self.policy.max_gap_ms)
        start_ms = times[first.right] if first.rule in (Rule.FIRST, Rule.GAP) else begin_ms
        end_ms = times[last.left] if last.rule in (Rule.LAST, Rule.GAP) else window.end_ms
        if end_ms < start_ms:  # the whole rest of the window lies inside one gap
            self._gap(begin_ms, window.end_ms, delivered)
            self.cursor = window.end_ms
            return
        self._gap(begin_ms, start_ms, delivered if first.rule is Rule.GAP else None)
        self._cover(track, delivered, (first, start_ms), (last, end_ms))
        self.cursor = end_ms
        if last.rule is Rule.GAP:
            self._gap(end_ms, window.end_ms, delivered)
            self.cursor = window.end_ms

    def _gap(self, start_ms: int, end_ms: int, delivered: Delivered | None) -> None:
        if end_ms > start_ms:
            known = None
            if delivered is not None:
                known = value_at(delivered, end_ms) - value_at(delivered, start_ms)
            self.gaps.append(Gap(start_ms=start_ms, end_ms=end_ms, known=known))

    def _cover(
        self,
        track: Track,
        delivered: Delivered,
        first: tuple[Position, int],
        last: tuple[Position, int],
    ) -> None:
        start = _end(delivered, *first)
        end = _end(delivered, *last)
        start_ms, end_ms = first[1], last[1]
        low = first[0].right if first[0].rule in (Rule.FIRST, Rule.GAP) else first[0].left
        high = last[0].left if last[0].rule in (Rule.LAST, Rule.GAP) else last[0].right
        quantity = value_at(delivered, end_ms) - value_at(delivered, start_ms)
        self._share(delivered, start_ms, end_ms)
        self.metered_ms += end_ms - start_ms
        self.excluded += sum(
            count for time_ms, count in delivered.excluded if start_ms < time_ms <= end_ms
        )
        self._flag(track, delivered, (start, end), (low, high))
        points = delivered.points[low : high + 1]
        self.keys.append(
            KeyEvidence(
                kid=track.kid,
                quantity=quantity,
                start=start,
                end=end,
                records=len(points),
                missing=missing_between(track, points),
                digest=digest_of(points),
            )
        )
        if self.keys[-1].missing:
            self.flags.add(Flag.MISSING)

    def note(self, notes: Iterable[tuple[int, Flag]], low_ms: int, high_ms: int) -> None:
        """Raise the flags of a span of time, both ends included."""
        self.flags.update(flag for time_ms, flag in notes if low_ms <= time_ms <= high_ms)

    def _flag(
        self, track: Track, delivered: Delivered, ends: tuple[End, End], span: tuple[int, int]
    ) -> None:
        low_ms, high_ms = delivered.times[span[0]], delivered.times[span[1]]
        self.note(track.notes, low_ms, high_ms)
        # a delta belongs to the interval that ends with it: not to the period it begins
        self.note(delivered.notes, low_ms + 1, high_ms)
        if any(end.rule is Rule.INTERP for end in ends):
            self.flags.add(Flag.INTERP)
        if Flag.DERIVED_TIME in self.flags and (self.policy.derived_time is DerivedTime.ESTIMATE):
            self.flags.add(Flag.EST)

    def _share(self, delivered: Delivered, start_ms: int, end_ms: int) -> None:
        """Share metered quantity out to the time-of-use windows, cut by cut."""
        inside = [cut for cut in self.cuts if start_ms < cut[0] < end_ms]
        before = [label for instant, label in self.cuts if instant <= start_ms]
        label = before[-1] if before else -1
        value = value_at(delivered, start_ms)
        for instant, following in (*inside, (end_ms, -1)):
            reached = value_at(delivered, instant)
            self.by_window[label] = self.by_window.get(label, 0) + reached - value
            value, label = reached, following
        for instant, _ in inside:
            where = locate(delivered, instant, self.policy.max_gap_ms)
            if where.rule is Rule.EXACT:
                continue
            guess = where.rule is Rule.GAP or _misses(delivered.points, where)
            self.flags.add(Flag.EST if guess else Flag.INTERP)

    def finish(self, asset: str) -> Usage:
        """Close the window; what nobody covered is a gap."""
        self._gap(self.cursor, self.window.end_ms, None)
        if self.gaps:
            self.flags.add(Flag.UNMETERED)
        return Usage(
            asset=asset,
            by_window={label: self.by_window[label] for label in sorted(self.by_window)},
            metered_ms=self.metered_ms,
            gaps=tuple(self.gaps),
            excluded=self.excluded,
            keys=tuple(self.keys),
            flags=tuple(sorted(self.flags)),
        )


def measure(
    asset: str,
    sources: Sequence[tuple[MeteringNode, Track]],
    quantity: Quantity,
    window: Window,
    *,
    cuts: Cuts,
    policy: Policy,
) -> Usage:
    """Measure what one asset delivered.

    Args:
        asset: its name.
        sources: its keys and their tracks, any order.
        quantity: a register or a count.
        window: where the contract is in force; may be empty.
        cuts: time-of-use cuts; empty where there are none.
        policy: of the terms.
    """
    collector = _Collector(window, cuts, policy)
    for _, track in sources:
        collector.note(track.notes, window.start_ms, window.end_ms)
    if quantity.is_count:
        for _, track in sorted(sources, key=lambda source: source[1].kid):
            _count(collector, track, quantity)
        collector.cursor = window.end_ms
        collector.metered_ms = window.end_ms - window.start_ms
        return collector.finish(asset)
    delivered = [(track, read_register(track, quantity, node, policy)) for node, track in sources]
    keyed = [
        (values.times[0], track.kid, track, values) for track, values in delivered if values.times
    ]
    for _, _, track, values in sorted(keyed, key=lambda item: item[:2]):
        collector.take(track, values)
    return collector.finish(asset)


def _count(collector: _Collector, track: Track, quantity: Quantity) -> None:
    """Count records of one key instead of reading a register."""
    window = collector.window
    fiscal = quantity.name == "record_count"
    found = [
        reading
        for reading in track.readings
        if reading.time_ms is not None
        and window.start_ms <= reading.time_ms < window.end_ms
        and (
            reading.ctx == CTX_FISCAL
            if fiscal
            else reading.ctx == CTX_TRANSACTION and reading.tx == "B"
        )
    ]
    if not found:
        return
    collector.by_window[-1] = collector.by_window.get(-1, 0) + len(found)
    collector.keys.append(
        KeyEvidence(
            kid=track.kid,
            quantity=len(found),
            start=None,
            end=None,
            records=len(found),
            missing=0,
            digest=digest_of(found),
        )
    )


def digest_of(readings: Sequence[SettlementReading]) -> bytes:
    """Return SHA-256 over the payload digests in ascending order, 32 bytes."""
    return hashlib.sha256(b"".join(sorted(r.payload_digest for r in readings))).digest()


def _end(delivered: Delivered, position: Position, time_ms: int) -> End:
    if position.rule in (Rule.FIRST, Rule.GAP, Rule.LAST):
        near = position.left if delivered.times[position.left] == time_ms else position.right
        indexes: tuple[int, ...] = (near,)
    elif position.rule is Rule.EXACT:
        indexes = (position.left,)
    else:
        indexes = (position.left, position.right)
    records = tuple(_ref(delivered, index) for index in indexes)
    since = value_at(delivered, time_ms) - delivered.values[indexes[0]]
    return End(
        time_ms=time_ms, value=records[0].value + since, rule=position.rule, records=records
    )


def _ref(delivered: Delivered, index: int) -> RecordRef:
    point = delivered.points[index]
    return RecordRef(
        ctx=point.ctx,
        seq=point.seq,
        index=point.index,
        time_ms=delivered.times[index],
        value=point.registers[delivered.obis],
    )


def _misses(points: Sequence[SettlementReading], where: Position) -> bool:
    """Tell whether fiscal readings are missing around an instant between two points."""
    left, right = where.left, where.right
    while left >= 0 and points[left].ctx != CTX_FISCAL:
        left -= 1
    while right < len(points) and points[right].ctx != CTX_FISCAL:
        right += 1
    if left < 0 or right >= len(points):
        return False
    return points[right].seq - points[left].seq > 1
