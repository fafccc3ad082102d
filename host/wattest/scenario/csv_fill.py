"""Rows to usable samples: times that increase, a number in every cell, by the rules chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from wattest.errors import ConfigError
from wattest.scenario.csv_options import Backward, CsvOptions, Fill, Positive
from wattest.scenario.csv_rows import Columns, Sample
from wattest.units import NS_PER_S, format_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvFile:
    """What is being read: path for errors, rules, columns."""

    path: str
    options: CsvOptions
    columns: Columns

    def error(self, message: str, *, line: int, column: str, hint: str = "") -> ConfigError:
        """Make the error of one cell; the caller raises it."""
        return ConfigError(message, path=self.path, key=f"line {line}, column {column}", hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A usable row.

    Args:
        line: line in the file.
        time_ns: from here on.
        value: in the file's unit, scaled, import positive.
        volts_uv: µV, or None without a voltage column.
    """

    line: int
    time_ns: int
    value: Fraction
    volts_uv: Fraction | None


def usable_points(file: CsvFile, samples: Sequence[Sample]) -> tuple[list[Point], list[str]]:
    """Apply the rules for backward times and missing numbers.

    Returns:
        At least one point, times strictly increasing; and a note for each rule that acted.

    Raises:
        ConfigError: a rule is to refuse, or there is nothing to fill from.
    """
    notes: list[str] = []
    lines, times, kept = _increasing(file, samples, notes)
    columns, options = file.columns, file.options
    fill = _Filler(file=file, lines=lines, times=times, notes=notes)
    values = fill.fill([sample.value for sample in kept], columns.value_name, options.missing)
    volts: Sequence[Fraction | None] = [None] * len(kept)
    if columns.voltage is not None:
        rule = Fill.HOLD if options.missing is Fill.ZERO else options.missing
        filled = fill.fill([sample.volts for sample in kept], options.voltage_column, rule)
        volts = [_volts_uv(file, line, value) for line, value in zip(lines, filled, strict=True)]
    factor = options.scale if options.positive is Positive.IMPORT else -options.scale
    points = [
        Point(line=line, time_ns=time_ns, value=factor * value, volts_uv=volts_uv)
        for line, time_ns, value, volts_uv in zip(lines, times, values, volts, strict=True)
    ]
    return points, notes


def _increasing(
    file: CsvFile, samples: Sequence[Sample], notes: list[str]
) -> tuple[list[int], list[int], list[Sample]]:
    """Give every row a time and make times increase, or refuse."""
    if not file.columns.time:
        step_ns = file.options.step_ns or NS_PER_S
        steps = [index * step_ns for index in range(len(samples))]
        return [sample.line for sample in samples], steps, list(samples)
    lines: list[int] = []
    times: list[int] = []
    kept: list[Sample] = []
    for sample in samples:
        assert sample.time_ns is not None
        if times and sample.time_ns <= times[-1]:
            if file.options.backward is Backward.REFUSE:
                behind = times[-1] - sample.time_ns
                what = f"{format_duration(behind)} earlier" if behind else "the same time"
                raise file.error(
                    f"a time after that of line {lines[-1]} expected, got {what}",
                    line=sample.line,
                    column=file.columns.time_name,
                    hint="backward = 'drop' leaves such rows out",
                )
            continue
        lines.append(sample.line)
        times.append(sample.time_ns)
        kept.append(sample)
    if len(kept) < len(samples):
        notes.append(f"{len(samples) - len(kept)} rows dropped: time not after the row before")
    return lines, times, kept


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filler:
    """Replaces missing numbers of one column after the other."""

    file: CsvFile
    lines: Sequence[int]
    times: Sequence[int]
    notes: list[str]

    def fill(self, values: Sequence[Fraction | None], column: str, rule: Fill) -> list[Fraction]:
        result: list[Fraction] = []
        following = _following(values)
        for index, value in enumerate(values):
            if value is not None:
                result.append(value)
            elif rule is Fill.ZERO:
                result.append(Fraction(0))
            else:
                result.append(self._neighbour(values, following[index], result, column, rule))
        missing = sum(value is None for value in values)
        if missing:
            self.notes.append(f"{missing} cells of {column} without a number filled: {rule}")
        return result

    def _neighbour(
        self,
        values: Sequence[Fraction | None],
        after: int | None,
        before: Sequence[Fraction],
        column: str,
        rule: Fill,
    ) -> Fraction:
        """Return the value for the place behind ``before``; ``after`` is the next number's."""
        index = len(before)
        upper = None if after is None else values[after]
        if rule is Fill.REFUSE or not before or (rule is Fill.LINEAR and upper is None):
            raise self.file.error(
                "number expected, got none",
                line=self.lines[index],
                column=column,
                hint="missing = 'hold', 'linear' or 'zero' fills it"
                if rule is Fill.REFUSE
                else f"no number beside it for missing = '{rule}'",
            )
        if rule is Fill.HOLD or after is None or upper is None:
            return before[-1]
        start = self.times[index - 1]
        part = Fraction(self.times[index] - start, self.times[after] - start)
        return before[-1] + (upper - before[-1]) * part


def _following(values: Sequence[Fraction | None]) -> list[int | None]:
    """Return for each place the index of the next number at or after it."""
    result: list[int | None] = [None] * len(values)
    upcoming: int | None = None
    for index in range(len(values) - 1, -1, -1):
        if values[index] is not None:
            upcoming = index
        result[index] = upcoming
    return result


def _volts_uv(file: CsvFile, line: int, volts: Fraction) -> Fraction:
    volts_uv = volts * file.options.voltage_scale * 10**6
    if volts_uv <= 0:
        raise file.error(
            "voltage above zero expected", line=line, column=file.options.voltage_column
        )
    return volts_uv
