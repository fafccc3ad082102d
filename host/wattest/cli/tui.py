"""``wattest tui``: look at a kept run, or at a live one, in the terminal interface."""

from __future__ import annotations

import argparse
from pathlib import Path

from wattest.cli.live_witness import add_witness
from wattest.cli.options import Commands, add_home, add_json, duration_s, step_ns
from wattest.cli.output import has_terminal
from wattest.errors import UsageError
from wattest.units import NS_PER_S

_DESCRIPTION = """\
Open a kept run, or collect from boards that are up, in the terminal interface. Boards are
those that `wattest board up` announced, or those of a file.
"""

_EXAMPLES = """\
examples:
  wattest tui --boards                      (flash, provision, look into a board)
  wattest tui OUT
  wattest tui --live                        (boards of `wattest board up`)
  wattest tui --live --ports plant.json --out PLANT --headless
  wattest tui --live --test-input mine.toml:feeder
  wattest tui OUT --screenshot docs/demo.svg --node turbine-2
"""


_STEP_NS_MIN = NS_PER_S
_STEP_NS_MAX = 20 * NS_PER_S


def add_command(commands: Commands) -> None:
    """Add ``tui`` to the command line."""
    parser = commands.add_parser(
        "tui",
        help="look at a kept run, or collect from boards, in the terminal interface",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="folder of a kept run")
    which.add_argument(
        "--live", action="store_true", help="collect from boards that are up, until Ctrl-C"
    )
    which.add_argument(
        "--boards",
        action="store_true",
        help="the engineer's screen: ports, flashing, provisioning, console, passports",
    )
    parser.add_argument(
        "--ports",
        type=Path,
        metavar="FILE",
        help="with --live: the boards and their ports; with --boards: more emulated ones",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="with --live: keep readings here, or go on there (default: beside the ports file)",
    )
    parser.add_argument(
        "--for",
        dest="duration_s",
        type=duration_s,
        metavar="T",
        help="with --live: stop after this time",
    )
    parser.add_argument(
        "--test-input",
        metavar="SCENARIO.toml[:NODE]",
        help="with --live: let the nodes meter the loads of their namesakes, or of one node, "
        "in place of their sensors; nothing of it is billed",
    )
    parser.add_argument(
        "--test-step",
        type=test_step_ns,
        metavar="T",
        help="with --test-input: time between two levels, 1s to 20s (default: 1s)",
    )
    parser.add_argument(
        "--played",
        action="store_true",
        help="with --live: stimulus boards play the nodes' sensors; their readings say so",
    )
    add_witness(parser)
    add_home(parser)
    parser.add_argument(
        "--headless", action="store_true", help="with --live: lines instead of the interface"
    )
    add_json(parser)
    parser.add_argument(
        "--screenshot",
        type=Path,
        metavar="FILE.svg",
        help="draw the main screen of the kept run into a file; needs no terminal",
    )
    parser.add_argument("--node", default="", metavar="NAME", help="node to select in the picture")
    parser.set_defaults(run=run)


def test_step_ns(text: str) -> int:
    """Read a time between two levels."""
    return step_ns(text, minimum=_STEP_NS_MIN, maximum=_STEP_NS_MAX)


def run(args: argparse.Namespace) -> int:
    """Open the interface, or draw it.

    Raises:
        UsageError: there is no terminal to draw on, or a live picture is asked for.
    """
    if args.screenshot is not None:
        return _draw(args)
    if args.live:
        from wattest.cli.live import collect

        return collect(args)
    if args.boards:
        return _boards(args)
    given = {"--ports": args.ports, "--out": args.out, "--for": args.duration_s}
    given |= {
        "--test-input": args.test_input,
        "--test-step": args.test_step,
        "--played": args.played,
        "--witness": args.witness,
    }
    given |= {"--home": args.home, "--headless": args.headless, "--json": args.json}
    if options := [name for name, value in given.items() if value]:
        raise UsageError(f"tui: {options[0]} goes with --live")
    if not has_terminal():
        raise UsageError("tui: needs a terminal", hint="`--screenshot FILE.svg` does not")
    from wattest.operations.control import RunControl
    from wattest.operations.kept.stored import stored_events
    from wattest.tui import run_tui

    run_tui(lambda: stored_events(args.folder), RunControl(), kept=True)
    return 0


def _boards(args: argparse.Namespace) -> int:
    if not has_terminal():
        raise UsageError("tui: needs a terminal", hint="`wattest boards scan` does not")
    from wattest.operations.commission.home import Home
    from wattest.operations.standing.home import STATE_NAME
    from wattest.tui.boards.app import run_boards

    more = [args.ports / STATE_NAME if args.ports.is_dir() else args.ports] if args.ports else []
    run_boards(Home.find(args.home), more)
    return 0


def _draw(args: argparse.Namespace) -> int:
    if args.live or args.boards:
        raise UsageError("tui: --screenshot needs the folder of a kept run")
    from wattest.operations.kept.stored import stored_events
    from wattest.tui import save_screenshot

    save_screenshot(stored_events(args.folder), args.screenshot, node=args.node, kept=True)
    return 0
