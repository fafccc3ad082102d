"""A CSV load as a scenario: what `wattest replay` is asked for, turned into values."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from wattest import scenario
from wattest.errors import ConfigError
from wattest.scenario import CsvOptions, CsvSpec, Positive, Scenario
from wattest.scenario.csv_options import UNITS
from wattest.units import NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """What to replay, and how.

    Args:
        path: CSV file.
        column: its power column, or None: the only one.
        unit: one of `wattest.scenario.csv_options.UNITS`.
        scale: exact factor on the power.
        positive: ``import`` or ``export``: which way a positive value flows.
        nodes: how many boards meter it.
        interval_s: between signed readings.
        duration_s: how much of the file, or None: all of it.
    """

    path: Path
    column: str | None = None
    unit: str = "W"
    scale: Fraction = Fraction(1)
    positive: str = "import"
    nodes: int = 1
    interval_s: int = 60
    duration_s: int | None = None


def replay_scenario(options: ReplayOptions) -> Scenario:
    """Return the scenario of a replay.

    Raises:
        ConfigError: the unit is unknown, or the file cannot be read as asked.
    """
    if options.unit not in UNITS:
        raise ConfigError(
            f"expected one of {', '.join(UNITS)}, got {options.unit!r}", path="--unit"
        )
    load = CsvSpec(
        path=options.path,
        options=CsvOptions(
            column=options.column or "",
            unit=options.unit,
            scale=options.scale,
            positive=Positive(options.positive),
        ),
    )
    return scenario.replay_scenario(
        load,
        nodes=options.nodes,
        interval_ms=options.interval_s * 1000,
        duration_ns=None if options.duration_s is None else options.duration_s * NS_PER_S,
    )
