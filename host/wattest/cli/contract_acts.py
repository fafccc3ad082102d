"""``wattest contract agree`` and ``pay``: what parties of a contract sign on a kept ledger."""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path
from typing import Any

from wattest.cli.options import add_json
from wattest.cli.output import print_json
from wattest.cli.party import add_key, read_key
from wattest.units import parse_decimal

_PAYMENTS = ("fund", "payout", "deposit", "refund", "damage")


def add_verbs(verbs: Any) -> None:
    """Add ``agree`` and ``pay`` to the verbs of ``contract``."""
    agree = verbs.add_parser("agree", help="sign that a party agrees to the terms, and log it")
    pay = verbs.add_parser("pay", help="sign that money moved, and log it")
    for verb, function in ((agree, _agree), (pay, _pay)):
        verb.add_argument("folder", type=Path, metavar="DIR", help="folder of a kept run")
        verb.add_argument("--contract", required=True, metavar="NAME", help="name of the contract")
        add_key(verb)
        add_json(verb)
        verb.set_defaults(run=function)
    pay.add_argument(
        "--what",
        choices=_PAYMENTS,
        required=True,
        help="fund: into escrow; payout: to seller or broker; deposit: of the buyer; refund: to "
        "the buyer; damage: the seller states one",
    )
    pay.add_argument(
        "--amount",
        type=decimal,
        required=True,
        metavar="N",
        help="in the contract's currency, such as 100.00",
    )
    pay.add_argument(
        "--reference",
        required=True,
        metavar="TEXT",
        help="names the payment: the same reference counts once",
    )


def decimal(text: str) -> Fraction:
    """Read a decimal number that is not negative, exactly.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    try:
        value = parse_decimal(text)
    except ValueError:
        value = Fraction(-1)
    if value < 0:
        raise argparse.ArgumentTypeError(f"expected a number such as 6.4, got {text!r}")
    return value


def logged(args: argparse.Namespace, index: int | None, **more: Any) -> int:
    """Say under which entry an act was logged; None: it was before."""
    document = {"entry": index, "party": args.party, **more}
    if args.json:
        print_json(document)
    elif index is None:
        print("nothing new: it is logged already")
    else:
        print(", ".join(f"{name} {value}" for name, value in document.items()))
    return 0


def _agree(args: argparse.Namespace) -> int:
    from wattest.operations.accounting.acts import agree

    key = read_key(args)
    index = agree(args.folder, contract=args.contract, party=args.party, key=key)
    return logged(args, index, contract=args.contract, kid=key.kid.hex())


def _pay(args: argparse.Namespace) -> int:
    from wattest.operations.accounting.acts import pay
    from wattest.wire import PaymentKind

    index = pay(
        args.folder,
        contract=args.contract,
        party=args.party,
        key=read_key(args),
        what=PaymentKind[args.what.upper()],
        amount=args.amount,
        reference=args.reference,
    )
    return logged(args, index, contract=args.contract, what=args.what)
