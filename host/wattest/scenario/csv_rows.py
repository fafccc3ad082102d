"""Rows of a CSV file as exact samples: columns found, numbers and times parsed, nothing filled."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from wattest.errors import ConfigError
from wattest.scenario.csv_options import CsvOptions
from wattest.scenario.csv_time import time_reader
from wattest.units import parse_decimal

if TYPE_CHECKING:
    import _csv

_ROWS_MAX = 2_000_000
_NO_NUMBER = frozenset({"", "-", "nan", "na", "n/a", "null", "none", "inf", "-inf", "+inf", "?"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One row.

    Args:
        line: line in the file, from 1, for errors.
        time_ns: ns, or None when the file has no time column.
        value: in the file's own unit, or None: no number there.
        volts: likewise; None also when no voltage column was asked for.
    """

    line: int
    time_ns: int | None
    value: Fraction | None
    volts: Fraction | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which cells of a row hold what; indices from 0."""

    value: int
    value_name: str
    time: tuple[int, ...]
    time_name: str
    voltage: int | None


class _File:
    """Path, rules and the time format, made once."""

    def __init__(self, path: str, options: CsvOptions) -> None:
        self.path = path
        self.options = options
        self.read_time = time_reader(options.time_format, options.time_zone)

    def error(self, message: str, key: str = "", *, hint: str = "") -> ConfigError:
        return ConfigError(message, path=self.path, key=key, hint=hint)


def read_rows(text: str, options: CsvOptions, path: str) -> tuple[Columns, list[Sample]]:
    """Parse the whole file.

    Raises:
        ConfigError: file, line and column of what is wrong.
    """
    file = _File(path, options)
    lines = text.splitlines()[options.skip_rows :]
    rows = len(lines) - options.header_rows
    if rows < 1:
        raise file.error(f"a header and at least one row expected, got {len(lines)} lines")
    # Further header lines become blank ones, so that line numbers stay those of the file.
    lines[1 : options.header_rows] = [""] * max(0, options.header_rows - 1)
    reader = csv.reader(
        io.StringIO("\n".join(lines)),
        delimiter=options.delimiter or _sniff(lines[0]),
        strict=True,
    )
    samples: list[Sample] = []
    columns: Columns | None = None
    try:
        header = [name.strip() for name in next(reader)] if options.header_rows else []
        for line, cells in _numbered(reader, options.skip_rows):
            if columns is None:
                header = header or [f"#{number}" for number in range(1, len(cells) + 1)]
                columns = _find_columns(header, cells, file)
            samples.append(_sample(line, cells, header, columns, file))
            if len(samples) > _ROWS_MAX:
                raise file.error(f"at most {_ROWS_MAX} rows expected, got more")
    except csv.Error as exc:
        line = options.skip_rows + reader.line_num
        raise file.error(f"broken CSV: {exc}", f"line {line}") from exc
    if columns is None:
        raise file.error("at least one row expected, got only a header")
    return columns, samples


def _numbered(reader: _csv.Reader, skip_rows: int) -> Iterator[tuple[int, list[str]]]:
    for cells in reader:
        if cells:
            yield skip_rows + reader.line_num, cells


def _sniff(header: str) -> str:
    """Return the delimiter the header has most of; a comma when it has none."""
    return max(",;\t|", key=header.count)


def _find_columns(header: Sequence[str], cells: Sequence[str], file: _File) -> Columns:
    options = file.options
    time = tuple(_index(header, name, "time", file) for name in options.time)
    if not time and options.step_ns is None:
        if not _reads_as_time(cells[0].strip(), file):
            raise file.error(
                f"a time in the first column ({header[0]!r}) or a step expected, got {cells[0]!r}",
                hint="name the time column and its format, or give a step",
            )
        time = (0,)
    voltage = None
    if options.voltage_column:
        voltage = _index(header, options.voltage_column, "voltage_column", file)
    if options.column:
        value = _index(header, options.column, "column", file)
    else:
        rest = [i for i in range(len(header)) if i not in time and i != voltage]
        if len(rest) != 1:
            raise file.error(
                f"one value column expected, got {len(rest)}: {_listed(header, rest)}",
                hint="name the column",
            )
        value = rest[0]
    return Columns(
        value=value,
        value_name=header[value] or f"#{value + 1}",
        time=time,
        time_name=" ".join(header[i] or f"#{i + 1}" for i in time),
        voltage=voltage,
    )


def _reads_as_time(text: str, file: _File) -> bool:
    try:
        file.read_time(text)
    except ValueError:
        # A negative number is a time too, a refused one; the row's own error says so.
        return file.options.time_format != "iso" and text.startswith("-")
    return True


def _index(header: Sequence[str], name: str, key: str, file: _File) -> int:
    if name.startswith("#") and name[1:].isdigit() and 1 <= int(name[1:]) <= len(header):
        return int(name[1:]) - 1
    if name in header:
        return header.index(name)
    near = difflib.get_close_matches(name, header, n=1)
    listed = _listed(header, range(len(header)))
    raise file.error(
        f"a column of the file expected, got {name!r}",
        key,
        hint=f"did you mean {near[0]!r}?" if near else f"it has {listed}",
    )


def _listed(header: Sequence[str], indices: Sequence[int]) -> str:
    names = [header[i] or f"#{i + 1}" for i in indices]
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")


def _sample(
    line: int, cells: Sequence[str], header: Sequence[str], columns: Columns, file: _File
) -> Sample:
    if len(cells) != len(header):
        raise file.error(f"{len(header)} cells expected, got {len(cells)}", f"line {line}")
    time_ns = None
    if columns.time:
        text = " ".join(cells[i].strip() for i in columns.time)
        try:
            time_ns = file.read_time(text)
        except ValueError as exc:
            raise file.error(str(exc), f"line {line}, column {columns.time_name}") from None
    volts = None
    if columns.voltage is not None:
        volts = _number(cells[columns.voltage], line, header[columns.voltage], file)
    value = _number(cells[columns.value], line, columns.value_name, file)
    return Sample(line=line, time_ns=time_ns, value=value, volts=volts)


def _number(cell: str, line: int, column: str, file: _File) -> Fraction | None:
    text = cell.strip()
    if text.lower() in _NO_NUMBER:
        return None
    point = file.options.decimal
    # With a decimal comma, a point would be a digit separator: not a number for us.
    plain = text if point == "." else text.replace(".", "?").replace(point, ".")
    try:
        return parse_decimal(plain)
    except ValueError:
        raise file.error(
            f"number expected, got {text!r}",
            f"line {line}, column {column}",
            hint="a decimal comma needs decimal = ','" if "," in text and point == "." else "",
        ) from None
