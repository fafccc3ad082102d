"""What a scenario says a node's load is: plain values, before any number is generated."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from wattest.scenario.csv_options import CsvOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantSpec:
    """The same power at all times, µW, import positive; ``label`` is shown to people."""

    power_uw: Fraction
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepsSpec:
    """Powers held from given times on, (ns, µW), first at 0; the last holds on."""

    steps: tuple[tuple[int, Fraction], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvSpec:
    """A CSV file and how to read it."""

    path: Path
    options: CsvOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class TurbineSpec:
    """A wind turbine, derived from a curve and the site's wind.

    Args:
        weather: name of a wind in the scenario.
        curve: name of a turbine curve.
        scale: exact factor on the power.
        gust_permille: standard deviation of the wind at this turbine around the site's, a
            thousandth of the speed; the twin does not see it.
        step_ns: distance of two values.
    """

    weather: str
    curve: str
    scale: Fraction
    gust_permille: int
    step_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SolarSpec:
    """A solar roof, derived from the site's irradiance.

    Args:
        weather: name of a sun in the scenario.
        peak_w: power at 1,000 W/m² before losses.
        performance_percent: what is left after losses.
        limit_w: largest power of the inverter.
        standby_milliwatts: what the inverter draws when it delivers nothing.
        scale: exact factor on the power, standby included.
        shade_permille: standard deviation of soiling and shade; the twin does not see it.
        step_ns: distance of two values.
    """

    weather: str
    peak_w: int
    performance_percent: int
    limit_w: int
    standby_milliwatts: int
    scale: Fraction
    shade_permille: int
    step_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseholdSpec:
    """A household: base load, refrigerator, and appliances switched on by chance."""

    scale: Fraction
    base_w: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvSessionSpec:
    """One charging session: constant power, then a taper, then standby.

    Args:
        arrive_ns: when charging begins.
        energy_wh: energy taken from the grid in the session.
        power_w: constant power until ``taper_percent`` of the energy is in.
        taper_percent: 1 to 100; from there power falls in a straight line.
        final_w: power at the end of the taper.
        standby_milliwatts: draw of the charger outside the session.
        scale: exact factor on all powers; times stay.
    """

    arrive_ns: int
    energy_wh: int
    power_w: int
    taper_percent: int
    final_w: int
    standby_milliwatts: int
    scale: Fraction


LoadSpec = (
    ConstantSpec | StepsSpec | CsvSpec | TurbineSpec | SolarSpec | HouseholdSpec | EvSessionSpec
)
