"""The readings of one key in the order of their times, as points at which registers may be read.

Arrival order means nothing, and neither do the numbers of records: time alone puts them in order,
so that one function of time gives a register's value. A clock that was set back, or a copied board
that signs with the same key, can only make registers look as if they ran backwards, and such
deltas are not billed (``register.py``): whatever the order of points, nothing is counted twice.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter, lt

from wattest.settlement.flags import Flag
from wattest.settlement.reading import (
    CTX_EVENT,
    CTX_FISCAL,
    CTX_TRANSACTION,
    RELAY_OPEN,
    SettlementReading,
)
from wattest.settlement.terms import DerivedTime, Policy, StatusPolicy, Window

_TIME_ORDER = attrgetter("time_ms", "bootcount", "mono_ms", "ctx", "seq")
_TIME = attrgetter("time_ms")
_NUMBER_ORDER = attrgetter("ctx", "seq")


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One key's readings in the order of their times.

    Args:
        kid: the key.
        readings: every usable reading with a time; may share instants.
        points: the readings at which registers are read, strictly ascending in time.
        times: their ``time_ms``.
        tainted: whether the interval that ends at a point saw input that is not the sensor.
        notes: ``(time_ms, flag)`` of what was left out or is doubtful.
        fiscal: numbers of all fiscal readings, usable or not, ascending, each once.
        simulated: inputs other than the sensor that the records name, ascending, each once.
        seen: every record with a time that contradicts no other, in order: what says whether the
            asset was up, usable as a point or not.
        relay_open: a relay was open when ``seen`` begins.
    """

    kid: bytes
    readings: tuple[SettlementReading, ...]
    points: tuple[SettlementReading, ...]
    times: tuple[int, ...]
    tainted: tuple[bool, ...]
    notes: tuple[tuple[int, Flag], ...]
    fiscal: tuple[int, ...]
    simulated: tuple[int, ...]
    seen: tuple[SettlementReading, ...] = ()
    relay_open: bool = False


def build_tracks(
    readings: Iterable[SettlementReading], policy: Policy, window: Window
) -> dict[bytes, Track]:
    """Group readings by key, put each group into order, keep what a window needs.

    Args:
        readings: any order, repetitions allowed.
        policy: which readings are used as points.
        window: the settlement period.

    Returns:
        A track per key, keys ascending.
    """
    groups: dict[bytes, list[SettlementReading]] = {}
    for reading in readings:
        group = groups.get(reading.kid)
        if group is None:
            groups[reading.kid] = [reading]
        else:
            group.append(reading)
    return {kid: _build(kid, groups[kid], policy, window) for kid in sorted(groups)}


def empty_track(kid: bytes) -> Track:
    """Return the track of a key that has no readings."""
    return Track(
        kid=kid,
        readings=(),
        points=(),
        times=(),
        tainted=(),
        notes=(),
        fiscal=(),
        simulated=(),
    )


def _build(
    kid: bytes, group: Sequence[SettlementReading], policy: Policy, window: Window
) -> Track:
    timed = sorted((r for r in group if r.time_ms is not None), key=_TIME_ORDER)
    untimed = [r for r in group if r.time_ms is None] if len(timed) < len(group) else []
    kept, conflicts = _deduplicate(_around(timed, policy, window))
    between = _between(untimed, kept) if untimed else []
    fiscal = tuple(sorted({r.seq for r in (*kept, *between) if r.ctx == CTX_FISCAL}))
    times = tuple(r.time_ms for r in kept if r.time_ms is not None)
    readings = tuple(kept)
    relay_open = _relay_open(timed, times[0]) if times else False
    if not between and not conflicts and _is_plain(kept, times):
        return Track(
            kid=kid,
            readings=readings,
            points=readings,
            times=times,
            tainted=(False,) * len(times),
            notes=(),
            fiscal=fiscal,
            simulated=(),
            seen=readings,
            relay_open=relay_open,
        )
    builder = _Builder(policy, _followers(between, kept))
    for reading, time_ms in zip(kept, times, strict=True):
        if (reading.ctx, reading.seq) in conflicts:
            builder.skip(reading, time_ms)
        else:
            builder.add(reading, time_ms)
    return Track(
        kid=kid,
        readings=tuple(builder.readings),
        points=tuple(builder.points),
        times=tuple(builder.times),
        tainted=tuple(builder.tainted),
        notes=tuple(builder.notes),
        fiscal=fiscal,
        simulated=tuple(sorted(builder.simulated)),
        seen=tuple(r for r in readings if (r.ctx, r.seq) not in conflicts),
        relay_open=relay_open,
    )


