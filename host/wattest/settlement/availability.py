"""How much of a window an asset was up: an interval scan over the records of its keys.

Each instant of the window is, in this order of precedence:

    EXCLUDED  in a maintenance window or a pause of the terms
    UNKNOWN   covered by no record: a record covers the time back to the record before it of the
              same key, at most ``coverage_ms``
    DOWN      covered by a record whose status is not good, or while a relay is open
    UP        the rest

``base`` is the window less EXCLUDED. UNKNOWN up to a share of the base leaves both sides of the
fraction; what is more counts as down. Times of several assets add up before the fraction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from wattest.settlement.flags import Flag
from wattest.settlement.reading import RELAY_OPEN, SettlementReading
from wattest.settlement.spans import Spans, common, length_ms, union, without
from wattest.settlement.terms import Window
from wattest.settlement.track import Track


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetTime:
    """One asset's time in a window.

    Args:
        asset: its name.
        excluded_ms: EXCLUDED.
        unknown: UNKNOWN, as spans.
        down: DOWN, as spans.
        up_ms: UP.
    """

    asset: str
    excluded_ms: int
    unknown: Spans
    down: Spans
    up_ms: int

    @property
    def unknown_ms(self) -> int:
        """UNKNOWN, ms."""
        return length_ms(self.unknown)

    @property
    def down_ms(self) -> int:
        """DOWN, ms."""
        return length_ms(self.down)

    @property
    def base_ms(self) -> int:
        """The window less EXCLUDED, ms."""
        return self.unknown_ms + self.down_ms + self.up_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """The time of all assets, and the fraction it makes.

    Args:
        assets: in the order of the terms.
        max_unknown: share of the base that UNKNOWN may leave out.
    """

    assets: tuple[AssetTime, ...]
    max_unknown: Fraction

    @property
    def base_ms(self) -> int:
        """Base of all assets, ms."""
        return sum(asset.base_ms for asset in self.assets)

    @property
    def unknown_ms(self) -> int:
        """UNKNOWN of all assets, ms."""
        return sum(asset.unknown_ms for asset in self.assets)

    @property
    def down_ms(self) -> int:
        """DOWN of all assets, ms."""
        return sum(asset.down_ms for asset in self.assets)

    @property
    def up_ms(self) -> int:
        """UP of all assets, ms."""
        return sum(asset.up_ms for asset in self.assets)

    @property
    def left_out(self) -> Fraction:
        """UNKNOWN that leaves both sides of the fraction, ms, exact."""
        return min(Fraction(self.unknown_ms), self.max_unknown * self.base_ms)

    @property
    def value(self) -> Fraction:
        """Share of time the assets were up, 0 to 1."""
        return share_up(self.up_ms, self.base_ms, self.left_out)

    @property
    def flags(self) -> tuple[Flag, ...]:
        """What a reader must know."""
        if not self.unknown_ms:
            return ()
        excess = self.unknown_ms > self.left_out
        return (Flag.UNKNOWN, Flag.UNKNOWN_DOWN) if excess else (Flag.UNKNOWN,)


def share_up(up_ms: int, base_ms: int, left_out: Fraction) -> Fraction:
    """Return the fraction; 1 where there is no time anybody could have been up."""
    known = base_ms - left_out
    return Fraction(up_ms, known) if known > 0 else Fraction(1)


def scan(
    terms_windows: Iterable[Window],
    window: Window,
    sources: Mapping[str, Sequence[Track]],
    *,
    coverage_ms: int,
    max_unknown: Fraction,
) -> Availability:
    """Scan assets.

    Args:
        terms_windows: maintenance and pauses.
        window: where the contract is in force; may be empty.
        sources: tracks by asset.
        coverage_ms: how long before itself a record speaks.
        max_unknown: share of the base that may be left out.
    """
    span = union([(window.start_ms, window.end_ms)])
    excluded = common(span, union((w.start_ms, w.end_ms) for w in terms_windows))
    base = without(span, excluded)
    return Availability(
        assets=tuple(
            _scan(asset, tracks, (base, length_ms(excluded)), coverage_ms, window.end_ms)
            for asset, tracks in sources.items()
        ),
        max_unknown=max_unknown,
    )


def _scan(
    asset: str,
    tracks: Sequence[Track],
    time: tuple[Spans, int],
    coverage_ms: int,
    end_ms: int,
) -> AssetTime:
    """Scan one asset; ``time`` is the base and how many ms are EXCLUDED."""
    base, excluded_ms = time
    covered: list[tuple[int, int]] = []
    down: list[tuple[int, int]] = []
    for track in tracks:
        mine, bad = _cover(track.seen, coverage_ms)
        covered += mine
        down += common(mine, union([*bad, *_open(track, end_ms)]))
    known = common(base, union(covered))
    fallen = common(known, union(down))
    return AssetTime(
        asset=asset,
        excluded_ms=excluded_ms,
        unknown=without(base, known),
        down=fallen,
        up_ms=length_ms(known) - length_ms(fallen),
    )


def _cover(
    seen: Sequence[SettlementReading], coverage_ms: int
) -> tuple[Spans, list[tuple[int, int]]]:
    """Return what records cover, and the part of it that ends with a bad status."""
    covered: list[tuple[int, int]] = []
    bad: list[tuple[int, int]] = []
    begin_ms = before_ms = _time(seen[0]) if seen else 0
    for reading in seen:
        time_ms = _time(reading)
        if time_ms - before_ms > coverage_ms:
            covered.append((begin_ms, before_ms))
            begin_ms = before_ms = time_ms - coverage_ms
        if not reading.status_ok:
            bad.append((before_ms, time_ms))
        before_ms = time_ms
    covered.append((begin_ms, before_ms))
    return union(covered), bad


def _time(reading: SettlementReading) -> int:
    assert reading.time_ms is not None, "records that are seen have a time"
    return reading.time_ms


def _open(track: Track, end_ms: int) -> list[tuple[int, int]]:
    """Return when a relay was open, up to the next event that says it is closed."""
    found: list[tuple[int, int]] = []
    since = _time(track.seen[0]) if track.relay_open and track.seen else None
    for reading in track.seen:
        if reading.relay is None:
            continue
        if since is None and reading.relay == RELAY_OPEN:
            since = _time(reading)
        elif since is not None and reading.relay != RELAY_OPEN:
            found.append((since, _time(reading)))
            since = None
    if since is not None:
        found.append((since, max(since, end_ms)))
    return found
