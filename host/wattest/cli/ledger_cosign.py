"""``wattest ledger cosign``: have witnesses cosign the newest checkpoint of a ledger."""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from typing import Any

from wattest.cli.ledger_migrate import add_key
from wattest.cli.options import Commands, add_json
from wattest.cli.output import print_json
from wattest.errors import ForkFound, WattestError, one_line

_DESCRIPTION = """\
Have witnesses cosign the newest checkpoint of a ledger: each says that it extends all it saw
before. The cosignatures are kept with the ledger. A checkpoint that does not extend what a
witness saw is a fork: it is refused, told with both heads, and both signed notes are kept.
"""

_EXAMPLES = """\
examples:
  wattest ledger cosign OUT --witness 'http://laptop:7380#VKEY'
"""


def add_verb(verbs: Commands) -> None:
    """Add ``cosign`` to the verbs of ``wattest ledger``."""
    parser = verbs.add_parser(
        "cosign",
        help="have witnesses cosign the newest checkpoint",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    parser.add_argument("place", metavar="DIR", help="folder of a kept run, ledger file or URL")
    parser.add_argument(
        "--witness",
        action="append",
        required=True,
        metavar="URL#VKEY",
        help="a witness and its key, as `wattest witness key` prints it; may be repeated",
    )
    add_key(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask every witness.

    Returns:
        0 if all cosigned; the code of a fork, else of the first failure, if not.
    """
    from wattest.operations.commission.home import Home
    from wattest.operations.kept.cosign import Cosigned, cosign_ledger
    from wattest.witness import WitnessAddress, line_to

    addresses = [WitnessAddress.from_text(text) for text in args.witness]
    evidence = Home.find().ledgers / "forks"
    failures: list[WattestError] = []
    told: list[dict[str, Any]] = []
    lines = [line_to(address) for address in addresses]
    for event in cosign_ledger(args.place, lines, evidence=evidence, key=args.key):
        if isinstance(event, Cosigned):
            told.append(
                {"witness": event.witness, "size": event.size, "root": event.root.hex()}
                | {"time_s": event.time_s, "line": event.line}
            )
            if not args.json:
                when = dt.datetime.fromtimestamp(event.time_s, dt.UTC)
                print(f"{event.witness} cosigned size {event.size} at {when:%Y-%m-%d %H:%M:%SZ}")
            continue
        failures.append(event.error)
        kept = str(event.evidence) if event.evidence else None
        told.append({"witness": event.witness, "error": str(event.error), "evidence": kept})
        tail = f"; evidence kept in {kept}" if kept else ""
        print(f"wattest: {one_line(event.error.diagnostics() + tail)}", file=sys.stderr)
    if args.json:
        print_json(told)
    forks = [error for error in failures if isinstance(error, ForkFound)]
    return (*forks, *failures)[0].exit_code if failures else 0
