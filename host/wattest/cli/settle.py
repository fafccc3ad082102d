"""``wattest settle``: draw the statements that are due on a kept ledger."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from wattest.cli.accounts import add_now
from wattest.cli.options import Commands, add_json
from wattest.cli.output import print_json

_DESCRIPTION = """\
Draw the statements that are due on a kept ledger and log what is new: the first statement of a
period that is cut off, another generation where records came late, the final one. Run again, it
logs nothing. It signs with the key of the ledger, `ledger.key` in the folder of a live collection.
"""

_EXAMPLES = """\
examples:
  wattest settle OUT
  wattest settle OUT --contract wind --now 2026-08-01T00:00:00Z
"""


def add_command(commands: Commands) -> None:
    """Add ``settle`` to the command line."""
    parser = commands.add_parser(
        "settle",
        help="draw the statements that are due on a kept ledger, log what is new",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of a kept run")
    parser.add_argument("--contract", metavar="NAME", help="only this contract")
    add_now(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Settle what is due."""
    from wattest.operations.accounting.due import settle_kept
    from wattest.settlement.period import format_instant

    drawn = settle_kept(args.folder, contract=args.contract, now_ms=args.now_ms)
    found: list[dict[str, Any]] = [
        {
            "contract": item.contract,
            "period": [
                format_instant(item.statement.period.start_ms),
                format_instant(item.statement.period.end_ms),
            ],
            "generation": item.statement.generation,
            "state": item.statement.state.value,
            "total": item.statement.total,
            "currency": item.statement.currency,
            "entry": item.index,
            "new": item.new,
        }
        for item in drawn
    ]
    if args.json:
        print_json(found)
        return 0
    for item in found:
        if item["new"]:
            print(
                f"{item['contract']} from {item['period'][0]}: {item['total']} "
                f"{item['currency']}, generation {item['generation']}, {item['state']}, "
                f"entry {item['entry']}"
            )
    if not any(item["new"] for item in found):
        print("nothing new is due")
    return 0
