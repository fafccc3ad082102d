"""``wattest accounts``: where the money of every contract stands, and why."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wattest.cli.ocmf import instant_ms
from wattest.cli.options import Commands, add_json
from wattest.cli.output import marked, print_json, print_table
from wattest.errors import one_line

if TYPE_CHECKING:
    from wattest.operations.accounting.view import AccountsView
    from wattest.settlement.contract_account import ContractAccount

_DESCRIPTION = """\
Fold the ledger of a kept run into the accounts of its contracts: balances, where each period
stands, what is disputed, and every transfer with the entry that caused it. Nothing is stored but
the ledger; nothing is written.
"""

_EXAMPLES = """\
examples:
  wattest accounts OUT
  wattest accounts OUT --contract wind --json
"""


def add_command(commands: Commands) -> None:
    """Add ``accounts`` to the command line."""
    parser = commands.add_parser(
        "accounts",
        help="where the money of every contract stands, and what caused each transfer",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of a kept run")
    parser.add_argument("--contract", metavar="NAME", help="only this contract")
    add_now(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def add_now(parser: argparse.ArgumentParser) -> None:
    """Add ``--now``."""
    parser.add_argument(
        "--now",
        dest="now_ms",
        type=instant_ms,
        metavar="TIME",
        help="the time that decides what is due (default: now; of a virtual run, its end)",
    )


def run(args: argparse.Namespace) -> int:
    """Print the accounts."""
    from wattest.operations.accounting.view import accounts_of

    view = accounts_of(args.folder, now_ms=args.now_ms)
    found = [_document(view, contract) for contract in view.contracts(args.contract)]
    problems = [{"entry": index, "what": text} for index, text in view.fold.problems]
    if args.json:
        print_json({"contracts": found, "problems": problems})
        return 0
    for document in found:
        _print(document)
    if not found:
        print("no contract is logged here")
    _print_problems(problems)
    return 0


def _document(view: AccountsView, contract: ContractAccount) -> dict[str, Any]:
    from wattest.settlement.period import format_instant
    from wattest.settlement.postings import held_for

    late = view.fold.evidence.late_final(contract)
    terms = contract.terms_now
    money = _Money(terms.scale)
    return {
        "contract": contract.name,
        "state": view.state(contract).value,
        "seller": terms.seller,
        "buyer": terms.buyer,
        "currency": terms.currency,
        "test": any(account.document["test"] for account in contract.periods.values()),
        "agreed": sorted(contract.agreed.get(contract.newest, ())),
        "balances": [
            {
                "account": account,
                "posted": money(balance.posted),
                "pending_out": money(balance.debits_pending),
                "pending_in": money(balance.credits_pending),
            }
            for (account, _), balance in contract.book.balances().items()
        ],
        "periods": [
            {
                "start": format_instant(status.period.start_ms),
                "end": format_instant(status.period.end_ms),
                "state": status.state.value,
                "generation": status.generation,
                "late": late.get(status.period.start_ms, 0),
                "due": format_instant(status.cutoff_ms),
                "final": format_instant(status.final_ms),
            }
            for status in view.periods(contract)
        ],
        "disputes": [
            {
                "entry": case.index,
                "digest": case.digest.hex(),
                "party": case.party or "the evidence",
                "state": case.state.value,
                "held": money(held_for(contract, case)),
            }
            for case in contract.disputes.values()
        ],
        "transfers": [
            {
                "entry": transfer.cause,
                "cause": view.causes.get(transfer.cause, ""),
                "id": transfer.id.hex(),
                "phase": transfer.phase.value,
                "debit": transfer.debit,
                "credit": transfer.credit,
                "amount": money(transfer.amount),
                "code": transfer.code,
                "pending": transfer.pending_id.hex() if transfer.pending_id else None,
            }
            for transfer in contract.book
        ],
        "problems": [{"entry": index, "what": text} for index, text in contract.problems],
    }


class _Money:
    """Writes minor units with the decimals of a currency."""

    def __init__(self, scale: int) -> None:
        self._scale = scale

    def __call__(self, minor: int) -> str:
        from wattest.settlement import format_minor

        return format_minor(minor, self._scale)


def _print(document: dict[str, Any]) -> None:
    test = marked(" TEST: no claim for money") if document["test"] else ""
    print(
        f"CONTRACT {document['contract']}: {document['state']}, {document['buyer']} pays "
        f"{document['seller']} in {document['currency']}{test}"
    )
    if document["state"] == "draft":
        print(f"agreed so far: {', '.join(document['agreed']) or 'nobody'}; nothing moves yet")
    for title, key, names, left in (
        ("accounts", "balances", ("account", "posted", "pending_out", "pending_in"), 1),
        ("periods", "periods", ("start", "end", "state", "generation", "late"), 3),
        ("disputes", "disputes", ("entry", "party", "state", "held"), 3),
        (
            "transfers",
            "transfers",
            ("entry", "cause", "phase", "debit", "credit", "code", "amount"),
            6,
        ),
    ):
        rows = [[str(row[name]) for name in names] for row in document[key]]
        if rows:
            print(f"\n{title}")
            print_table([name.replace("_", " ") for name in names], rows, left=left)
    _print_problems(document["problems"])
    print()


def _print_problems(problems: list[dict[str, Any]]) -> None:
    for problem in problems:
        print(one_line(f"entry {problem['entry']} moved nothing: {problem['what']}"))
