"""``wattest tui``: look at a kept run, or at a live one, in the terminal interface."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from wattest.cli.options import Commands
from wattest.errors import UsageError

_EXAMPLES = """\
examples:
  wattest tui OUT
  wattest tui --live
  wattest tui OUT --screenshot docs/demo.svg --node turbine-2
"""


def add_command(commands: Commands) -> None:
    """Add ``tui`` to the command line."""
    parser = commands.add_parser(
        "tui",
        help="look at a kept run in the terminal interface",
        description="Open a kept run, or the demo as it happens, in the terminal interface.",
        epilog=_EXAMPLES,
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="folder of a kept run")
    which.add_argument("--live", action="store_true", help="the demo, as it happens")
    parser.add_argument(
        "--screenshot",
        type=Path,
        metavar="FILE.svg",
        help="draw the main screen of the kept run into a file; needs no terminal",
    )
    parser.add_argument("--node", default="", metavar="NAME", help="node to select in the picture")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Open the interface, or draw it.

    Raises:
        UsageError: there is no terminal to draw on, or a live picture is asked for.
    """
    if args.screenshot is not None:
        return _draw(args)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("tui: needs a terminal", hint="`wattest demo --headless` does not")
    if args.live:
        from wattest.cli.main import main

        return main(["demo"])
    from wattest.operations.control import RunControl
    from wattest.operations.stored import stored_events
    from wattest.tui import run_tui

    run_tui(lambda: stored_events(args.folder), RunControl(), kept=True)
    return 0


def _draw(args: argparse.Namespace) -> int:
    if args.live:
        raise UsageError("tui: --screenshot needs the folder of a kept run")
    from wattest.operations.stored import stored_events
    from wattest.tui import save_screenshot

    save_screenshot(stored_events(args.folder), args.screenshot, node=args.node)
    return 0
