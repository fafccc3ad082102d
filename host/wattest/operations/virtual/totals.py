"""Truth against registers: what the load was, what the node said, what its chip may differ by.

The bound is the scenario's error budget (declared chip errors, worst case), and two record
intervals at the largest power for each power cut, because a cut may lose that much.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from wattest.operations.events import NodeTotals
from wattest.scenario import Energy, PreparedNode, error_budget
from wattest.units import NANOJOULES_PER_WATTHOUR, format_decimal

_PLACES_WH = 6
_PLACES_PERCENT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """What a node's registers advanced by, milliwatt-hours."""

    import_milliwatthours: int
    export_milliwatthours: int
    readings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One node's truth, registers and bound, exact watt-hours."""

    import_wh: Fraction
    export_wh: Fraction
    metered_import_wh: Fraction
    metered_export_wh: Fraction
    limit_wh: Fraction
    readings: int

    def __add__(self, other: Comparison) -> Comparison:
        return Comparison(
            import_wh=self.import_wh + other.import_wh,
            export_wh=self.export_wh + other.export_wh,
            metered_import_wh=self.metered_import_wh + other.metered_import_wh,
            metered_export_wh=self.metered_export_wh + other.metered_export_wh,
            limit_wh=self.limit_wh + other.limit_wh,
            readings=self.readings + other.readings,
        )

    @property
    def error_wh(self) -> Fraction:
        """Registered minus true, both directions as magnitudes."""
        return (self.metered_import_wh + self.metered_export_wh) - (
            self.import_wh + self.export_wh
        )

    @property
    def within(self) -> bool:
        """Whether each direction differs by no more than the bound."""
        return (
            abs(self.metered_import_wh - self.import_wh) <= self.limit_wh
            and abs(self.metered_export_wh - self.export_wh) <= self.limit_wh
        )

    def totals(self, name: str) -> NodeTotals:
        """Write it down for people and scripts."""
        energy = self.import_wh + self.export_wh
        return NodeTotals(
            node=name,
            load_import_wh=format_decimal(self.import_wh, _PLACES_WH),
            load_export_wh=format_decimal(self.export_wh, _PLACES_WH),
            metered_import_wh=format_decimal(self.metered_import_wh, 3),
            metered_export_wh=format_decimal(self.metered_export_wh, 3),
            error_percent=_percent(self.error_wh, energy),
            error_limit_percent=_percent(self.limit_wh, energy),
            readings=self.readings,
        )


def compare(
    node: PreparedNode,
    metered: Metered,
    *,
    duration_ns: int,
    interval_ms: int,
    unmetered: tuple[tuple[int, int], ...] = (),
) -> Comparison:
    """Compare one node's registers with the exact truth of its load.

    Args:
        node: its hardware, its load, the declared errors of its chip.
        metered: what its registers advanced by.
        duration_ns: how long the load flowed.
        interval_ms: record interval.
        unmetered: spans ``[from, to)`` of the run without power, ns; their energy is subtracted
            from the truth.
    """
    load = node.load
    truth = load.energy_between(0, duration_ns)
    lost = Energy(import_nj=Fraction(0), export_nj=Fraction(0))
    for first, last in unmetered:
        begin, end = max(first, 0), min(last, duration_ns)
        if begin < end:  # a cut may come after the load has ended
            lost += load.energy_between(begin, end)
    budget = error_budget(load, node.spec.chip, node.board, 0, duration_ns)
    power_uw = max(abs(load.power.minimum), abs(load.power.maximum))
    cuts_nj = len(unmetered) * power_uw * 2 * interval_ms
    return Comparison(
        import_wh=truth.import_wh - lost.import_wh,
        export_wh=truth.export_wh - lost.export_wh,
        metered_import_wh=Fraction(metered.import_milliwatthours, 1000),
        metered_export_wh=Fraction(metered.export_milliwatthours, 1000),
        limit_wh=(budget.total_nj + cuts_nj) / NANOJOULES_PER_WATTHOUR,
        readings=metered.readings,
    )


def _percent(part: Fraction, whole: Fraction) -> str:
    return format_decimal(100 * part / whole, _PLACES_PERCENT) if whole else "0"
