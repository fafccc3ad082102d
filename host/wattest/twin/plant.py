"""Plant models: what an asset should do, from weather and settings alone, never from its load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wattest.scenario.curve import load_curve
from wattest.scenario.generators import (
    expected_ev_power,
    expected_solar_power,
    expected_turbine_power,
)
from wattest.scenario.model import NodeSpec
from wattest.scenario.piecewise import Piecewise
from wattest.scenario.spec import EvSessionSpec, SolarSpec, TurbineSpec
from wattest.units import NS_PER_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """A model of one asset.

    Args:
        basis: what it was worked out from, for people.
        epoch_ms: instant of the power's time 0, ms since 1970 UTC.
        power: expected power, µW over ns, import positive.
        end_ms: instant from which the model says nothing more, or None: never.
    """

    basis: str
    epoch_ms: int
    power: Piecewise
    end_ms: int | None = None

    def covers(self, end_ms: int) -> bool:
        """Tell whether the model says something up to an instant."""
        return self.end_ms is None or end_ms <= self.end_ms

    def mean_milliwatts(self, start_ms: int, end_ms: int) -> int:
        """Return the expected mean power of ``[start, end)``, mW, import positive, nearest.

        Raises:
            ValueError: the interval is empty or backward.
        """
        start_ns = (start_ms - self.epoch_ms) * NS_PER_MS
        end_ns = (end_ms - self.epoch_ms) * NS_PER_MS
        return (self.power.mean(start_ns, end_ns) + 500) // 1000


def plant_for(
    node: NodeSpec,
    weather: Mapping[str, Piecewise],
    *,
    epoch_ms: int,
    end_ms: int | None = None,
) -> Plant | None:
    """Return the plant model of a node, or None: then there is no expectation.

    Args:
        node: its asset's kind and settings; of a load file nothing is known but the file.
        weather: the site's weather by name, as a weather station there would see it.
        epoch_ms: instant of the weather's time 0.
        end_ms: end of the run; a bench's load is off from there on, which no weather explains.

    Raises:
        ConfigError: the turbine's curve cannot be read.
    """
    spec = node.load
    if isinstance(spec, TurbineSpec):
        curve = load_curve(spec.curve)
        power = expected_turbine_power(spec, curve, weather[spec.weather])
        basis = f"site wind on the curve of {curve.title}"
    elif isinstance(spec, SolarSpec):
        power = expected_solar_power(spec, weather[spec.weather])
        basis = f"site irradiance on {spec.peak_w} W"
    elif isinstance(spec, EvSessionSpec):
        power = expected_ev_power(spec)
        basis = f"booking of {spec.energy_wh} Wh at {spec.power_w} W"
    else:
        return None
    return Plant(basis=basis, epoch_ms=epoch_ms, power=power, end_ms=end_ms)
