"""Turbine curves: published power over wind speed, typed in from a named source."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from wattest.data import data_root
from wattest.tables import Table, read_table


@dataclass(frozen=True, slots=True, kw_only=True)
class TurbineCurve:
    """Power over wind speed.

    Args:
        title: the machine.
        source: who published the curve.
        speeds_um_s: strictly increasing speeds, µm/s.
        powers_uw: power at each, µW, positive when the turbine delivers; negative below cut-in.
    """

    title: str
    source: str
    speeds_um_s: tuple[int, ...]
    powers_uw: tuple[int, ...]

    def power_uw(self, speed_um_s: int) -> int:
        """Return the power at a wind speed, µW, straight between the points and rounded down.

        Below the first point its value holds; above the last one the turbine has cut out and
        draws what it draws at standstill.
        """
        if speed_um_s <= self.speeds_um_s[0]:
            return self.powers_uw[0]
        if speed_um_s > self.speeds_um_s[-1]:
            return min(0, self.powers_uw[0])
        index = bisect_right(self.speeds_um_s, speed_um_s) - 1
        if index + 1 == len(self.speeds_um_s):
            return self.powers_uw[-1]
        left, right = self.speeds_um_s[index], self.speeds_um_s[index + 1]
        low, high = self.powers_uw[index], self.powers_uw[index + 1]
        return low + (high - low) * (speed_um_s - left) // (right - left)


def load_curve(name: str) -> TurbineCurve:
    """Read ``bench/loads/turbine-<name>.toml``.

    Raises:
        ConfigError: the file is missing or wrong.
    """
    return read_curve(read_table(data_root() / "bench" / "loads" / f"turbine-{name}.toml"))


def curve_names() -> tuple[str, ...]:
    """Return the names of the curves that come with the project."""
    folder: Path = data_root() / "bench" / "loads"
    paths = folder.glob("turbine-*.toml")
    return tuple(sorted(path.stem.removeprefix("turbine-") for path in paths))


def read_curve(table: Table) -> TurbineCurve:
    """Read a curve's table.

    Raises:
        ConfigError: keys are wrong, or speeds do not increase.
    """
    points = table.raw("points")
    if not isinstance(points, list) or len(points) < 2:
        raise table.error("points", "at least two [m/s, kW] pairs expected")
    speeds: list[int] = []
    powers: list[int] = []
    for number, point in enumerate(points):
        key = f"points[{number}]"
        if not isinstance(point, list) or len(point) != 2:
            raise table.error(key, "a [m/s, kW] pair expected")
        pair = Table({"speed": point[0], "power": point[1]}, table.path, table.dotted(key))
        speed = pair.decimal("speed", minimum=0, maximum=100) * 10**6
        power = pair.decimal("power", minimum=-100, maximum=20_000) * 10**9
        speeds.append(_whole(speed))
        powers.append(_whole(power))
    if any(later <= earlier for earlier, later in pairwise(speeds)):
        raise table.error("points", "strictly increasing speeds expected")
    curve = TurbineCurve(
        title=table.text("title"),
        source=table.text("source", pattern=r"[ -~]{1,300}", expected="printable ASCII"),
        speeds_um_s=tuple(speeds),
        powers_uw=tuple(powers),
    )
    table.finish()
    return curve


def _whole(value: Fraction) -> int:
    return value.numerator // value.denominator
