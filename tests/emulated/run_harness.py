"""Short runs of small scenarios, for tests of what a run makes of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from wattest.operations.control import RunControl
from wattest.operations.events import FaultJudged, RunEvent, RunFinished
from wattest.operations.virtual.run import RunOptions, run
from wattest.scenario import Scenario, parse_scenario

AFTER_CLONE = (
    'also = ["chain-break", "gap", "late", "replay", "register-backwards", "registers-changed",'
    ' "clock-backwards", "implausible"]'
)
STEADY = '{ kind = "constant", power_w = 600 }'


@dataclass
class Bench:
    """A scenario to be: one node unless said otherwise, no contract unless asked for."""

    load: str = STEADY
    duration: str = "2m"
    interval: str = "10s"
    seed: int = 7
    chip: str = ""
    board: str = "emulated-esp32"
    faults: list[str] = field(default_factory=list)
    extra: str = ""
    contract: bool = False

    def text(self) -> str:
        """Write it as a scenario file."""
        lines = [
            'name = "short"',
            f"seed = {self.seed}",
            "epoch = 2026-01-01T12:00:00Z",
            f'duration = "{self.duration}"',
            f'interval = "{self.interval}"',
            "[[node]]",
            'name = "feeder"',
            f'board = "{self.board}"',
            f"load = {self.load}",
            f"chip = {{ {self.chip} }}",
        ]
        lines += ["[[fault]]\n" + fault for fault in self.faults]
        return "\n".join([*lines, self.extra, CONTRACT if self.contract else ""])

    def scenario(self) -> Scenario:
        """Read it."""
        return parse_scenario(self.text(), "short.toml")

    def play(self, *, control: RunControl | None = None, out: Path | None = None) -> Played:
        """Run it to its end."""
        return play(self.scenario(), control=control, out=out)


CONTRACT = """
[[party]]
id = "grid"
name = "Grid operator"

[[party]]
id = "owner"
name = "Owner of the feeder"

[[contract]]
contract = "supply"
title = "Energy drawn"
seller = "grid"
buyer = "owner"
assets = ["feeder"]
currency = "EUR"
period = { kind = "fixed", start = 2026-01-01T12:00:00Z, duration_s = 60 }

[[contract.line]]
template = "PAY_PER_USE"
code = "energy"
quantity = "import_energy"
unit = "kWh"
price = "0.30"
"""


@dataclass
class Played:
    """All that a run has told."""

    events: list[RunEvent]

    @property
    def end(self) -> RunFinished:
        """Return how it ended."""
        assert isinstance(self.events[-1], RunFinished)
        return self.events[-1]

    @property
    def judged(self) -> list[FaultJudged]:
        """Return the verdicts on faults."""
        return [event for event in self.events if isinstance(event, FaultJudged)]


def play(
    scenario: Scenario, *, control: RunControl | None = None, out: Path | None = None
) -> Played:
    """Run a scenario to its end."""
    return Played(list(run(scenario, RunOptions(out=out), control)))


def expecting(scenario: Scenario, *verdicts: str) -> Scenario:
    """Return the scenario with another expectation of its only fault."""
    (fault,) = scenario.faults
    return replace(scenario, faults=(replace(fault, expect=verdicts),))
