"""What an emulated or driven node measures: the exact electrical truth of one feeder.

Invariant: truth is integers and rationals from the first parsed digit on. Import is energy into
the node's asset, export is energy from the asset into the grid; both are integrated apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from wattest.errors import ConfigError
from wattest.scenario.piecewise import Outside, Piecewise
from wattest.units import (
    FEMTOJOULES_PER_NANOJOULE,
    NANOJOULES_PER_WATTHOUR,
    format_decimal,
    format_duration,
)

_INA228_VOLTAGE_MAX_MV = 85_000


class Origin(StrEnum):
    """Where a load's numbers come from; shown wherever the load is shown."""

    MEASURED = "measured"
    DERIVED = "derived"
    STATED = "stated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """Exact energy of an interval, nanojoules, both >= 0."""

    import_nj: Fraction
    export_nj: Fraction

    @property
    def import_wh(self) -> Fraction:
        """Imported watt-hours, exact."""
        return self.import_nj / NANOJOULES_PER_WATTHOUR

    @property
    def export_wh(self) -> Fraction:
        """Exported watt-hours, exact."""
        return self.export_nj / NANOJOULES_PER_WATTHOUR

    def __add__(self, other: Energy) -> Energy:
        return Energy(
            import_nj=self.import_nj + other.import_nj, export_nj=self.export_nj + other.export_nj
        )


class LoadProfile:
    """Power and voltage over the run; implements the emulated sensor's ``Load`` port.

    Immutable; queries cost a bisection and are exact until their one stated rounding.

    Args:
        power: µW over ns since the run began, import positive. Before its first knot and after
            its last the load is as ``power.outside`` says.
        voltage: µV over the same time, > 0.
        label: what it is, for people: source, scale, rule.
        origin: measured, derived or stated.
    """

    __slots__ = ("_imported", "_power", "_voltage", "label", "origin")

    def __init__(
        self, *, power: Piecewise, voltage: Piecewise, label: str, origin: Origin
    ) -> None:
        if voltage.minimum <= 0:
            raise ValueError("voltage above zero expected at all times")
        self._power = power.split_at_zero()
        self._imported = self._power.positive_part()
        self._voltage = voltage
        self.label = label
        self.origin = origin

    @property
    def power(self) -> Piecewise:
        """The power function itself, µW."""
        return self._power

    @property
    def voltage(self) -> Piecewise:
        """The voltage function itself, µV."""
        return self._voltage

    @property
    def end_ns(self) -> int | None:
        """Where the data end, or None when the load has an answer for every later time."""
        return self._power.end_ns if self._power.outside is Outside.ZERO else None

    def power_mean_uw(self, t0_ns: int, t1_ns: int) -> int:
        """Return the mean power over ``[t0, t1)``, µW, import positive, nearest."""
        return self._power.mean(t0_ns, t1_ns)

    def voltage_mean_uv(self, t0_ns: int, t1_ns: int) -> int:
        """Return the mean voltage over ``[t0, t1)``, µV, nearest."""
        return self._voltage.mean(t0_ns, t1_ns)

    def energy_between(self, t0_ns: int, t1_ns: int) -> Energy:
        """Return the exact energy of ``[t0, t1)``, import and export apart.

        Adjacent intervals add up exactly.

        Raises:
            ValueError: ``t1 < t0``.
        """
        imported = self._imported.integral(t0_ns, t1_ns)
        net = self._power.integral(t0_ns, t1_ns)
        return Energy(
            import_nj=imported / FEMTOJOULES_PER_NANOJOULE,
            export_nj=(imported - net) / FEMTOJOULES_PER_NANOJOULE,
        )

    def check_range(
        self,
        *,
        un_mv: int,
        imax_ma: int,
        path: str,
        key: str,
        scale_key: str = "scale",
        voltage_max_mv: int = _INA228_VOLTAGE_MAX_MV,
    ) -> None:
        """Refuse a load the node's meter was never made for.

        Power beyond Un * Imax and current beyond Imax are refused; so is a voltage beyond what
        its sensor can stand.

        Raises:
            ConfigError: where and by how much, with a scale that would fit.
        """
        limit_uw = Fraction(un_mv * imax_ma)
        over = self._power.first_above(limit_uw)
        if over is not None:
            t_ns, power_uw = over
            peak = max(abs(self._power.minimum), abs(self._power.maximum))
            fit = Fraction(limit_uw * 1000 // peak, 1000)
            raise ConfigError(
                f"at most {format_decimal(limit_uw / 10**6, 0)} W expected (Un * Imax), "
                f"got {format_decimal(power_uw / 10**6, 1)} W at {format_duration(t_ns)}",
                path=path,
                key=key,
                hint=f"set {scale_key} to at most {format_decimal(fit, 3)}",
            )
        self._check_voltage(voltage_max_mv, path, key)
        self._check_current(imax_ma, path, key)

    def _check_voltage(self, voltage_max_mv: int, path: str, key: str) -> None:
        if self._voltage.maximum > voltage_max_mv * 1000:
            raise ConfigError(
                f"at most {voltage_max_mv // 1000} V expected, "
                f"got {format_decimal(self._voltage.maximum / 10**6, 1)} V",
                path=path,
                key=key,
                hint="scale the voltage column to the board's nominal voltage",
            )

    def _check_current(self, imax_ma: int, path: str, key: str) -> None:
        """Bound |power| / voltage at every knot of the power."""
        for left, right, first, last in self._power.pieces():
            for t_ns, count in ((left, first), (right, last)):
                volts_uv = self._voltage.value(t_ns)
                if abs(count) * 1000 > imax_ma * volts_uv * self._power.denominator:
                    raise ConfigError(
                        f"at most {imax_ma} mA expected (Imax), got "
                        f"{int(Fraction(abs(count) * 1000, self._power.denominator) / volts_uv)} "
                        f"mA at {format_duration(t_ns)}",
                        path=path,
                        key=key,
                        hint="raise the voltage or lower the scale",
                    )
