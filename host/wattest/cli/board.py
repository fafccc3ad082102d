"""``wattest board``: emulated boards that other tools can attach to."""

from __future__ import annotations

import argparse
from contextlib import closing

from wattest.cli.options import Commands, Parser, count, seed
from wattest.cli.output import ProgressLine

_DESCRIPTION = """\
Start emulated boards in real time, each with the firmware on its flash and its console on a
pseudo-terminal, and leave them up until Ctrl-C. mpremote, a terminal program or `wattest`
itself can attach, as to a real board.
"""

_EXAMPLES = """\
examples:
  wattest board up
  wattest board up --count 3 --board esp32-c3-devkitm
  mpremote connect /dev/pts/N     (with the address that `board up` prints)
"""


def add_command(commands: Commands) -> None:
    """Add ``board up`` to the command line."""
    parser = commands.add_parser(
        "board",
        help="start emulated boards for other tools to attach to",
        description="Emulated boards that other tools can attach to.",
        epilog=_EXAMPLES,
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True, parser_class=Parser)
    up = verbs.add_parser(
        "up", help="start boards until Ctrl-C", description=_DESCRIPTION, epilog=_EXAMPLES
    )
    up.add_argument("--count", type=count, default=1, metavar="N", help="how many (default: 1)")
    up.add_argument(
        "--link",
        choices=("pty", "memory"),
        default="pty",
        help="console on a pseudo-terminal, or printed here (default: pty)",
    )
    up.add_argument(
        "--board",
        default="emulated-esp32",
        metavar="NAME",
        help="board file (default: emulated-esp32)",
    )
    up.add_argument("--seed", type=seed, metavar="N", help="seed of keys and chip errors")
    up.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Start the boards and stay until interrupted."""
    from wattest.operations.board_up import BoardUp, boards_up
    from wattest.operations.events import ConsolePrinted

    progress = ProgressLine()
    running = boards_up(board=args.board, count=args.count, link=args.link, seed=args.seed)
    with closing(running) as events:
        for event in events:
            match event:
                case BoardUp():
                    print(f"{event.name}  {event.serial}  {event.address}", flush=True)
                case ConsolePrinted():
                    for line in event.text.splitlines():
                        progress.say(f"{event.node}: {line}")
    return 0
