"""``wattest dispute``: hold back what depends on doubtful readings, and settle it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wattest.cli.contract_acts import decimal, logged
from wattest.cli.ocmf import instant_ms
from wattest.cli.options import Commands, Parser, add_json
from wattest.cli.output import print_json, print_table
from wattest.cli.party import add_key, read_key

if TYPE_CHECKING:
    from wattest.settlement.contract_account import ContractAccount
    from wattest.settlement.disputes import DisputeCase

_DESCRIPTION = """\
Disputes over a part of a statement. What does not depend on the disputed readings is paid, the
rest is held until both parties say the same, or an arbiter of the terms does. A node that signs
two contents for one number opens a dispute by itself.
"""

_EXAMPLES = """\
examples:
  wattest dispute list OUT
  wattest dispute open OUT --contract wind --line energy --from 2026-06-15T03:00:00Z \\
      --to 2026-06-15T05:00:00Z --reason "the meter was off" --party bakery
  wattest dispute resolve OUT 140 --granted 1.5 --party bakery
"""


def add_command(commands: Commands) -> None:
    """Add ``dispute`` and its verbs to the command line."""
    parser = commands.add_parser(
        "dispute",
        help="disputes over a part of a statement: list, open, resolve",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True, parser_class=Parser)
    listing = verbs.add_parser("list", help="disputes of a ledger, and what they hold back")
    opening = verbs.add_parser("open", help="dispute a part of a line")
    resolving = verbs.add_parser("resolve", help="say what of a dispute is billed after all")
    for verb, function in ((listing, _list), (opening, _open), (resolving, _resolve)):
        verb.add_argument("folder", type=Path, metavar="DIR", help="folder of a kept run")
        add_json(verb)
        verb.set_defaults(run=function)
    for verb in (listing, resolving):
        verb.add_argument("--contract", metavar="NAME", help="only in this contract")
    opening.add_argument("--contract", required=True, metavar="NAME", help="name of the contract")
    for verb in (opening, resolving):
        add_key(verb)
    _add_opening(opening)
    resolving.add_argument(
        "dispute", metavar="DISPUTE", help="its entry, or first digits of its digest"
    )
    resolving.add_argument(
        "--granted",
        type=decimal,
        required=True,
        metavar="N",
        help="how much of what is disputed is billed after all, in units of the line",
    )
    resolving.add_argument("--text", default="settled", metavar="TEXT", help="for people")


def _add_opening(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--line", required=True, metavar="CODE", help="the disputed line")
    for name, text in (("from", "begin"), ("to", "end")):
        parser.add_argument(
            f"--{name}",
            dest=f"{name}_ms",
            type=instant_ms,
            required=True,
            metavar="TIME",
            help=f"{text} of the disputed time, such as 2026-06-15T03:00:00Z",
        )
    parser.add_argument(
        "--quantity",
        type=decimal,
        metavar="N",
        help="disputed units of the line (default: what it metered in that time)",
    )
    parser.add_argument("--reason", required=True, metavar="TEXT", help="for people")


def _list(args: argparse.Namespace) -> int:
    from wattest.operations.accounting.view import accounts_of

    view = accounts_of(args.folder)
    found = [
        _row(contract, case)
        for contract in view.contracts(args.contract)
        for case in contract.disputes.values()
    ]
    if args.json:
        print_json(found)
        return 0
    if not found:
        print("nothing is disputed")
        return 0
    names = ("entry", "contract", "line", "from", "to", "party", "state", "held")
    print_table(names, [[str(row[name]) for name in names] for row in found], left=7)
    return 0


def _row(contract: ContractAccount, case: DisputeCase) -> dict[str, Any]:
    from wattest.settlement import format_minor
    from wattest.settlement.period import format_instant
    from wattest.settlement.postings import held_for

    window = case.claims[0].window
    return {
        "entry": case.index,
        "digest": case.digest.hex(),
        "contract": contract.name,
        "line": ", ".join(dict.fromkeys(claim.code for claim in case.claims)),
        "from": format_instant(window.start_ms),
        "to": format_instant(case.claims[-1].window.end_ms),
        "party": case.party or "the evidence",
        "reason": case.reason,
        "state": case.state.value,
        "held": format_minor(held_for(contract, case), contract.terms_now.scale),
        "currency": contract.terms_now.currency,
        "granted_counts": case.granted,
        "closed_by": case.closed,
        "said": {party: granted for party, (granted, _) in sorted(case.said.items())},
    }


def _open(args: argparse.Namespace) -> int:
    from wattest.operations.accounting.acts import open_dispute

    case = open_dispute(
        args.folder,
        contract=args.contract,
        party=args.party,
        key=read_key(args),
        line=args.line,
        window=(args.from_ms, args.to_ms),
        quantity=args.quantity,
        reason=args.reason,
    )
    return logged(args, case.index, contract=args.contract, dispute=case.digest.hex())


def _resolve(args: argparse.Namespace) -> int:
    from wattest.operations.accounting.acts import resolve

    case = resolve(
        args.folder,
        dispute=args.dispute,
        contract=args.contract,
        party=args.party,
        key=read_key(args),
        granted=args.granted,
        text=args.text,
    )
    return logged(
        args, case.said[args.party][1], dispute=case.digest.hex(), state=case.state.value
    )
