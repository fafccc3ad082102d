"""The readings of one key, put into the order in which the node made them.

Arrival order means nothing: records are sorted by boot and time since boot. From the sorted
records come the *points*, at which registers may be read: strictly later and later, so that one
function of time gives a register's value. Where a clock went backwards the later record wins,
because setting the clock corrects.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter, lt

from wattest.settlement.reading import CTX_FISCAL, SettlementReading
from wattest.settlement.terms import DerivedTime, Policy, StatusPolicy, Window

_NODE_ORDER = attrgetter("bootcount", "mono_ms", "ctx", "seq")


class Flag(StrEnum):
    """What a reader of a statement must know about the evidence of a line."""

    INTERP = "INTERP"
    """A value between two readings that are close enough, pro rata to time."""
    EST = "EST"
    """A part is estimated by a rule of the terms."""
    UNMETERED = "UNMETERED"
    """Time that no reading covers."""
    DERIVED_TIME = "DERIVED_TIME"
    """The host derived a time from a later signed event."""
    MISSING = "MISSING"
    """Numbers are missing between fiscal readings; cumulative registers lose no energy by it."""
    REGISTER_FAULT = "REGISTER_FAULT"
    """A register ran backwards or faster than the asset can; not billed until resolved."""
    CONFLICT = "CONFLICT"
    """A node signed two different records of one identity; neither is used."""
    CLOCK_BACKWARDS = "CLOCK_BACKWARDS"
    """A node's clock was set back over earlier readings."""
    UNTIMED = "UNTIMED"
    """Readings without any time; their energy shows in the next one that has it."""
    STATUS = "STATUS"
    """A reading whose sensor path was not good."""
    INPUT = "INPUT"
    """Energy that did not come from the sensor was left out."""
    OVERLAP = "OVERLAP"
    """Two keys metered one asset at the same time; the time is counted once."""
    MINIMUM = "MINIMUM"
    """The least amount of the terms applied."""
    MAXIMUM = "MAXIMUM"
    """The largest amount of the terms applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One key's readings in node order.

    Args:
        kid: the key.
        readings: every usable reading with a time, node order; may share instants.
        points: the readings at which registers are read, strictly ascending in time.
        times: their ``time_ms``.
        tainted: whether the interval that ends at a point saw input that is not the sensor.
        notes: ``(time_ms, flag)`` of what was left out or is doubtful.
        fiscal: numbers of all fiscal readings, usable or not, ascending, each once.
        simulated: inputs other than the sensor that the records name, ascending, each once.
    """

    kid: bytes
    readings: tuple[SettlementReading, ...]
    points: tuple[SettlementReading, ...]
    times: tuple[int, ...]
    tainted: tuple[bool, ...]
    notes: tuple[tuple[int, Flag], ...]
    fiscal: tuple[int, ...]
    simulated: tuple[int, ...]


