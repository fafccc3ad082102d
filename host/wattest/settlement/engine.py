"""Settle one period of one contract: a pure function of terms and evidence.

The same terms, records, enrolments and cut-off give the same bytes, in any order of arrival, on
any machine. The steps:

    1. keep the readings of the contract's assets; refuse a key nobody enrolled
    2. put each key's readings into the order of their times, as points               track.py
    3. measure each asset between the ends of the period                              usage.py
    4. apply the policy for unmetered time
    5. price each line and round it once                                              price.py
    6. say why the statement is only a test, if it is
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from wattest.errors import SettlementError
from wattest.settlement.period import TIME_MS_MAX, active_ms, service_window, tariff_cuts
from wattest.settlement.price import price_line
from wattest.settlement.quantity import Quantity
from wattest.settlement.reading import (
    INPUT_NAMES,
    KIND_NAMES,
    KIND_REAL,
    MeteringNode,
    SettlementReading,
)
from wattest.settlement.register import mean_over
from wattest.settlement.statement import Cutoff, Line, State, Statement
from wattest.settlement.terms import (
    DayWindow,
    LineTerms,
    PayPerUse,
    Terms,
    Unmetered,
    Window,
)
from wattest.settlement.terms_form import terms_hash
from wattest.settlement.track import Flag, Track, build_tracks, empty_track
from wattest.settlement.usage import Cuts, Gap, Usage, measure


def settle(
    terms: Terms,
    readings: Iterable[SettlementReading],
    period: Window,
    *,
    nodes: Iterable[MeteringNode],
    cutoff: Cutoff,
    generation: int = 1,
    final: bool = False,
) -> Statement:
    """Draw the statement of one period.

    Args:
        terms: of the contract.
        readings: every verified record up to the cut-off, of any asset, any order. Those of the
            period are enough, and of each key those back to the last usable one before it and on
            to the first usable one after it: more does not change the result.
        period: one of the contract's settlement periods (``period.period_at``).
        nodes: every enrolment that stands behind a reading.
        cutoff: size and root of the checkpoint that bounds the readings.
        generation: number of this run for the period, from 1.
        final: nothing later will be accepted: apply the policy for unmetered time at the ends too.

    Raises:
        SettlementError: a key nobody enrolled, two enrolments of one key that differ, an asset
            without any node, a reading from beyond the cut-off, an empty period.
    """
    if not 0 <= period.start_ms < period.end_ms <= TIME_MS_MAX or generation < 1:
        raise SettlementError(
            f"contract {terms.contract}: a period that is not empty, before 2200, and a "
            "generation from 1 expected"
        )
    run = _Run(
        terms=terms,
        period=period,
        service=service_window(terms, period),
        sources=_sources(terms, readings, period, nodes=nodes, cutoff=cutoff),
        final=final,
        measured={},
    )
    lines = tuple(_draw_line(run, line) for line in terms.lines)
    return Statement(
        terms=terms,
        terms_digest=terms_hash(terms),
        period=period,
        generation=generation,
        state=_state(run, lines),
        cutoff=cutoff,
        test_reasons=_test_reasons(run),
        lines=lines,
    )


Source = tuple[MeteringNode, Track]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """What the lines of one statement share; ``measured`` keeps usage that several lines bill."""

    terms: Terms
    period: Window
    service: Window
    sources: Mapping[str, Sequence[Source]]
    final: bool
    measured: dict[tuple[Quantity, tuple[DayWindow, ...]], tuple[Usage, ...]]


def _sources(
    terms: Terms,
    readings: Iterable[SettlementReading],
    period: Window,
    *,
    nodes: Iterable[MeteringNode],
    cutoff: Cutoff,
) -> dict[str, list[Source]]:
    """Return each asset's nodes with their tracks, keys ascending; check what was handed in."""
    known: dict[bytes, MeteringNode] = {}
    for node in nodes:
        if known.setdefault(node.kid, node) != node:
            raise SettlementError(
                f"key {node.kid.hex()}: one enrolment expected, got two that differ"
            )
    wanted = {kid for kid, node in known.items() if node.asset in terms.assets}
    given = readings if isinstance(readings, Sequence) else tuple(readings)
    for kid in sorted({reading.kid for reading in given}):
        if kid not in known:
            raise SettlementError(f"key {kid.hex()}: an enrolment expected, got none")
    used = [reading for reading in given if reading.kid in wanted]
    newest = max((reading.index for reading in used), default=-1)
    if newest >= cutoff.size:
        raise SettlementError(
            f"contract {terms.contract}: entries before the cut-off at {cutoff.size} expected, "
            f"got entry {newest}"
        )
    tracks = build_tracks(used, terms.policy, period)
    sources: dict[str, list[Source]] = {asset: [] for asset in terms.assets}
    for kid in sorted(wanted):
        track = tracks.get(kid) or empty_track(kid)
        sources[known[kid].asset].append((known[kid], track))
    for asset in terms.assets:
        if not sources[asset]:
            raise SettlementError(
                f"contract {terms.contract}: a node enrolled for asset {asset} expected, got none"
            )
    return sources


