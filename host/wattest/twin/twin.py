"""A twin: the newest state of one node, and the only two ways to change it."""

from __future__ import annotations

from collections.abc import Iterable

from wattest.twin.fold import apply_record, count_refusal
from wattest.twin.plant import Plant
from wattest.twin.state import TwinState
from wattest.verify.finding import Finding
from wattest.verify.verifier import Verdict
from wattest.wire.record import Record

_STALE_INTERVALS = 3


class Twin:
    """Mirror of one node.

    Args:
        name: of the node.
        asset: what it meters.
        plant: model of the asset, or None: no expectation.
        interval_ms: record interval; values older than three of them are stale.
    """

    def __init__(
        self, name: str, *, asset: str, plant: Plant | None = None, interval_ms: int = 60_000
    ) -> None:
        self.plant = plant
        self.state = TwinState(
            name=name,
            asset=asset,
            has_plant=plant is not None,
            stale_after_ms=_STALE_INTERVALS * interval_ms,
        )

    def apply(self, record: Record, *, index: int, verdict: Verdict) -> TwinState:
        """Take a record that was verified and logged at ``index``; return the new state."""
        self.state = apply_record(
            self.state, record, index=index, verdict=verdict, plant=self.plant
        )
        return self.state

    def refuse(self, findings: Iterable[Finding]) -> TwinState:
        """Count a record that was not taken; no value changes."""
        self.state = count_refusal(self.state, findings)
        return self.state
