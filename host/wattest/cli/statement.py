"""``wattest statement``: what was settled, and on which evidence it rests."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from wattest.cli.options import Commands, add_json
from wattest.cli.output import print_json
from wattest.errors import UsageError

_DESCRIPTION = """\
Print the statements of a kept run as its ledger holds them, each with the entry it is logged
under. `wattest verify` recomputes them from the readings.
"""

_EXAMPLES = """\
examples:
  wattest statement OUT
  wattest statement OUT --contract roof --json
"""


def add_command(commands: Commands) -> None:
    """Add ``statement`` to the command line."""
    parser = commands.add_parser(
        "statement",
        help="print what was settled, and on which entries it rests",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of a kept run")
    parser.add_argument("--contract", metavar="NAME", help="only the statements of this contract")
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the statements."""
    from wattest.cli.statements import placed_json
    from wattest.operations.kept.statements import statements_of
    from wattest.settlement import statement_text

    found = statements_of(args.folder)
    if args.contract is not None:
        names = sorted({item.document["contract"] for item in found})
        found = tuple(i for i in found if i.document["contract"] == args.contract)
        if not found:
            known = ", ".join(names) or "none"
            raise UsageError(f"statement: no contract {args.contract!r}, there are: {known}")
    if args.json:
        print_json([placed_json(item.index, item.document) for item in found])
        return 0
    for item in found:
        print(statement_text(item.document), end="")
        print(f"ledger entry {item.index}\n")
    if not found:
        print(f"no statement is logged in {args.folder}", file=sys.stderr)
    return 0
