"""``wattest verify``: audit a kept run without trusting whoever kept it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wattest.cli.options import Commands, add_json
from wattest.cli.output import ProgressLine, bad, good, print_json

if TYPE_CHECKING:
    from wattest.operations.kept.audit import AuditEvent, AuditReport

_DESCRIPTION = """\
Recompute what a kept run states: every leaf hash and tile, every checkpoint and its
consistency with the ones before, every record's signature and place in its chain, every
statement, the totals. Names each thing that is wrong. What follows from no record (the true
load, outcomes of faults, console text) is only compared with digests.txt.
"""

_EXAMPLES = """\
examples:
  wattest verify OUT
  wattest verify OUT --second-opinion --json
"""


def add_command(commands: Commands) -> None:
    """Add ``verify`` to the command line."""
    parser = commands.add_parser(
        "verify",
        help="audit a kept run: recompute all of it, name what is wrong",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder `--out` named")
    parser.add_argument(
        "--second-opinion",
        action="store_true",
        help="also decode by cbor2 and check signatures by ecdsa (slower)",
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Audit and report.

    Returns:
        0 if everything holds, else 1.
    """
    from wattest.operations.kept.audit import audit_run

    report = _follow(audit_run(args.folder, second_opinion=args.second_opinion))
    if args.json:
        print_json(as_json(report))
    else:
        _show(report, args.folder)
    return 0 if report.passed else 1


def as_json(report: AuditReport) -> dict[str, Any]:
    """Return the report as plain values."""
    return {
        "passed": report.passed,
        "finished": report.finished,
        "entries": report.entries,
        "records": report.records,
        "checkpoints": report.checkpoints,
        "statements": report.statements,
        "problems": [
            {"where": problem.where, "index": problem.index, "message": problem.message}
            for problem in report.problems
        ],
    }


def _follow(events: Iterator[AuditEvent]) -> AuditReport:
    from wattest.operations.kept.audit import AuditProgressed, AuditReport

    progress = ProgressLine()
    report = None
    try:
        for event in events:
            if isinstance(event, AuditProgressed):
                progress.update(
                    event.done, event.whole, f"{event.done} of {event.whole} {event.what}"
                )
            elif isinstance(event, AuditReport):
                report = event
    finally:
        progress.clear()
    assert report is not None, "an audit ends with its report"
    return report


def _show(report: AuditReport, folder: Path) -> None:
    for problem in report.problems:
        place = problem.where if problem.index is None else f"entry {problem.index}"
        print(f"{bad('wrong')}: {place}: {problem.message}")
    counted = (
        f"{report.entries} entries, {report.records} records, "
        f"{report.checkpoints} checkpoints, {report.statements} statements"
    )
    if report.passed and report.finished:
        print(f"{good('holds')}: {folder}: {counted} recomputed")
    elif report.passed:
        print(f"{good('holds so far')}: {folder}: {counted} recomputed; the run did not end")
    else:
        print(f"{bad('DOES NOT HOLD')}: {folder}: {len(report.problems)} wrong in {counted}")
