"""Estimates of unmetered time: by the engine's own rule, or logged ones that the terms allow.

Only a final statement estimates, only for a register, and never more than the cap of the line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from wattest.errors import SettlementError
from wattest.settlement.register import mean_over
from wattest.settlement.terms import Estimates, Needs, Terms, Unmetered
from wattest.settlement.usage import Cuts, Usage
from wattest.wire.entries import LoggedEstimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a model says an asset delivered while nobody metered it; an entry of the ledger.

    Args:
        asset: its name.
        quantity: name of the quantity, such as ``export_energy``.
        start_ms: of the time it speaks of, ms since 1970 UTC.
        end_ms: first instant after that time.
        count: base counts, >= 0.
        index: entry of the ledger.
    """

    asset: str
    quantity: str
    start_ms: int
    end_ms: int
    count: int
    index: int


def estimates_of(logged: Mapping[int, LoggedEstimate]) -> list[Estimate]:
    """Return logged estimates, by the index of their entries, as the engine takes them."""
    return [
        Estimate(
            asset=item.asset,
            quantity=item.quantity,
            start_ms=item.window[0],
            end_ms=item.window[1],
            count=item.count,
            index=index,
        )
        for index, item in logged.items()
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimated:
    """What is added to a line.

    Args:
        shares: base counts by time-of-use window.
        used: logged estimates with the base counts that were granted, in order.
    """

    shares: dict[int, int] = field(default_factory=dict)
    used: tuple[tuple[Estimate, int], ...] = ()


def usable_estimates(
    terms: Terms, estimates: Iterable[Estimate], *, cutoff_size: int
) -> tuple[Estimate, ...]:
    """Return the estimates a settlement may use, in an order that arrival does not change.

    Raises:
        SettlementError: one from beyond the cut-off, or of no time, or of less than nothing.
    """
    given = tuple(estimates)
    for estimate in given:
        if estimate.index >= cutoff_size:
            raise SettlementError(
                f"contract {terms.contract}: entries before the cut-off at {cutoff_size} "
                f"expected, got estimate {estimate.index}"
            )
        if estimate.end_ms <= estimate.start_ms or estimate.count < 0:
            raise SettlementError(
                f"estimate {estimate.index}: a time that is not empty and a count from 0 expected"
            )
    if terms.policy.estimates is not Estimates.LOGGED:
        return ()
    return tuple(
        sorted(
            given,
            key=lambda item: (
                item.asset,
                item.quantity,
                item.start_ms,
                item.end_ms,
                item.count,
                item.index,
            ),
        )
    )


def estimated_for(
    *,
    terms: Terms,
    needs: Needs,
    usage: Sequence[Usage],
    logged: Sequence[Estimate],
    cuts: Cuts,
    final: bool,
) -> Estimated:
    """Estimate unmetered time by time-of-use window, gap by gap in order, up to the cap."""
    quantity, cap = needs.quantity, needs.estimate_cap
    if (
        not final
        or terms.policy.unmetered is not Unmetered.ESTIMATE
        or quantity is None
        or quantity.is_count
        or cap is None
    ):
        return Estimated()
    most = cap * quantity.base_per_unit
    left = most.numerator // most.denominator
    shares: dict[int, int] = {}
    used: list[tuple[Estimate, int]] = []
    for asset in usage:
        if terms.policy.estimates is Estimates.RULE:
            wishes = _by_rule(asset)
        else:
            wishes = _inside(logged, asset, quantity.name)
        for start_ms, end_ms, wanted, source in wishes:
            granted = min(wanted, left)
            left -= granted
            if source is not None:
                used.append((source, granted))
            if granted:
                _spread(shares, start_ms, end_ms, granted, cuts)
    return Estimated(shares=shares, used=tuple(used))


_Wish = tuple[int, int, int, Estimate | None]
"""``(start, end, base counts, logged estimate)``."""


def _by_rule(asset: Usage) -> list[_Wish]:
    """Return what the register moved over each gap, or else the mean rate of metered time."""
    wishes: list[_Wish] = []
    for gap in asset.gaps:
        count = gap.known
        if count is None:
            count = mean_over(asset.metered, asset.metered_ms, gap.end_ms - gap.start_ms)
        wishes.append((gap.start_ms, gap.end_ms, count, None))
    return wishes


def _inside(logged: Sequence[Estimate], asset: Usage, quantity: str) -> list[_Wish]:
    """Return the estimates that lie whole in a gap, none over time another one spoke of."""
    found: list[_Wish] = []
    for estimate in logged:
        if (estimate.asset, estimate.quantity) != (asset.asset, quantity):
            continue
        if found and estimate.start_ms < found[-1][1]:
            continue
        if any(
            gap.start_ms <= estimate.start_ms and estimate.end_ms <= gap.end_ms
            for gap in asset.gaps
        ):
            found.append((estimate.start_ms, estimate.end_ms, estimate.count, estimate))
    return found


def _spread(shares: dict[int, int], start_ms: int, end_ms: int, count: int, cuts: Cuts) -> None:
    """Share an estimate out to time-of-use windows pro rata to time, the remainder to the last."""
    label = next((name for instant, name in reversed(cuts) if instant <= start_ms), -1)
    inside = [cut for cut in cuts if start_ms < cut[0] < end_ms]
    done = 0
    for instant, following in (*inside, (end_ms, -1)):
        reached = count * (instant - start_ms) // (end_ms - start_ms)
        shares[label] = shares.get(label, 0) + reached - done
        done, label = reached, following
