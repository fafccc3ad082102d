"""Settle one period of one contract: a pure function of terms and evidence.

The same terms, records, enrolments and cut-off give the same bytes, in any order of arrival, on
any machine. The steps:

    1. keep the readings of the contract's assets; refuse a key nobody enrolled
    2. put each key's readings into the order of their times, as points               track.py
    3. measure each asset between the ends of the period                              usage.py
    4. apply the policy for unmetered time                                         estimate.py
    5. scan the time each asset was up, if a line asks                         availability.py
    6. price each line and round it once                                  price.py, templates/
    7. say why the statement is only a test, if it is
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from wattest.errors import SettlementError
from wattest.settlement.availability import Availability, scan
from wattest.settlement.draw import NO_EVIDENCE, Evidence, draw_lines
from wattest.settlement.estimate import Estimate, estimated_for, usable_estimates
from wattest.settlement.opening import without_late
from wattest.settlement.period import (
    TIME_MS_MAX,
    active_ms,
    previous_periods,
    service_window,
    tariff_cuts,
)
from wattest.settlement.price import Counted, Counts
from wattest.settlement.quantity import Quantity
from wattest.settlement.reading import (
    INPUT_NAMES,
    KIND_NAMES,
    KIND_REAL,
    MeteringNode,
    SettlementReading,
)
from wattest.settlement.statement import Cutoff, Line, State, Statement
from wattest.settlement.terms import (
    Basis,
    DayWindow,
    LineTerms,
    Needs,
    Terms,
    Unmetered,
    Window,
    find_line,
)
from wattest.settlement.terms_form import terms_hash
from wattest.settlement.track import Track, build_tracks, empty_track
from wattest.settlement.usage import Cuts, Usage, measure


def settle(
    terms: Terms,
    readings: Iterable[SettlementReading],
    period: Window,
    *,
    nodes: Iterable[MeteringNode],
    cutoff: Cutoff,
    generation: int = 1,
    final: bool = False,
    estimates: Iterable[Estimate] = (),
    opening: int | None = None,
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
        estimates: logged estimates; used only where the terms ask for them.
        opening: size of the cut-off of the final statement of the period before, where one is:
            the value at the begin is frozen as it was known then (opening.py).

    Raises:
        SettlementError: a key nobody enrolled, two enrolments of one key that differ, an asset
            without any node, a reading from beyond the cut-off, an empty period.
    """
    if not 0 <= period.start_ms < period.end_ms <= TIME_MS_MAX or generation < 1:
        raise SettlementError(
            f"contract {terms.contract}: a period that is not empty, before 2200, and a "
            "generation from 1 expected"
        )
    if opening is not None:
        readings = without_late(readings, terms.policy, start_ms=period.start_ms, size=opening)
    run = _begin(
        terms, readings, period, nodes=nodes, cutoff=cutoff, estimates=estimates, final=final
    )
    counted = {line.code: _count(run, line) for line in terms.lines}
    availability = _scan(run, run.service)
    counts = Counts(
        period=period,
        lines={code: counts for code, (counts, _) in counted.items()},
        availability=Fraction(1) if availability is None else availability.value,
    )
    evidence = {code: evidence for code, (_, evidence) in counted.items()}
    lines = draw_lines(terms, counts, evidence, availability)
    return Statement(
        terms=terms,
        terms_digest=terms_hash(terms),
        period=period,
        generation=generation,
        state=_state(run, lines, availability),
        cutoff=cutoff,
        test_reasons=_test_reasons(run),
        lines=lines,
        counts=counts,
        availability=availability,
        opening=opening,
    )


def disputable(
    terms: Terms,
    readings: Iterable[SettlementReading],
    period: Window,
    code: str,
    within: Window,
    *,
    nodes: Iterable[MeteringNode],
    cutoff: Cutoff,
) -> dict[int, int]:
    """Return what of a line falls into a part of its period: what a dispute of that part is about.

    Args:
        terms: of the contract.
        readings: as ``settle`` takes them.
        period: the settlement period.
        code: of a line of the terms or of the statement.
        within: the part; what of it lies outside of the period does not count.
        nodes: as ``settle`` takes them.
        cutoff: as ``settle`` takes it.

    Returns:
        Base counts by time-of-use window, or ms under -1 for a line about time.

    Raises:
        SettlementError: as ``settle``; no such line, or one of which nothing can be in dispute.
    """
    line = find_line(terms, code)
    run = _begin(terms, readings, period, nodes=nodes, cutoff=cutoff, estimates=(), final=False)
    start_ms = max(run.service.start_ms, within.start_ms)
    part = Window(start_ms=start_ms, end_ms=max(start_ms, min(run.service.end_ms, within.end_ms)))
    needs = line.needs
    if needs.basis is Basis.QUANTITY:
        found: dict[int, int] = {}
        for usage in _measure(run, needs, part):
            for label, count in usage.by_window.items():
                found[label] = found.get(label, 0) + count
        return found
    if needs.basis is Basis.DOWNTIME:
        availability = _scan(run, part)
        return {-1: availability.down_ms if availability else 0}
    if needs.basis is Basis.ACTIVE:
        return {-1: active_ms(terms, part, needs.spans)}
    raise SettlementError(f"contract {terms.contract}: nothing of line {code} can be in dispute")


