"""``wattest demo``: four turbines, a solar roof and a charging session, from watt to statement."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from wattest.cli.options import Commands, add_run_options

if TYPE_CHECKING:
    from wattest.scenario import Scenario

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
  wattest demo --for 8h10min --screenshot demo.svg --node roof
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
    parser.add_argument(
        "--screenshot",
        type=Path,
        metavar="FILE.svg",
        help="run headless, draw the screen as it stands at the end into a file",
    )
    parser.add_argument("--node", default="", metavar="NAME", help="node to select in the picture")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Play the demo scenario."""
    from wattest.cli.playing import play
    from wattest.data import data_root
    from wattest.scenario import load_scenario

    scenario = load_scenario(data_root() / "bench" / "scenarios" / "wind_farm.toml")
    if args.screenshot is not None:
        return _draw(scenario, args)
    return play(scenario, args)


def _draw(scenario: Scenario, args: argparse.Namespace) -> int:
    from wattest.cli.playing import run_options
    from wattest.operations.virtual.run import run as run_scenario
    from wattest.tui import save_screenshot

    events = run_scenario(scenario, run_options(args, headless=True))
    save_screenshot(events, args.screenshot, node=args.node)
    return 0
