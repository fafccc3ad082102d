"""A scenario: one file's worth of nodes, weather, faults, parties and contracts, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from wattest.scenario.deed import Deed
from wattest.scenario.fault import Action, Fault
from wattest.scenario.spec import LoadSpec
from wattest.scenario.weather import WeatherSpec
from wattest.settlement.terms import Terms
from wattest.units import NS_PER_MS, NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipErrorSpec:
    """Declared errors of one sensor chip; the fields are those of the emulated INA228.

    Args:
        gain_current_ppm: of the shunt voltage, shunt tolerance included.
        gain_voltage_ppm: of the bus voltage.
        offset_nv: added to the shunt voltage.
        offset_uv: added to the bus voltage.
        oscillator_ppm: of the chip's own clock.
        noise_nv: amplitude of the shunt voltage's noise.
        noise_uv: amplitude of the bus voltage's noise.
    """

    gain_current_ppm: int = 0
    gain_voltage_ppm: int = 0
    offset_nv: int = 0
    offset_uv: int = 0
    oscillator_ppm: int = 0
    noise_nv: int = 0
    noise_uv: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One node.

    Args:
        name: unique in the scenario.
        asset: what it meters; contracts name assets.
        board: name or path of a board file.
        load: what its feeder carries.
        chip: declared errors of its sensor.
    """

    name: str
    asset: str
    board: str
    load: LoadSpec
    chip: ChipErrorSpec = ChipErrorSpec()


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Somebody who pays or is paid."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What a run is made from.

    Args:
        name: short name.
        title: for people.
        path: the file, or ``""`` when a command made it.
        seed: all chance of the run derives from it.
        epoch_ms: instant of run time 0, ms since 1970 UTC.
        duration_ns: length of the run.
        interval_ms: record interval of every node.
        weather: name -> weather.
        nodes: at least one, names unique.
        parties: everybody a contract names.
        contracts: terms to settle.
        faults: in order of time.
        actions: in order of time.
        deeds: what parties do about money, in order of time; some after the run's end.
    """

    name: str
    title: str
    path: str
    seed: int
    epoch_ms: int
    duration_ns: int
    interval_ms: int
    weather: Mapping[str, WeatherSpec]
    nodes: tuple[NodeSpec, ...]
    parties: tuple[Party, ...] = ()
    contracts: tuple[Terms, ...] = ()
    faults: tuple[Fault, ...] = ()
    actions: tuple[Action, ...] = ()
    deeds: tuple[Deed, ...] = ()

    @property
    def duration_s(self) -> int:
        """Length of the run, whole seconds, rounded up."""
        return -(-self.duration_ns // NS_PER_S)

    @property
    def end_ms(self) -> int:
        """Instant of the end of the run, ms since 1970 UTC."""
        return self.epoch_ms + self.duration_ns // NS_PER_MS

    @property
    def folder(self) -> Path:
        """Folder that relative paths of the file start from."""
        return Path(self.path).parent if self.path else Path()

    def lasting(self, duration_ns: int) -> Scenario:
        """Return the scenario cut or stretched to another length; what begins later is left out.

        Args:
            duration_ns: >= 1.
        """
        return replace(
            self,
            duration_ns=duration_ns,
            faults=tuple(fault for fault in self.faults if fault.at_ns < duration_ns),
            actions=tuple(action for action in self.actions if action.at_ns < duration_ns),
            deeds=tuple(
                deed
                for deed in self.deeds
                if deed.at_ns < duration_ns or duration_ns >= self.duration_ns
            ),
        )
