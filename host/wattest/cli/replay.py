"""``wattest replay``: meter a load from a CSV file and settle it."""

from __future__ import annotations

import argparse
from pathlib import Path

from wattest.cli.options import Commands, add_run_options, count, duration_s, scale

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
    parser.add_argument("--column", metavar="C", help="power column (default: the only one)")
    parser.add_argument("--unit", default="W", metavar="W", help="mW, W, kW or MW (default: W)")
    parser.add_argument(
        "--scale", type=scale, default="1", metavar="S", help="multiply it by S (default: 1)"
    )
    parser.add_argument(
        "--positive",
        choices=("import", "export"),
        default="import",
        help="which way a positive power flows (default: import, taken from the grid)",
    )
    parser.add_argument(
        "--nodes", type=count, default=1, metavar="N", help="how many boards meter it (default: 1)"
    )
    parser.add_argument(
        "--interval",
        dest="interval_s",
        type=duration_s,
        default=60,
        metavar="T",
        help="between signed readings (default: 60s)",
    )
    add_run_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make a scenario of the file and play it."""
    from wattest.cli.playing import play
    from wattest.operations.replay import ReplayOptions, replay_scenario

    options = ReplayOptions(
        path=args.load,
        column=args.column,
        unit=args.unit,
        scale=args.scale,
        positive=args.positive,
        nodes=args.nodes,
        interval_s=args.interval_s,
        duration_s=args.duration_s,
    )
    return play(replay_scenario(options), args)
