"""``wattest verify``: check a kept run or a bundle without trusting whoever kept or made it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wattest.cli.options import Commands, add_json
from wattest.cli.output import ProgressLine, bad, good, marked, print_json
from wattest.errors import NoteError, UsageError, one_line

if TYPE_CHECKING:
    from wattest.evidence.verdict import StepDone, Verdict
    from wattest.operations.kept.audit import AuditEvent, AuditReport

_DESCRIPTION = """\
Recompute what a kept run states: every leaf hash and tile, every checkpoint and its
consistency with the ones before, every record's signature and place in its chain, every
statement, the totals. Names each thing that is wrong. What follows from no record (the true
load, outcomes of faults, console text) is only compared with digests.txt.

Of an evidence bundle (a file that `wattest bundle` wrote) check the eleven steps of
docs/evidence.md, offline, and say which rule broke first.
"""

_EXAMPLES = """\
examples:
  wattest verify OUT
  wattest verify OUT --second-opinion --json
  wattest verify evidence.zip --log-key wattest/demo+0123abcd+AQ...
"""


def add_command(commands: Commands) -> None:
    """Add ``verify`` to the command line."""
    parser = commands.add_parser(
        "verify",
        help="audit a kept run or an evidence bundle: recompute all of it, name what is wrong",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    parser.add_argument(
        "place", type=Path, metavar="DIR|FILE", help="the folder `--out` named, or a bundle"
    )
    parser.add_argument(
        "--second-opinion",
        action="store_true",
        help="a folder: also decode by cbor2 and check signatures by ecdsa (slower)",
    )
    parser.add_argument(
        "--log-key",
        metavar="VKEY",
        help="a bundle: verifier key of the log you expect (`wattest ledger show` prints it)",
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Audit and report.

    Returns:
        0 if everything holds, else 1.
    """
    if args.place.is_file():
        if args.second_opinion:
            raise UsageError("verify: --second-opinion is for the folder of a run, not a bundle")
        if args.log_key is not None:
            _check_log_key(args.log_key)
        return _verify_bundle(args)
    if args.log_key is not None:
        raise UsageError("verify: --log-key is for a bundle; a run names its key in run.json")
    from wattest.operations.kept.audit import audit_run

    report = _follow(audit_run(args.place, second_opinion=args.second_opinion))
    if args.json:
        print_json(as_json(report))
    else:
        _show(report, args.place)
    return 0 if report.passed else 1


def _check_log_key(text: str) -> None:
    from wattest.ledger import CheckpointVerifier

    try:
        CheckpointVerifier.from_text(text)
    except NoteError as error:
        raise UsageError(f"--log-key: {error}") from error


def _verify_bundle(args: argparse.Namespace) -> int:
    """Check a bundle step by step; what is no bundle gets one line."""
    from wattest.evidence.verdict import Outcome, Verdict
    from wattest.operations.kept.bundle import verify_file

    steps: list[StepDone] = []
    verdict = None
    for event in verify_file(args.place, log_key=args.log_key):
        if isinstance(event, Verdict):
            verdict = event
            continue
        steps.append(event)
        unread = event.step == 1 and event.outcome is Outcome.FAILED
        if not (args.json or unread or event.outcome is Outcome.NOT_REACHED):
            paint = good if event.outcome is Outcome.PASSED else bad
            print(f"{event.step:2d} {paint(event.outcome)}  {event.title}: {event.detail}")
    assert verdict is not None, "a verification ends with its verdict"
    if args.json:
        print_json(verdict_json(verdict, steps))
    else:
        _show_verdict(verdict, args.place)
    return 0 if verdict.passed else 1


def verdict_json(verdict: Verdict, steps: Sequence[StepDone]) -> dict[str, Any]:
    """Return a verdict as plain values; docs/evidence.md section 6."""
    return {
        "passed": verdict.passed,
        "step": verdict.step,
        "rule": verdict.rule,
        "where": verdict.where,
        "message": verdict.message,
        "form": verdict.form,
        "digest": verdict.digest.hex() if verdict.digest else None,
        "log": verdict.log,
        "steps": [
            {
                "step": step.step,
                "title": step.title,
                "outcome": step.outcome.value,
                "detail": step.detail,
            }
            for step in steps
        ],
        "notes": list(verdict.notes),
    }


def _show_verdict(verdict: Verdict, path: Path) -> None:
    for note in verdict.notes:
        print(f"{marked('note')}: {one_line(note)}")
    if verdict.passed:
        digest = verdict.digest.hex() if verdict.digest else ""
        print(f"{good('holds')}: {path}: {verdict.form} bundle {digest}")
        return
    where = f"{verdict.where}: " if verdict.where else ""
    what = one_line(f"step {verdict.step}, {verdict.rule}: {where}{verdict.message}")
    print(f"{bad('DOES NOT HOLD')}: {path}: {what}")


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