def _draw_line(run: _Run, line: LineTerms) -> Line:
    active = Fraction(active_ms(run.terms, run.period), run.period.end_ms - run.period.start_ms)
    if not isinstance(line, PayPerUse):
        priced = price_line(run.terms, line, {}, active)
        return Line(
            code=line.code,
            template="SUBSCRIPTION",
            quantity=None,
            metered=0,
            estimated=0,
            active=active,
            parts=priced.parts,
            exact=priced.exact,
            minor=priced.minor,
            usage=(),
            flags=(),
        )
    usage = _measure(run, line)
    metered: dict[int, int] = {}
    for asset in usage:
        for label, count in asset.by_window.items():
            metered[label] = metered.get(label, 0) + count
    estimated = _estimate(run, line, usage)
    if run.terms.policy.unmetered is Unmetered.EXCLUDE:
        active = _without_gaps(run, usage, active)
    priced = price_line(run.terms, line, _add(metered, estimated), active)
    flags = {flag for asset in usage for flag in asset.flags} | set(priced.flags)
    if estimated:
        flags.add(Flag.EST)
    return Line(
        code=line.code,
        template="PAY_PER_USE",
        quantity=line.quantity,
        metered=sum(metered.values()),
        estimated=sum(estimated.values()),
        active=active,
        parts=priced.parts,
        exact=priced.exact,
        minor=priced.minor,
        usage=usage,
        flags=tuple(sorted(flags)),
    )


def _measure(run: _Run, line: PayPerUse) -> tuple[Usage, ...]:
    key = (line.quantity, line.windows)
    if key not in run.measured:
        cuts = _cuts(run, line)
        run.measured[key] = tuple(
            measure(
                asset,
                run.sources[asset],
                line.quantity,
                run.service,
                cuts=cuts,
                policy=run.terms.policy,
            )
            for asset in run.terms.assets
        )
    return run.measured[key]


def _cuts(run: _Run, line: PayPerUse) -> Cuts:
    if not line.windows:
        return ()
    return tariff_cuts(run.terms.zone, line.windows, run.service.start_ms, run.service.end_ms)


def _estimate(run: _Run, line: PayPerUse, usage: Sequence[Usage]) -> dict[int, int]:
    """Estimate unmetered time by time-of-use window, gap by gap in order, up to the cap.

    A gap inside one key is what its register moved, pro rata to time. Any other gap is the asset's
    mean rate over its metered time of this window. Only a final statement estimates.
    """
    if (
        not run.final
        or run.terms.policy.unmetered is not Unmetered.ESTIMATE
        or line.quantity.is_count
        or line.estimate_cap is None
    ):
        return {}
    cap = line.estimate_cap * line.quantity.base_per_unit
    left = cap.numerator // cap.denominator
    cuts = _cuts(run, line)
    shares: dict[int, int] = {}
    for asset in usage:
        for gap in asset.gaps:
            span_ms = gap.end_ms - gap.start_ms
            wanted = gap.known
            if wanted is None:
                wanted = mean_over(asset.metered, asset.metered_ms, span_ms)
            granted = min(wanted, left)
            left -= granted
            if granted:
                _spread(shares, gap, granted, cuts)
    return shares


def _spread(shares: dict[int, int], gap: Gap, count: int, cuts: Cuts) -> None:
    """Share an estimate out to time-of-use windows pro rata to time, the remainder to the last."""
    label = next((name for instant, name in reversed(cuts) if instant <= gap.start_ms), -1)
    inside = [cut for cut in cuts if gap.start_ms < cut[0] < gap.end_ms]
    done = 0
    for instant, following in (*inside, (gap.end_ms, -1)):
        reached = count * (instant - gap.start_ms) // (gap.end_ms - gap.start_ms)
        shares[label] = shares.get(label, 0) + reached - done
        done, label = reached, following


def _add(metered: Mapping[int, int], estimated: Mapping[int, int]) -> dict[int, int]:
    labels = sorted({*metered, *estimated})
    return {label: metered.get(label, 0) + estimated.get(label, 0) for label in labels}


def _without_gaps(run: _Run, usage: Sequence[Usage], active: Fraction) -> Fraction:
    """Take unmetered time, averaged over the assets, out of the active share."""
    gaps_ms = sum(gap.end_ms - gap.start_ms for asset in usage for gap in asset.gaps)
    whole_ms = (run.period.end_ms - run.period.start_ms) * len(usage)
    return max(Fraction(0), active - Fraction(gaps_ms, whole_ms))


def _state(run: _Run, lines: Sequence[Line]) -> State:
    if run.final:
        return State.FINAL
    for line in lines:
        for asset in line.usage:
            if asset.gaps and (
                asset.gaps[0].start_ms == run.service.start_ms
                or asset.gaps[-1].end_ms == run.service.end_ms
            ):
                return State.PROVISIONAL
    return State.COMPLETE


def _test_reasons(run: _Run) -> tuple[str, ...]:
    """Say why the statement is no claim for money: kinds of nodes, demo keys, input.

    A key counts when its readings reach into the period; an asset without any such key counts with
    all its keys. Input counts from the reading before the period to the one after it.
    """
    reasons: set[str] = set()
    start_ms, end_ms = run.period.start_ms, run.period.end_ms
    for sources in run.sources.values():
        present = [
            (node, track)
            for node, track in sources
            if track.times and track.times[0] < end_ms and track.times[-1] >= start_ms
        ]
        for node, track in present or sources:
            name = f"node {node.kid.hex()}"
            if node.kind != KIND_REAL:
                reasons.add(f"{name} is {_word(KIND_NAMES, node.kind)}")
            if node.demo:
                reasons.add(f"{name} has a demo key")
            for source in track.simulated:
                reasons.add(f"{name} measured {_word(INPUT_NAMES, source)} input")
    return tuple(sorted(reasons))


def _word(names: Sequence[str], number: int) -> str:
    return names[number] if 0 <= number < len(names) else f"of unknown kind {number}"
