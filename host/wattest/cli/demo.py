"""``wattest demo``: four turbines, a solar roof and a charging session, from watt to statement."""

from __future__ import annotations

import argparse

from wattest.cli.options import Commands, add_run_options

_DESCRIPTION = """\
Replay the wind farm: four turbines, a solar roof and a charging session drive six emulated
boards that run the real firmware. Every reading is signed, verified, mirrored, logged and
settled while you watch; the keys on the screen let you attack it.
"""

_EXAMPLES = """\
examples:
  wattest demo
  wattest demo --headless --for 24h --speed max
  wattest demo --headless --json --for 1h --out OUT
"""


def add_command(commands: Commands) -> None:
    """Add ``demo`` to the command line."""
    parser = commands.add_parser(
        "demo",
        help="the wind-farm story on emulated boards, live in this terminal",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    add_run_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Play the demo scenario."""
    from wattest.cli.playing import play
    from wattest.data import data_root
    from wattest.scenario import load_scenario

    return play(load_scenario(data_root() / "bench" / "scenarios" / "wind_farm.toml"), args)
