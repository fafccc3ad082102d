"""``wattest statement``: what was settled, on which evidence it rests, for people and programs."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wattest.cli.options import Commands, add_json
from wattest.cli.output import put_out
from wattest.errors import UsageError

if TYPE_CHECKING:
    from wattest.exports.placed import PlacedStatement

_FORMATS = ("text", "html", "json", "csv", "beancount", "pain.001")
_PAYMENT = "pain.001"

_DESCRIPTION = """\
Print the statements of a kept run as its ledger holds them, each with the entry it is logged
under, or write them for other programs. `wattest verify` recomputes them from the readings.
"""

_EXAMPLES = """\
examples:
  wattest statement OUT
  wattest statement OUT --contract roof --json
  wattest statement OUT --format html -o statement.html
  wattest statement OUT --period 2026-03 --format pain.001 --parties parties.toml \\
      --execute-on 2026-04-15 -o payment.xml
"""


def add_command(commands: Commands) -> None:
    """Add ``statement`` to the command line."""
    parser = commands.add_parser(
        "statement",
        help="print what was settled, and on which entries it rests; write it for other programs",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of a kept run")
    parser.add_argument("--contract", metavar="NAME", help="only the statements of this contract")
    parser.add_argument(
        "--period",
        metavar="P",
        help="only periods whose first instant begins so, in the zone of the terms: 2026, "
        "2026-03, 2026-03-15; or as --json writes it",
    )
    parser.add_argument(
        "--format", choices=_FORMATS, metavar="F", help=f"{', '.join(_FORMATS)} (default: text)"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write into this file")
    parser.add_argument(
        "--parties", type=Path, metavar="FILE", help="pain.001: names and accounts (TOML)"
    )
    parser.add_argument(
        "--execute-on",
        type=_date,
        metavar="DATE",
        help="pain.001: the day the bank is asked to pay, such as 2026-04-15",
    )
    parser.add_argument(
        "--test",
        action="store_true",
        help="pain.001: let TEST statements into a file that is marked TEST all over",
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print or write the statements."""
    from wattest.operations.kept.statements import statements_of

    form = _form(args)
    found = _selected(args, statements_of(args.folder))
    if not found and form in {"text", "html"}:
        print(f"no statement is logged in {args.folder}", file=sys.stderr)
        return 0
    put_out(_MAKERS[form](args, found), args.output)
    return 0


def _form(args: argparse.Namespace) -> str:
    """Return the format asked for; what makes sense for payments alone needs it."""
    if args.json and args.format not in (None, "json"):
        raise UsageError(f"statement: --json or --format {args.format} expected, got both")
    form = "json" if args.json else args.format or "text"
    payment = [
        name
        for name, given in (
            ("--parties", args.parties is not None),
            ("--execute-on", args.execute_on is not None),
            ("--test", args.test),
        )
        if given
    ]
    if payment and form != _PAYMENT:
        raise UsageError(f"statement: {payment[0]} is for --format {_PAYMENT}, got {form}")
    if form == _PAYMENT and (args.parties is None or args.execute_on is None):
        raise UsageError(
            f"statement: --format {_PAYMENT} expects --parties FILE and --execute-on DATE"
        )
    return str(form)


def _selected(
    args: argparse.Namespace, statements: Sequence[PlacedStatement]
) -> tuple[PlacedStatement, ...]:
    found = tuple(statements)
    if args.contract is not None:
        names = sorted({str(item.document["contract"]) for item in found})
        found = tuple(item for item in found if item.document["contract"] == args.contract)
        if not found:
            known = ", ".join(names) or "none"
            raise UsageError(f"statement: no contract {args.contract!r}, there are: {known}")
    if args.period is not None:
        begins = [item.begins for item in found]
        found = tuple(item for item in found if item.begins_with(args.period))
        if not found:
            known = ", ".join(dict.fromkeys(begins)) or "none"
            raise UsageError(f"statement: no period {args.period!r}, there are: {known}")
    return found


def _date(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected a day such as 2026-04-15, got {text!r}"
        ) from None


def _text(_: argparse.Namespace, found: Sequence[PlacedStatement]) -> str:
    from wattest.settlement import statement_text

    return "".join(
        f"{statement_text(item.document)}ledger entry {item.index}\n\n" for item in found
    )


def _json(_: argparse.Namespace, found: Sequence[PlacedStatement]) -> str:
    from wattest.cli.statements import placed_json

    plain = [placed_json(item.index, dict(item.document)) for item in found]
    return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"


def _html(args: argparse.Namespace, found: Sequence[PlacedStatement]) -> str:
    from wattest.exports.statement_page import statement_page
    from wattest.operations.accounting.books import with_remarks
    from wattest.operations.kept.statements import with_evidence

    return statement_page(with_remarks(args.folder, with_evidence(args.folder, found)))


def _csv(_: argparse.Namespace, found: Sequence[PlacedStatement]) -> str:
    from wattest.exports.statement_csv import statements_csv

    return statements_csv(found)


def _beancount(args: argparse.Namespace, found: Sequence[PlacedStatement]) -> str:
    from wattest.exports.beancount import beancount_text, statement_bookings
    from wattest.operations.accounting.books import books_of

    if args.period is not None:
        return beancount_text(statement_bookings(found))
    bookings, notes = books_of(args.folder, found)
    return beancount_text(bookings, notes=notes)


def _payments(args: argparse.Namespace, found: Sequence[PlacedStatement]) -> str:
    from wattest.exports.pain001 import payment_file, payments_due
    from wattest.exports.parties import parse_parties
    from wattest.operations.accounting.books import still_due
    from wattest.tables import read_text

    parties = parse_parties(read_text(args.parties), str(args.parties))
    payments = payments_due(found, due=still_due(args.folder), test=args.test)
    for item in payments:
        total = item.placed.document["total"]
        if item.minor < total:
            part, whole = item.placed.money(item.minor), item.placed.money(total)
            text = f"{part} of {whole} is due: the rest is paid or held by a dispute"
            print(f"statement: entry {item.placed.index}: {text}", file=sys.stderr)
    return payment_file(payments, parties, execute_on=args.execute_on)


_MAKERS: dict[str, Callable[[argparse.Namespace, Sequence[PlacedStatement]], str]] = {
    "text": _text,
    "html": _html,
    "json": _json,
    "csv": _csv,
    "beancount": _beancount,
    _PAYMENT: _payments,
}