def _relay_open(timed: Sequence[SettlementReading], before_ms: int) -> bool:
    """Tell what the last relay event before an instant said; without one it is closed."""
    for reading in reversed(timed[: bisect_left(timed, before_ms, key=_TIME)]):
        if reading.relay is not None:
            return reading.relay == RELAY_OPEN
    return False


def _around(
    timed: list[SettlementReading], policy: Policy, window: Window
) -> list[SettlementReading]:
    """Cut ordered readings down to those of the window and one usable one on each side.

    What lies further away can then be given or not: the result is the same.
    """
    times = [reading.time_ms for reading in timed if reading.time_ms is not None]
    low = bisect_left(times, window.start_ms)
    high = bisect_right(times, window.end_ms)
    while low > 0:
        low -= 1
        if is_usable(timed[low], policy):
            break
    while high < len(timed):
        high += 1
        if is_usable(timed[high - 1], policy):
            break
    return timed[low:high]


def is_usable(reading: SettlementReading, policy: Policy) -> bool:
    """Tell whether a reading with a time may be a point of the register."""
    if reading.time_derived and policy.derived_time is DerivedTime.EXCLUDE:
        return False
    return reading.status_ok or policy.status is not StatusPolicy.EXCLUDE


def _is_plain(kept: Sequence[SettlementReading], times: Sequence[int]) -> bool:
    """Tell whether readings need no care, the common case."""
    if not all(map(lt, times, times[1:])):
        return False
    for ctx in (CTX_FISCAL, CTX_TRANSACTION, CTX_EVENT):
        seqs = [reading.seq for reading in kept if reading.ctx == ctx]
        if not all(map(lt, seqs, seqs[1:])):
            return False
    return not any(
        reading.input or reading.input_after or reading.time_derived or not reading.status_ok
        for reading in kept
    )


def _deduplicate(
    group: Sequence[SettlementReading],
) -> tuple[Sequence[SettlementReading], set[tuple[int, int]]]:
    """Drop repetitions; return also the (ctx, seq) that were signed with two contents."""
    if len({reading.seq << 2 | reading.ctx for reading in group}) == len(group):
        return group, set()
    digests = {(reading.ctx, reading.seq): reading.payload_digest for reading in group}
    unique: dict[tuple[int, int, bytes], SettlementReading] = {}
    conflicts: set[tuple[int, int]] = set()
    for reading in group:
        name = (reading.ctx, reading.seq)
        if digests[name] != reading.payload_digest:
            conflicts.add(name)
        # the lowest index is where the evidence lies, whichever copy came first
        key = (*name, reading.payload_digest)
        if key not in unique or reading.index < unique[key].index:
            unique[key] = reading
    return list(unique.values()), conflicts


def _between(
    untimed: Sequence[SettlementReading], kept: Sequence[SettlementReading]
) -> list[SettlementReading]:
    """Return the readings without a time that lie, by their numbers, between kept ones."""
    seqs: dict[int, list[int]] = {}
    for reading in kept:
        seqs.setdefault(reading.ctx, []).append(reading.seq)
    ranges = {ctx: (min(numbers), max(numbers)) for ctx, numbers in sorted(seqs.items())}
    return sorted(
        (
            reading
            for reading in untimed
            if reading.ctx in ranges
            and ranges[reading.ctx][0] < reading.seq < ranges[reading.ctx][1]
        ),
        key=_NUMBER_ORDER,
    )