def build_tracks(
    readings: Iterable[SettlementReading], policy: Policy, window: Window
) -> dict[bytes, Track]:
    """Group readings by key, put each group into node order, keep what a window needs.

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
        kid=kid, readings=(), points=(), times=(), tainted=(), notes=(), fiscal=(), simulated=()
    )


def _build(kid: bytes, group: list[SettlementReading], policy: Policy, window: Window) -> Track:
    group.sort(key=_NODE_ORDER)
    group = _around(group, policy, window)
    unique, conflicts = _deduplicate(group)
    fiscal = tuple(sorted({r.seq for r in unique if r.ctx == CTX_FISCAL}))
    times = _plain_times(unique)
    if times and not conflicts:
        return Track(
            kid=kid,
            readings=tuple(unique),
            points=tuple(unique),
            times=times,
            tainted=(False,) * len(times),
            notes=(),
            fiscal=fiscal,
            simulated=(),
        )
    builder = _Builder(policy)
    for reading in unique:
        if conflicts and (reading.ctx, reading.seq) in conflicts:
            builder.skip(reading, Flag.CONFLICT)
        elif reading.time_ms is None:
            builder.skip(reading, Flag.UNTIMED)
        else:
            builder.add(reading, reading.time_ms)
    return Track(
        kid=kid,
        readings=tuple(builder.readings),
        points=tuple(builder.points),
        times=tuple(builder.times),
        tainted=tuple(builder.tainted),
        notes=tuple(builder.notes),
        fiscal=fiscal,
        simulated=tuple(sorted(builder.simulated)),
    )


def _around(
    group: list[SettlementReading], policy: Policy, window: Window
) -> list[SettlementReading]:
    """Cut node-ordered readings down to those of the window and one usable one on each side.

    What lies further away can then be given or not: the result is the same.
    """
    times = [-1 if reading.time_ms is None else reading.time_ms for reading in group]
    start_ms, end_ms = window.start_ms, window.end_ms
    inside = [i for i, time_ms in enumerate(times) if start_ms <= time_ms <= end_ms]
    first = inside[0] if inside else len(group)
    before = [i for i in range(first) if 0 <= times[i] < start_ms and _usable(group[i], policy)]
    low = before[-1] if before else 0
    last = inside[-1] if inside else low
    high = next(
        (i for i in range(last, len(group)) if times[i] > end_ms and _usable(group[i], policy)),
        len(group) - 1,
    )
    return group[low : high + 1]


def _usable(reading: SettlementReading, policy: Policy) -> bool:
    """Tell whether a reading with a time may be a point of the register."""
    if reading.time_derived and policy.derived_time is DerivedTime.EXCLUDE:
        return False
    return reading.status_ok or policy.status is not StatusPolicy.EXCLUDE


def _plain_times(group: Sequence[SettlementReading]) -> tuple[int, ...]:
    """Return the times of readings that need no care, the common case; else nothing."""
    times = [reading.time_ms for reading in group if reading.time_ms is not None]
    plain = len(times) == len(group) and all(map(lt, times, times[1:]))
    if not plain or any(
        reading.input or reading.input_after or reading.time_derived or not reading.status_ok
        for reading in group
    ):
        return ()
    return tuple(times)


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


class _Builder:
    """Collects a track reading by reading, in node order."""

    def __init__(self, policy: Policy) -> None:
        self.readings: list[SettlementReading] = []
        self.points: list[SettlementReading] = []
        self.times: list[int] = []
        self.tainted: list[bool] = []
        self.notes: list[tuple[int, Flag]] = []
        self.simulated: set[int] = set()
        self._bad_status_out = policy.status is StatusPolicy.EXCLUDE
        self._derived_out = policy.derived_time is DerivedTime.EXCLUDE
        self._untimed: list[Flag] = []
        self._last_ms = -1
        self._dirty = False
        self._input_after = 0

    def add(self, reading: SettlementReading, time_ms: int) -> None:
        """Take the next reading as a point if the policy allows it and its time is new."""
        if reading.input or reading.input_after or self._input_after:
            self._note_input(reading)
        if not reading.status_ok:
            self.notes.append((time_ms, Flag.STATUS))
            if self._bad_status_out:
                return
        if reading.time_derived:
            self.notes.append((time_ms, Flag.DERIVED_TIME))
            if self._derived_out:
                return
        self.readings.append(reading)
        if time_ms <= self._last_ms and not self._step_back(reading, time_ms):
            return
        if self._untimed:
            # their energy shows in this point's delta; before a first point there is no delta
            self.notes.extend((time_ms, flag) for flag in self._untimed if self.times)
            self._untimed.clear()
        self.points.append(reading)
        self.times.append(time_ms)
        self.tainted.append(self._dirty)
        self._last_ms = time_ms
        self._dirty = False

    def skip(self, reading: SettlementReading, flag: Flag) -> None:
        """Leave a reading out; what its input says still holds for the interval."""
        time_ms = reading.time_ms
        if reading.input or reading.input_after or self._input_after:
            self._note_input(reading)
        if time_ms is None:
            self._untimed.append(flag)
        else:
            self.notes.append((time_ms, flag))

    def _note_input(self, reading: SettlementReading) -> None:
        self._dirty = self._dirty or reading.input != 0 or self._input_after != 0
        self._input_after = reading.input_after
        self.simulated.update(source for source in (reading.input, reading.input_after) if source)

    def _step_back(self, reading: SettlementReading, time_ms: int) -> bool:
        """Make room for a reading that is not later than the last point; say whether it is one."""
        last = self.points[-1]
        if time_ms == self._last_ms and reading.registers == last.registers:
            return False  # one latch, two records: a transaction begins on the minute
        while self.times and self.times[-1] >= time_ms:
            self.points.pop()
            self.times.pop()
            self._dirty = self.tainted.pop() or self._dirty
        self.notes.append((time_ms, Flag.CLOCK_BACKWARDS))
        return True


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
