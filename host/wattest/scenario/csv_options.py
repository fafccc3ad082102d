"""How a CSV load file is to be read: every rule is chosen, none is guessed silently."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from wattest.tables import Table


class Positive(StrEnum):
    """Which way a positive number in the file flows."""

    IMPORT = "import"
    """From the grid into the node's asset."""
    EXPORT = "export"
    """From the node's asset into the grid."""


class Interpolation(StrEnum):
    """What the load is between two rows."""

    HOLD = "hold"
    LINEAR = "linear"


class Fill(StrEnum):
    """What stands in for rows that are missing or hold no number."""

    REFUSE = "refuse"
    HOLD = "hold"
    LINEAR = "linear"
    ZERO = "zero"


class Backward(StrEnum):
    """What happens to a row whose time is not after the row before it."""

    REFUSE = "refuse"
    DROP = "drop"


class End(StrEnum):
    """What the load is after its last row's interval."""

    REFUSE = "refuse"
    ZERO = "zero"
    HOLD = "hold"
    REPEAT = "repeat"


POWER_UNITS_UW = {
    "uW": Fraction(1),
    "mW": Fraction(10**3),
    "W": Fraction(10**6),
    "kW": Fraction(10**9),
    "MW": Fraction(10**12),
}
CURRENT_UNITS_UA = {"mA": Fraction(10**3), "A": Fraction(10**6)}
ENERGY_UNITS_FJ = {
    # Microwatts times nanoseconds are femtojoules.
    "J": Fraction(10**15),
    "Wh": Fraction(3_600 * 10**15),
    "kWh": Fraction(3_600 * 10**18),
}
UNITS = (*POWER_UNITS_UW, *CURRENT_UNITS_UA, *ENERGY_UNITS_FJ)


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvOptions:
    """How to read one CSV file.

    Args:
        column: name of the value column, ``#3`` for the third, or ``""``: the only one that is
            not a time column.
        unit: unit of its numbers; an energy unit means energy per row interval.
        scale: exact factor on the value.
        positive: direction of positive values.
        interpolation: between rows.
        time: names of the time columns, joined by a blank; empty: the first column, if its first
            cell reads as a date-time.
        time_format: ``iso``, ``elapsed`` (seconds), ``unix``, ``unix_ms``, or a strptime pattern
            of digits.
        time_zone: ``UTC`` or an offset such as ``+01:00``, for times that carry none.
        step_ns: spacing of rows without a time column; with one, the spacing that is no gap.
        delimiter: one character; empty: the most frequent of comma, semicolon, tab and bar.
        decimal: ``.`` or ``,``.
        skip_rows: lines before the header.
        header_rows: lines of header; the first names the columns, 0 means they have no names.
        missing: rule for cells without a number.
        gap: rule for spacings above 1.5 steps.
        backward: rule for times that do not increase.
        end: rule after the last row.
        skip_ns: how much of the file's beginning to leave out.
        voltage_column: volts, or ``""``: the board's nominal voltage at all times.
        voltage_scale: exact factor on it.
    """

    column: str = ""
    unit: str = "W"
    scale: Fraction = Fraction(1)
    positive: Positive = Positive.IMPORT
    interpolation: Interpolation = Interpolation.HOLD
    time: tuple[str, ...] = ()
    time_format: str = "iso"
    time_zone: str = "UTC"
    step_ns: int | None = None
    delimiter: str = ""
    decimal: str = "."
    skip_rows: int = 0
    header_rows: int = 1
    missing: Fill = Fill.REFUSE
    gap: Fill = Fill.REFUSE
    backward: Backward = Backward.REFUSE
    end: End = End.REFUSE
    skip_ns: int = 0
    voltage_column: str = ""
    voltage_scale: Fraction = Fraction(1)


def read_csv_options(table: Table) -> CsvOptions:
    """Read the keys of a ``kind = "csv"`` load table, except ``kind`` and ``file``.

    Raises:
        ConfigError: a key is wrong.
    """
    default = CsvOptions()
    step = table.duration_ns("step", minimum_ns=1) if "step" in table else None
    time_format = table.text("time_format", default.time_format)
    return CsvOptions(
        column=table.text("column", ""),
        unit=table.choice("unit", UNITS, default.unit),
        scale=table.decimal("scale", 1),
        positive=Positive(table.choice("positive", [*Positive], Positive.IMPORT)),
        interpolation=Interpolation(
            table.choice("interpolation", [*Interpolation], Interpolation.HOLD)
        ),
        time=table.strings("time", ()),
        time_format=time_format,
        time_zone=table.text(
            "time_zone",
            default.time_zone,
            pattern=r"UTC|[+-](?:0\d|1[0-4]):[0-5]\d",
            expected="UTC or an offset such as +01:00",
        ),
        step_ns=step,
        delimiter=table.text("delimiter", "", pattern=r"[,;\t| ]", expected="one of , ; tab |"),
        decimal=table.choice("decimal", (".", ","), "."),
        skip_rows=table.integer("skip_rows", 0, maximum=10_000),
        header_rows=table.integer("header_rows", 1, maximum=100),
        missing=Fill(table.choice("missing", [*Fill], Fill.REFUSE)),
        gap=Fill(table.choice("gap", [*Fill], Fill.REFUSE)),
        backward=Backward(table.choice("backward", [*Backward], Backward.REFUSE)),
        end=End(table.choice("end", [*End], End.REFUSE)),
        skip_ns=table.duration_ns("skip", 0),
        voltage_column=table.text("voltage_column", ""),
        voltage_scale=table.decimal("voltage_scale", 1, minimum=Fraction(1, 10**6)),
    )
