"""``wattest bundle``: one file that proves a statement, a session or a reading to anybody."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from wattest.cli.options import Commands, add_json
from wattest.cli.output import print_json
from wattest.errors import UsageError

if TYPE_CHECKING:
    from wattest.operations.kept.bundle import Made

_DESCRIPTION = """\
Write an evidence bundle: one zip file that proves a statement of a contract, a charging session
or a single reading to somebody who has neither the ledger nor any trust in whoever kept it.
`wattest verify FILE` checks it offline; nothing is written that would not hold.
"""

_EXAMPLES = """\
examples:
  wattest bundle OUT -o evidence.zip
  wattest bundle OUT --contract roof --period 2026-06 -o evidence.zip
  wattest bundle OUT --session RFID-0042 -o session.zip
  wattest bundle OUT --reading demo-0001/0/17 -o reading.zip
"""


def add_command(commands: Commands) -> None:
    """Add ``bundle`` to the command line."""
    parser = commands.add_parser(
        "bundle",
        help="one file that proves a statement, a session or a reading to anybody",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of a kept run")
    parser.add_argument(
        "--contract", metavar="NAME", help="whose statement (default: the only one)"
    )
    parser.add_argument(
        "--period",
        metavar="P",
        help="2026-06, a day or instant inside of it, or begin/end (default: the only one)",
    )
    parser.add_argument("--session", metavar="ID", help="a session, by its id or KID/NUMBER")
    parser.add_argument(
        "--page", action="store_true", help="put the web page into it that checks it: verify.html"
    )
    parser.add_argument("--reading", metavar="KID/CTX/NUMBER", help="one record of a node")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="the file to write"
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make the bundle and say what it is."""
    made = _make(args)
    verdict = made.verdict
    digest = verdict.digest.hex() if verdict.digest else ""
    if args.json:
        print_json(
            {
                "file": str(made.path),
                "bytes": made.size,
                "form": verdict.form,
                "digest": digest,
                "log": verdict.log,
                "notes": list(verdict.notes),
            }
        )
        return 0
    print(f"{made.path}: {made.size} bytes, {made.about}")
    print(f"digest  {digest}")
    print(f"log     {verdict.log}")
    return 0


def _make(args: argparse.Namespace) -> Made:
    from wattest.operations.kept.bundle import bundle_reading, bundle_session, bundle_statement

    statement = args.contract is not None or args.period is not None
    if sum((statement, args.session is not None, args.reading is not None)) > 1:
        raise UsageError("bundle: a statement, --session or --reading expected, not two of them")
    if args.session is not None:
        return bundle_session(args.folder, args.output, args.session, page=args.page)
    if args.reading is not None:
        return bundle_reading(args.folder, args.output, args.reading, page=args.page)
    return bundle_statement(
        args.folder, args.output, contract=args.contract, period=args.period, page=args.page
    )
