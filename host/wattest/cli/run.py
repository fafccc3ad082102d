"""``wattest run``: play any scenario file."""

from __future__ import annotations

import argparse
from pathlib import Path

from wattest.cli.options import Commands, add_run_options

_EXAMPLES = """\
examples:
  wattest run my-bench.toml
  wattest run my-bench.toml --headless --json --seed 7 --out OUT
"""


def add_command(commands: Commands) -> None:
    """Add ``run`` to the command line."""
    parser = commands.add_parser(
        "run",
        help="play a scenario file: nodes, loads, faults, contracts",
        description="Play a scenario file; docs/scenarios.md describes it.",
        epilog=_EXAMPLES,
    )
    parser.add_argument("scenario", type=Path, metavar="SCENARIO.toml", help="what to play")
    add_run_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Play the scenario the caller names."""
    from wattest.cli.playing import play
    from wattest.scenario import load_scenario

    return play(load_scenario(args.scenario), args)
