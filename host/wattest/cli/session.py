"""``wattest session``: charging sessions of a kept run, their energy, time and price."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wattest.cli.options import Commands, add_json
from wattest.cli.output import good, marked, print_json, print_table
from wattest.errors import UsageError

if TYPE_CHECKING:
    from wattest.operations.kept.sessions import KeptSession
    from wattest.settlement.session import SessionPrice
    from wattest.wire import Record

_DESCRIPTION = """\
Show the charging sessions of a kept run: what flowed between their two signed records, how long
it took, and what the lines of a contract that covers the asset make of it, taken by itself. What
is owed is in the statements: they know the other sessions of the period.
"""

_EXAMPLES = """\
examples:
  wattest session OUT
  wattest session OUT van-0001
  wattest session OUT T1 --json
"""


def add_command(commands: Commands) -> None:
    """Add ``session`` to the command line."""
    parser = commands.add_parser(
        "session",
        help="charging sessions: energy, time and price between two signed records",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of a kept run")
    parser.add_argument(
        "session", nargs="?", metavar="ID", help="one session: its id, or a number such as T3"
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show all sessions, or those that ``ID`` names."""
    from wattest.operations.kept.sessions import kept_sessions

    found = kept_sessions(args.folder)
    if args.session is not None:
        known = ", ".join(item.session.name or _page(item) for item in found) or "none"
        found = tuple(i for i in found if args.session in {i.session.name, _page(i)})
        if not found:
            raise UsageError(f"session: no session {args.session!r}, there are: {known}")
    if args.json:
        print_json([_as_json(item) for item in found])
    elif args.session is not None:
        for item in found:
            _show(item)
    elif found:
        head = ("session", "number", "node", "energy Wh", "duration s", "end", "price")
        print_table(head, [_row(item) for item in found], left=3)
    else:
        print(f"no session is logged in {args.folder}", file=sys.stderr)
    return 0


def _page(item: KeptSession) -> str:
    return f"T{item.session.number}"


def _energy(milliwh: int | None) -> str:
    return "?" if milliwh is None else f"{milliwh // 1000}.{milliwh % 1000:03d}"


def _seconds(duration_ms: int | None) -> str:
    return "?" if duration_ms is None else f"{duration_ms // 1000}.{duration_ms % 1000:03d}"


def _row(item: KeptSession) -> tuple[str, ...]:
    session = item.session
    prices = [f"{one.statement.total} {one.statement.currency}" for one in item.prices]
    return (
        session.name or "-",
        _page(item),
        item.enrolment.serial,
        _energy(session.import_milliwh),
        _seconds(session.duration_ms),
        session.end.tx or "",
        ", ".join(prices) or "-",
    )


def _show(item: KeptSession) -> None:
    from wattest.exports.ocmf_record import time_text

    session = item.session
    print(f"session {session.name or '-'} ({_page(item)} of {item.enrolment.serial})")
    print(f"asset       {item.enrolment.asset}")
    for what, record, index in (
        ("begin", session.begin, session.begin_index),
        ("end", session.end, session.end_index),
    ):
        time = "no time"
        if record.time_ms is not None:
            time = time_text(record.time_ms, int(record.tsync))
        print(f"{what:<11} {time}, {record.tx}, entry {index}")
    print(f"energy      {_energy(session.import_milliwh)} Wh")
    if session.export_milliwh:
        print(f"given back  {_energy(session.export_milliwh)} Wh")
    print(f"duration    {_seconds(session.duration_ms)} s, in use {session.use_s} s")
    signed = good("valid") if item.ocmf == "valid" else marked(item.ocmf)
    print(f"node's OCMF {signed}")
    for doubt in session.doubts:
        print(f"doubt       {doubt}")
    for price in item.prices:
        _show_price(price)
    for reason in item.unpriced:
        print(f"no price    {reason}")
    print()


def _show_price(price: SessionPrice) -> None:
    statement = price.statement
    test = marked(" TEST") if statement.test else ""
    print(f"price       {statement.total} {statement.currency} by {statement.contract}{test}")
    for line in statement.lines:
        unit = line.quantity.unit if line.quantity else ""
        print(f"  {line.code}: {_amount(price, line.minor)} for {_quantity(line)} {unit}".rstrip())
    if statement.flags:
        print(f"  flags: {', '.join(flag.value for flag in statement.flags)}")
    if price.left_out:
        print(f"  for whole periods, not in it: {', '.join(price.left_out)}")


def _amount(price: SessionPrice, minor: int) -> str:
    from wattest.settlement import format_minor

    return format_minor(minor, price.statement.terms.scale)


def _quantity(line: Any) -> str:
    from fractions import Fraction

    from wattest.settlement.money import decimal_text

    if line.quantity is None:
        return "1"
    exact = Fraction(line.metered + line.estimated, line.quantity.base_per_unit)
    try:
        return decimal_text(exact)
    except ValueError:  # minutes of an hour, which have no end as decimals
        return str(exact)


def _as_json(item: KeptSession) -> dict[str, Any]:
    session = item.session
    return {
        "session": session.name,
        "number": _page(item),
        "serial": item.enrolment.serial,
        "asset": item.enrolment.asset,
        "key": session.end.kid.hex(),
        "begin": _record_json(session.begin, session.begin_index),
        "end": _record_json(session.end, session.end_index),
        "import_milliwh": session.import_milliwh,
        "export_milliwh": session.export_milliwh,
        "duration_ms": session.duration_ms,
        "use_s": session.use_s,
        "ocmf": item.ocmf,
        "demo": item.enrolment.demo,
        "doubts": list(session.doubts),
        "prices": [_price_json(price) for price in item.prices],
        "unpriced": list(item.unpriced),
    }


def _record_json(record: Record, index: int) -> dict[str, Any]:
    return {
        "entry": index,
        "time_ms": record.time_ms,
        "tsync": "UISR"[int(record.tsync)],
        "tx": record.tx,
        "status": record.status,
        "import_milliwh": record.import_milliwatthours,
        "digest": record.digest.hex(),
    }


def _price_json(price: SessionPrice) -> dict[str, Any]:
    statement = price.statement
    return {
        "contract": statement.contract,
        "total": statement.total,
        "currency": statement.currency,
        "test": statement.test,
        "lines": [
            {"code": line.code, "metered": line.metered, "amount": _amount(price, line.minor)}
            for line in statement.lines
        ],
        "flags": [flag.value for flag in statement.flags],
        "left_out": list(price.left_out),
    }