def _begin(
    terms: Terms,
    readings: Iterable[SettlementReading],
    period: Window,
    *,
    nodes: Iterable[MeteringNode],
    cutoff: Cutoff,
    estimates: Iterable[Estimate],
    final: bool,
) -> _Run:
    return _Run(
        terms=terms,
        period=period,
        service=service_window(terms, period),
        sources=_sources(terms, readings, period, nodes=nodes, cutoff=cutoff),
        estimates=usable_estimates(terms, estimates, cutoff_size=cutoff.size),
        final=final,
        measured={},
    )


def evidence_window(terms: Terms, period: Window) -> Window:
    """Return the period, and with it the earlier ones that a line of it looks back to."""
    lookback = max(line.needs.lookback for line in terms.lines)
    before = previous_periods(terms, period, lookback)
    return Window(start_ms=before[0].start_ms if before else period.start_ms, end_ms=period.end_ms)


Source = tuple[MeteringNode, Track]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """What the lines of one statement share; ``measured`` keeps usage that several lines bill."""

    terms: Terms
    period: Window
    service: Window
    sources: Mapping[str, Sequence[Source]]
    estimates: Sequence[Estimate]
    final: bool
    measured: dict[tuple[Quantity, tuple[DayWindow, ...], Window], tuple[Usage, ...]]


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
    tracks = build_tracks(used, terms.policy, evidence_window(terms, period))
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


def _count(run: _Run, line: LineTerms) -> tuple[Counted, Evidence]:
    """Meter what one line of the terms asks for, and add what its rules estimate."""
    needs = line.needs
    active = _active(run, run.period, needs)
    if needs.quantity is None:
        return Counted(active=active, by_window={}), NO_EVIDENCE
    usage = _measure(run, needs, run.service)
    estimate = estimated_for(
        terms=run.terms,
        needs=needs,
        usage=usage,
        logged=run.estimates,
        cuts=_cuts(run, needs, run.service),
        final=run.final,
    )
    metered: dict[int, int] = {}
    for asset in usage:
        for label, count in asset.by_window.items():
            metered[label] = metered.get(label, 0) + count
    if run.terms.policy.unmetered is Unmetered.EXCLUDE:
        active = _without_gaps(run, usage, active)
    counted = Counted(
        active=active,
        by_window=_add(metered, estimate.shares),
        history=tuple(_look_back(run, needs)),
    )
    return counted, Evidence(
        usage=usage,
        metered=sum(metered.values()),
        estimated=sum(estimate.shares.values()),
        logged=estimate.used,
    )


def _active(run: _Run, period: Window, needs: Needs) -> Fraction:
    whole_ms = period.end_ms - period.start_ms
    return Fraction(active_ms(run.terms, period, needs.spans), whole_ms)


def _look_back(run: _Run, needs: Needs) -> Iterator[tuple[Fraction, int]]:
    """Meter earlier periods; nothing is estimated in them."""
    for period in previous_periods(run.terms, run.period, needs.lookback):
        usage = _measure(run, needs, service_window(run.terms, period))
        yield _active(run, period, needs), sum(asset.metered for asset in usage)


def _measure(run: _Run, needs: Needs, window: Window) -> tuple[Usage, ...]:
    assert needs.quantity is not None
    key = (needs.quantity, needs.windows, window)
    if key not in run.measured:
        cuts = _cuts(run, needs, window)
        run.measured[key] = tuple(
            measure(
                asset,
                run.sources[asset],
                needs.quantity,
                window,
                cuts=cuts,
                policy=run.terms.policy,
            )
            for asset in run.terms.assets
        )
    return run.measured[key]


def _cuts(run: _Run, needs: Needs, window: Window) -> Cuts:
    if not needs.windows:
        return ()
    return tariff_cuts(run.terms.zone, needs.windows, window.start_ms, window.end_ms)


def _add(metered: Mapping[int, int], estimated: Mapping[int, int]) -> dict[int, int | Fraction]:
    labels = sorted({*metered, *estimated})
    return {label: metered.get(label, 0) + estimated.get(label, 0) for label in labels}


def _without_gaps(run: _Run, usage: Sequence[Usage], active: Fraction) -> Fraction:
    """Take unmetered time, averaged over the assets, out of the active share."""
    gaps_ms = sum(gap.end_ms - gap.start_ms for asset in usage for gap in asset.gaps)
    whole_ms = (run.period.end_ms - run.period.start_ms) * len(usage)
    return max(Fraction(0), active - Fraction(gaps_ms, whole_ms))


def _scan(run: _Run, window: Window) -> Availability | None:
    """Scan the window for the time the assets were up, if any line asks."""
    terms = run.terms
    if not terms.uses_availability:
        return None
    return scan(
        (*terms.maintenance, *terms.pauses),
        window,
        {asset: [track for _, track in pairs] for asset, pairs in run.sources.items()},
        coverage_ms=terms.policy.coverage_ms,
        max_unknown=terms.policy.max_unknown,
    )


def _state(run: _Run, lines: Sequence[Line], availability: Availability | None) -> State:
    if run.final:
        return State.FINAL
    for asset_time in availability.assets if availability else ():
        unknown = asset_time.unknown
        if unknown and (
            unknown[0][0] == run.service.start_ms or unknown[-1][1] == run.service.end_ms
        ):
            return State.PROVISIONAL
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