def _followers(
    between: Sequence[SettlementReading], kept: Sequence[SettlementReading]
) -> dict[tuple[int, int], list[SettlementReading]]:
    """Return, for the (ctx, seq) of kept readings, the ones without a time right before them."""
    if not between:
        return {}
    names = sorted((reading.ctx, reading.seq) for reading in kept)
    found: dict[tuple[int, int], list[SettlementReading]] = {}
    for reading in between:
        name = names[bisect_left(names, (reading.ctx, reading.seq))]
        found.setdefault(name, []).append(reading)
    return found


class _Builder:
    """Collects a track reading by reading, in the order of their times.

    Args:
        policy: which readings are points.
        untimed: readings without a time, by the (ctx, seq) of the next one that has it.
    """

    def __init__(
        self, policy: Policy, untimed: dict[tuple[int, int], list[SettlementReading]]
    ) -> None:
        self.readings: list[SettlementReading] = []
        self.points: list[SettlementReading] = []
        self.times: list[int] = []
        self.tainted: list[bool] = []
        self.notes: list[tuple[int, Flag]] = []
        self.simulated: set[int] = set()
        self._policy = policy
        self._untimed = untimed
        self._newest = [0, 0, 0]
        self._dirty = False
        self._input_after = 0

    def add(self, reading: SettlementReading, time_ms: int) -> None:
        """Take the next reading, as a point if the policy allows it and its time is new."""
        self._look(reading, time_ms)
        if not is_usable(reading, self._policy):
            return
        self.readings.append(reading)
        if self.times and self.times[-1] == time_ms:
            if reading.registers == self.points[-1].registers:
                return  # one latch, two records: a transaction begins on the minute
            self.notes.append((time_ms, Flag.CLOCK_BACKWARDS))
            self.points.pop()
            self.times.pop()
            self._dirty = self.tainted.pop() or self._dirty
        self.points.append(reading)
        self.times.append(time_ms)
        self.tainted.append(self._dirty)
        self._dirty = False

    def skip(self, reading: SettlementReading, time_ms: int) -> None:
        """Leave out a reading that contradicts another; its input still says something."""
        self._look(reading, time_ms)
        self.notes.append((time_ms, Flag.CONFLICT))

    def _look(self, reading: SettlementReading, time_ms: int) -> None:
        """Note what is doubtful about a reading, whether it becomes a point or not."""
        for earlier in self._untimed.get((reading.ctx, reading.seq), ()):
            self.notes.append((time_ms, Flag.UNTIMED))
            self._see_input(earlier)
        self._see_input(reading)
        if not reading.status_ok:
            self.notes.append((time_ms, Flag.STATUS))
        if reading.time_derived:
            self.notes.append((time_ms, Flag.DERIVED_TIME))
        if reading.seq < self._newest[reading.ctx]:
            self.notes.append((time_ms, Flag.CLOCK_BACKWARDS))
        else:
            self._newest[reading.ctx] = reading.seq

    def _see_input(self, reading: SettlementReading) -> None:
        """An interval is tainted by the record that ends it and by what its begin announced."""
        self._dirty = self._dirty or reading.input != 0 or self._input_after != 0
        self._input_after = reading.input_after
        self.simulated.update(source for source in (reading.input, reading.input_after) if source)


def missing_between(track: Track, points: Sequence[SettlementReading]) -> int:
    """Count the fiscal readings of which nobody has seen the numbers.

    Args:
        track: all that is known of the key, readings that cannot be used included.
        points: some of its points; what lies between the first and the last is looked at.
    """
    seqs = [point.seq for point in points if point.ctx == CTX_FISCAL]
    if not seqs:
        return 0
    low, high = min(seqs), max(seqs)
    known = bisect_right(track.fiscal, high) - bisect_left(track.fiscal, low)
    return high - low + 1 - known
