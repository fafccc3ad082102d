"""Twins: mirrors of nodes that change only by verified records, beside what was expected."""

from wattest.twin.fold import apply_record, count_refusal
from wattest.twin.plant import Plant, plant_for
from wattest.twin.snapshot import snapshot
from wattest.twin.state import Energies, Expectation, Health, Proof, TwinState, Value
from wattest.twin.twin import Twin

__all__ = [
    "Energies",
    "Expectation",
    "Health",
    "Plant",
    "Proof",
    "Twin",
    "TwinState",
    "Value",
    "apply_record",
    "count_refusal",
    "plant_for",
    "snapshot",
]
