"""``wattest replay``: meter a load from a CSV file and settle it."""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from wattest.cli.options import (
    Commands,
    add_run_options,
    count,
    duration_s,
    index,
    interval_s,
    scale,
)
from wattest.errors import UsageError
from wattest.units import MS_PER_S, NS_PER_S

if TYPE_CHECKING:
    from wattest.scenario import CsvOptions

_DESCRIPTION = """\
Replay a power series from a CSV file into emulated boards. The contract is pay per use at
the price that the summary states. The error of the meter is measured against the exact
energy of the file.
"""

_EXAMPLES = """\
examples:
  wattest replay load.csv
  wattest replay roof.csv --column ac_power --unit kW --positive export --for 24h
  wattest replay load.csv --nodes 3 --interval 15min --headless --json --out OUT
"""


def add_command(commands: Commands) -> None:
    """Add ``replay`` to the command line."""
    parser = commands.add_parser(
        "replay",
        help="meter the load of a CSV file, keep the evidence, settle it",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    parser.add_argument("load", type=Path, metavar="LOAD.csv", help="a time column and a power")
    parser.add_argument(
        "--nodes", type=count, default=1, metavar="N", help="how many boards meter it (default: 1)"
    )
    parser.add_argument(
        "--interval",
        dest="interval_s",
        type=interval_s,
        metavar="T",
        help="between signed readings (default: 60s)",
    )
    add_run_options(parser)
    _add_values(parser.add_argument_group("the numbers in the file"))
    _add_rows(parser.add_argument_group("the rows of the file"))
    parser.set_defaults(run=run)


def _add_values(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--column", default="", metavar="C", help="power column (default: the only one)")
    add("--unit", default="W", metavar="W", help="W, kW, A, kWh, ... (default: W)")
    add("--scale", type=scale, default=Fraction(1), metavar="S", help="exact factor (default: 1)")
    add(
        "--positive",
        choices=("import", "export"),
        default="import",
        help="which way a positive power flows (default: import, taken from the grid)",
    )
    add("--voltage-column", default="", metavar="C", help="volts (default: the board's nominal)")
    add(
        "--decimal",
        choices=(".", ","),
        default=".",
        metavar="MARK",
        help="decimal mark, . or , (default: .)",
    )
    add(
        "--interpolation",
        choices=("hold", "linear"),
        default="hold",
        help="between rows (default: hold)",
    )


def _add_rows(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--time",
        action="append",
        default=[],
        metavar="C",
        help="time column; again for a second one (default: the first)",
    )
    add(
        "--time-format",
        default="iso",
        metavar="F",
        help="iso, elapsed (seconds), unix, unix_ms, or a strptime pattern (default: iso)",
    )
    add(
        "--time-zone",
        default="UTC",
        metavar="Z",
        help="UTC or +01:00, for times without one (default: UTC)",
    )
    add("--step", type=duration_s, metavar="T", help="distance of rows that have no time")
    add("--delimiter", default="", metavar="D", help="one of , ; tab | (default: found)")
    add("--skip-rows", type=index, default=0, metavar="N", help="lines before the header")
    add("--skip", type=duration_s, default=0, metavar="T", help="leave out the beginning")
    fills = ("refuse", "hold", "linear", "zero")
    refused = "(default: refuse)"
    add("--missing", choices=fills, default="refuse", help=f"cells without a number {refused}")
    add("--gap", choices=fills, default="refuse", help=f"rows that are missing {refused}")
    add(
        "--backward",
        choices=("refuse", "drop"),
        default="refuse",
        help=f"time that runs back {refused}",
    )
    add(
        "--end",
        choices=("refuse", "zero", "hold", "repeat"),
        default="refuse",
        help=f"beyond the last row {refused}",
    )


def run(args: argparse.Namespace) -> int:
    """Make a scenario of the file and play it."""
    from wattest.cli.playing import play
    from wattest.scenario import CsvSpec, replay_scenario

    scenario = replay_scenario(
        CsvSpec(path=args.load, options=csv_options(args)),
        nodes=args.nodes,
        interval_ms=None if args.interval_s is None else args.interval_s * MS_PER_S,
        duration_ns=None if args.duration_s is None else args.duration_s * NS_PER_S,
        seed=args.seed,
    )
    return play(scenario, args)


def csv_options(args: argparse.Namespace) -> CsvOptions:
    """Return the reading rules that the arguments state.

    Raises:
        UsageError: a unit or a delimiter that there is none of.
    """
    from wattest.scenario import Backward, CsvOptions, End, Fill, Interpolation, Positive
    from wattest.scenario.csv_options import UNITS

    if args.unit not in UNITS:
        raise UsageError(f"replay: --unit {args.unit}: expected one of {', '.join(UNITS)}")
    delimiter = "\t" if args.delimiter == "tab" else args.delimiter
    if delimiter not in {"", ",", ";", "\t", "|"}:
        raise UsageError(f"replay: --delimiter {args.delimiter}: expected one of , ; tab |")
    return CsvOptions(
        column=args.column,
        unit=args.unit,
        scale=args.scale,
        positive=Positive(args.positive),
        interpolation=Interpolation(args.interpolation),
        time=tuple(args.time),
        time_format=args.time_format,
        time_zone=args.time_zone,
        step_ns=None if args.step is None else args.step * NS_PER_S,
        delimiter=delimiter,
        decimal=args.decimal,
        skip_rows=args.skip_rows,
        missing=Fill(args.missing),
        gap=Fill(args.gap),
        backward=Backward(args.backward),
        end=End(args.end),
        skip_ns=args.skip * NS_PER_S,
        voltage_column=args.voltage_column,
    )
