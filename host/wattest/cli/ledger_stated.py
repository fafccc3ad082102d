"""``wattest ledger anchor``, ``estimate`` and ``rotate``: what an operator adds to a ledger."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from wattest.cli.contract_acts import decimal
from wattest.cli.ocmf import instant_ms
from wattest.cli.options import Commands, add_json
from wattest.cli.output import print_json

_ANCHOR = """\
Log that the newest checkpoint was put where nobody here can take it back: printed in a newspaper,
time stamped, sent to somebody. Later anybody can compare the two.
"""

_ESTIMATE = """\
Log what a model says an asset delivered in time that no reading covers, with the digests of the
model and of what it was given. It is billed only under terms whose policy says `estimates =
"logged"`, up to their cap, and flagged there.
"""

_ROTATE = """\
Give the ledger of a live collection a new key, and forget the old one. The old key names the new
one in an entry; whoever trusts the new key can verify everything before it. Tell the new key,
which is printed, to witnesses and parties.
"""


def add_verbs(verbs: Commands) -> None:
    """Add ``anchor``, ``estimate`` and ``rotate`` to the verbs of ``wattest ledger``."""
    anchor = verbs.add_parser(
        "anchor",
        help="log that the newest checkpoint was put elsewhere",
        description=_ANCHOR,
        epilog="examples:\n  wattest ledger anchor OUT --method print --place 'Times, page 9'\n",
    )
    anchor.add_argument("--method", required=True, metavar="WORD", help="such as print, rfc3161")
    anchor.add_argument("--place", required=True, metavar="TEXT", help="where it can be seen")
    anchor.add_argument(
        "--evidence", type=Path, metavar="FILE", help="what the place answered, at most 64 KiB"
    )
    estimate = verbs.add_parser(
        "estimate",
        help="log what a model says about time without readings",
        description=_ESTIMATE,
        epilog="examples:\n  wattest ledger estimate OUT --asset roof --quantity export_energy "
        "--unit kWh \\\n    --amount 12.5 --from 2026-06-15T06:00:00Z --to 2026-06-15T08:00:00Z "
        "\\\n    --model model.py --inputs weather.csv\n",
    )
    estimate.add_argument("--asset", required=True, metavar="NAME", help="an asset under contract")
    estimate.add_argument(
        "--quantity", required=True, metavar="NAME", help="as contracts name it: export_energy"
    )
    estimate.add_argument("--unit", default="kWh", help="of the amount (default: kWh)")
    estimate.add_argument("--amount", type=decimal, required=True, metavar="N", help="how much")
    for name, dest in (("--from", "start_ms"), ("--to", "end_ms")):
        text = "begin of the time" if name == "--from" else "end of the time"
        estimate.add_argument(
            name, dest=dest, type=instant_ms, required=True, metavar="TIME", help=text
        )
    for name, text in (
        ("--model", "file of the model"),
        ("--inputs", "file of what it was given"),
    ):
        estimate.add_argument(name, type=Path, required=True, metavar="FILE", help=text)
    rotate = verbs.add_parser(
        "rotate",
        help="a new key for the ledger of a live collection",
        description=_ROTATE,
        epilog="examples:\n  wattest ledger rotate collected/2026-06-15\n",
    )
    for verb, function in ((anchor, _anchor), (estimate, _estimate), (rotate, _rotate)):
        verb.add_argument("folder", type=Path, metavar="DIR", help="folder of a kept run")
        add_json(verb)
        verb.set_defaults(run=function)


def _anchor(args: argparse.Namespace) -> int:
    from wattest.operations.accounting.stated import anchor

    done = anchor(args.folder, method=args.method, place=args.place, evidence=args.evidence)
    return _tell(args, {"entry": done.index, "size": done.size})


def _estimate(args: argparse.Namespace) -> int:
    from wattest.operations.accounting.stated import estimate

    done = estimate(
        args.folder,
        asset=args.asset,
        quantity=args.quantity,
        window=(args.start_ms, args.end_ms),
        amount=args.amount,
        unit=args.unit,
        model=args.model,
        inputs=args.inputs,
    )
    return _tell(args, {"entry": done.index, "asset": args.asset})


def _rotate(args: argparse.Namespace) -> int:
    from wattest.operations.accounting.stated import rotate

    done, key = rotate(args.folder)
    return _tell(args, {"entry": done.index, "key": key})


def _tell(args: argparse.Namespace, document: dict[str, Any]) -> int:
    if args.json:
        print_json(document)
    else:
        print(", ".join(f"{name} {value}" for name, value in document.items()))
    return 0
