"""CSV file to exact load: units, scale, sign, and the stated rules for what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise

from wattest.errors import ConfigError
from wattest.scenario.csv_fill import CsvFile, Point, usable_points
from wattest.scenario.csv_options import (
    CURRENT_UNITS_UA,
    ENERGY_UNITS_FJ,
    POWER_UNITS_UW,
    UNITS,
    CsvOptions,
    End,
    Fill,
    Interpolation,
)
from wattest.scenario.csv_rows import read_rows
from wattest.scenario.csv_time import is_absolute, time_reader
from wattest.scenario.load import LoadProfile, Origin
from wattest.scenario.piecewise import Outside, Piecewise, to_counts
from wattest.units import NS_PER_MS, format_duration

_OUTSIDE = {
    End.REFUSE: Outside.ZERO,
    End.ZERO: Outside.ZERO,
    End.HOLD: Outside.HOLD,
    End.REPEAT: Outside.REPEAT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvLoad:
    """A load file, read.

    Args:
        profile: the exact load; time 0 is the first row, after ``skip``.
        start_ms: instant of time 0, ms since 1970 UTC, or None when the file has none.
        duration_ns: from time 0 to the end of the last row's interval.
        rows: rows in the file.
        notes: what was filled or dropped, one line each.
    """

    profile: LoadProfile
    start_ms: int | None
    duration_ns: int
    rows: int
    notes: tuple[str, ...]


def parse_csv_load(text: str, options: CsvOptions, *, path: str, un_mv: int) -> CsvLoad:
    """Build the load a CSV file describes.

    Args:
        text: content of the file.
        options: how to read it.
        path: what errors call it.
        un_mv: nominal voltage, for files without a voltage column.

    Raises:
        ConfigError: one line naming file, line and column.
    """
    _check_options(options, path)
    columns, samples = read_rows(text, options, path)
    file = CsvFile(path=path, options=options, columns=columns)
    points, notes = usable_points(file, samples)
    layout = _Layout(file=file, step_ns=options.step_ns or _usual_step(points, path))
    layout.lay_out(points)
    if layout.gaps:
        notes.append(f"{layout.gaps} gaps filled: {options.gap}")
    power, voltage = layout.power(), layout.voltage()
    shift = points[0].time_ns + options.skip_ns
    if shift >= power.end_ns:
        raise ConfigError(
            f"less than {format_duration(power.end_ns - points[0].time_ns)} expected, "
            f"got {format_duration(options.skip_ns)}",
            path=path,
            key="skip",
        )
    profile = LoadProfile(
        power=power.shifted(-shift),
        voltage=voltage.shifted(-shift) if voltage else Piecewise.constant(un_mv * 1000),
        label=_label(file),
        origin=Origin.MEASURED,
    )
    absolute = bool(columns.time) and is_absolute(options.time_format)
    return CsvLoad(
        profile=profile,
        start_ms=shift // NS_PER_MS if absolute else None,
        duration_ns=profile.power.end_ns,
        rows=len(samples),
        notes=tuple(notes),
    )


def _check_options(options: CsvOptions, path: str) -> None:
    if options.unit not in UNITS:
        raise ConfigError(
            f"one of {', '.join(UNITS)} expected, got {options.unit!r}", path=path, key="unit"
        )
    linear = Interpolation.LINEAR in (options.interpolation, options.gap, options.missing)
    if options.unit in ENERGY_UNITS_FJ and linear:
        raise ConfigError(
            f"hold expected for {options.unit} per interval, got linear",
            path=path,
            key="interpolation",
        )
    try:
        time_reader(options.time_format, options.time_zone)
    except ValueError as exc:
        raise ConfigError(str(exc), path=path, key="time_format") from None


def _usual_step(points: Sequence[Point], path: str) -> int:
    """Return the most frequent spacing, the shortest of equals."""
    if len(points) < 2:
        raise ConfigError(
            "at least two rows expected, got one", path=path, hint="give its length as step"
        )
    spacings = Counter(later.time_ns - point.time_ns for point, later in pairwise(points))
    return min(spacings, key=lambda spacing: (-spacings[spacing], spacing))


@dataclass(slots=True, kw_only=True)
class _Layout:
    """Rows laid out in time: one piece a row interval, gaps by their rule."""

    file: CsvFile
    step_ns: int
    gaps: int = 0
    _knots: list[int] = field(default_factory=list)
    _power: list[Fraction] = field(default_factory=list)
    _volts: list[Fraction] = field(default_factory=list)

    def lay_out(self, points: Sequence[Point]) -> None:
        self._knots.append(points[0].time_ns)
        linear = self.file.options.interpolation is Interpolation.LINEAR
        for point, follower in pairwise(points):
            if 2 * (follower.time_ns - point.time_ns) > 3 * self.step_ns:
                self._add_gap(point, follower)
            else:
                self._add(point, follower if linear else point, follower.time_ns)
        self._add(points[-1], points[-1], points[-1].time_ns + self.step_ns)

    def power(self) -> Piecewise:
        return self._joined(self._power, _OUTSIDE[self.file.options.end])

    def voltage(self) -> Piecewise | None:
        if not self._volts:
            return None
        repeats = self.file.options.end is End.REPEAT
        return self._joined(self._volts, Outside.REPEAT if repeats else Outside.HOLD)

    def _joined(self, ends: Sequence[Fraction], outside: Outside) -> Piecewise:
        counts, denominator = to_counts(ends)
        return Piecewise(
            self._knots, counts[0::2], counts[1::2], denominator=denominator, outside=outside
        )

    def _add_gap(self, point: Point, follower: Point) -> None:
        rule = self.file.options.gap
        self.gaps += 1
        if rule is Fill.REFUSE:
            raise self.file.error(
                f"a row every {format_duration(self.step_ns)} expected, got a gap of "
                f"{format_duration(follower.time_ns - point.time_ns)} after line {point.line}",
                line=follower.line,
                column=self.file.columns.time_name or "time",
                hint="gap = 'hold', 'linear' or 'zero' fills it",
            )
        if rule is Fill.ZERO:
            cut = point.time_ns + self.step_ns
            self._add(point, point, cut)
            point = replace(point, time_ns=cut, value=Fraction(0))
        self._add(point, follower if rule is Fill.LINEAR else point, follower.time_ns)

    def _add(self, point: Point, target: Point, end_ns: int) -> None:
        """Append one piece from ``point`` to ``end_ns``, straight to the value of ``target``."""
        width_ns = end_ns - point.time_ns
        self._power += [self._microwatts(point, width_ns), self._microwatts(target, width_ns)]
        if point.volts_uv is not None and target.volts_uv is not None:
            self._volts += [point.volts_uv, target.volts_uv]
        self._knots.append(end_ns)

    def _microwatts(self, point: Point, width_ns: int) -> Fraction:
        unit = self.file.options.unit
        if unit in POWER_UNITS_UW:
            return point.value * POWER_UNITS_UW[unit]
        if unit in ENERGY_UNITS_FJ:
            return point.value * ENERGY_UNITS_FJ[unit] / width_ns
        if point.volts_uv is None:
            raise ConfigError(
                f"a voltage column expected for a current in {unit}, got none",
                path=self.file.path,
                key="voltage_column",
            )
        return point.value * CURRENT_UNITS_UA[unit] * point.volts_uv / 10**6


def _label(file: CsvFile) -> str:
    options = file.options
    scale = "" if options.scale == 1 else f", scaled by {options.scale}"
    name = file.path.replace("\\", "/").rsplit("/", 1)[-1]
    column = file.columns.value_name
    return f"{name}: {column} in {options.unit}, positive is {options.positive}{scale}"
