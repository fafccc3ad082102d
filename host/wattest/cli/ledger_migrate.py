"""``wattest ledger migrate``: a ledger to another place, proved to be the same."""

from __future__ import annotations

import argparse
from contextlib import closing
from typing import TYPE_CHECKING

from wattest.cli.options import Commands, add_json
from wattest.cli.output import ProgressLine, print_json

if TYPE_CHECKING:
    from wattest.operations.kept.migrate import MigrateReport

_DESCRIPTION = """\
Copy a ledger from the folder of a run, a ledger file or a PostgreSQL database to another place.
The copy is kept only when it is the same ledger: the root recomputed from its entries, every
checkpoint and the digest of every table are compared first. The original stays as it is.
"""

_EXAMPLES = """\
examples:
  wattest ledger migrate OUT copy.sqlite
  wattest ledger migrate OUT postgresql://bench@localhost/wattest
  wattest ledger migrate postgresql://bench@localhost/wattest back.sqlite
"""


def add_verb(verbs: Commands) -> None:
    """Add ``migrate`` to the verbs of ``wattest ledger``."""
    parser = verbs.add_parser(
        "migrate",
        help="copy a ledger to another file or into PostgreSQL, proved to be the same",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    parser.add_argument("source", metavar="FROM", help="folder of a kept run, ledger file or URL")
    parser.add_argument("target", metavar="TO", help="folder, file or URL without a ledger")
    add_key(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def add_key(parser: argparse.ArgumentParser) -> None:
    """Let a checkpoint key be given, for ledgers outside of the folder of their run."""
    parser.add_argument(
        "--key",
        metavar="VKEY",
        help="checkpoint key of a file or URL, as run.json names it; a run names its own",
    )


def run(args: argparse.Namespace) -> int:
    """Copy, compare, and say what is there now."""
    from wattest.operations.kept.migrate import MigrateProgress, migrate

    line = ProgressLine()
    report = None
    with closing(migrate(args.source, args.target, args.key)) as events:
        for event in events:
            if isinstance(event, MigrateProgress):
                line.update(event.done, event.whole, f"{event.doing}: {event.rows} rows")
            else:
                report = event
    line.clear()
    assert report is not None, "a migration ends with its report"
    if args.json:
        print_json(as_json(report))
        return 0
    print(f"entries      {report.size}, the same root {report.root.hex()}")
    print(f"checkpoints  {report.checkpoints}, the same notes")
    print(f"signed by    {report.key or 'not checked: no --key was given'}")
    for table, digest in report.digests.items():
        print(f"  {table:<11} {report.rows[table]:>9} rows  sha256 {digest}")
    return 0


def as_json(report: MigrateReport) -> dict[str, object]:
    """Return a report as plain values; docs/commands.md."""
    return {
        "size": report.size,
        "root": report.root.hex(),
        "checkpoints": report.checkpoints,
        "key": report.key,
        "rows": dict(report.rows),
        "digests": dict(report.digests),
    }
