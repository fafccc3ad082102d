"""``wattest ledger``: look into the ledger of a kept run and prove what is in it."""

from __future__ import annotations

import argparse
import base64
from collections import Counter
from typing import TYPE_CHECKING, Any

from wattest.cli import ledger_cosign, ledger_migrate, ledger_stated, ledger_tiles
from wattest.cli.options import Commands, Parser, add_json, index
from wattest.cli.output import print_json, print_table
from wattest.errors import UsageError

if TYPE_CHECKING:
    from wattest.ledger import ConsistencyProof, InclusionProof, LedgerView

_ENTRIES_DEFAULT = 20

_EXAMPLES = """\
examples:
  wattest ledger show OUT
  wattest ledger entries OUT --from 100 --count 5
  wattest ledger prove OUT 42
  wattest ledger prove OUT --consistency 100 200
  wattest ledger prove OUT 42 --tlog-proof > 42.tlog-proof
"""


def add_command(commands: Commands) -> None:
    """Add ``ledger`` and its verbs to the command line."""
    parser = commands.add_parser(
        "ledger",
        help="look into a run's ledger: show, prove, migrate, cosign and more",
        description="Look into the ledger of a kept run and prove what is in it.",
        epilog=_EXAMPLES,
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True, parser_class=Parser)
    show = verbs.add_parser("show", help="size, root and what the entries are")
    checkpoint = verbs.add_parser("checkpoint", help="the newest checkpoint, as a signed note")
    prove = verbs.add_parser("prove", help="an inclusion or consistency proof")
    entries = verbs.add_parser("entries", help="list entries")
    for verb, function in (
        (show, _show),
        (checkpoint, _checkpoint),
        (prove, _prove),
        (entries, _entries),
    ):
        verb.add_argument("place", metavar="DIR", help="folder of a kept run, ledger file or URL")
        ledger_migrate.add_key(verb)
        add_json(verb)
        verb.set_defaults(run=run, verb=function)
    ledger_cosign.add_verb(verbs)
    ledger_tiles.add_verb(verbs)
    ledger_migrate.add_verb(verbs)
    ledger_stated.add_verbs(verbs)
    prove.add_argument("index", nargs="?", type=index, metavar="INDEX", help="the entry to prove")
    prove.add_argument(
        "--size", type=index, metavar="N", help="in the tree of this size (default: all)"
    )
    prove.add_argument(
        "--consistency",
        nargs=2,
        type=index,
        metavar=("OLD", "NEW"),
        help="prove that the tree of size NEW only appended to that of size OLD",
    )
    prove.add_argument(
        "--tlog-proof",
        action="store_true",
        help="print the entry's proof as one C2SP tlog-proof, with the cosigned checkpoint",
    )
    entries.add_argument(
        "--from", dest="start", type=index, default=0, metavar="N", help="first index"
    )
    entries.add_argument(
        "--count",
        type=index,
        default=_ENTRIES_DEFAULT,
        metavar="N",
        help=f"how many (default: {_ENTRIES_DEFAULT})",
    )


def run(args: argparse.Namespace) -> int:
    """Open the ledger and do the verb."""
    from wattest.operations.kept.ledger_view import open_view

    with open_view(args.place, args.key) as view:
        args.verb(view, args)
    return 0


def _show(view: LedgerView, args: argparse.Namespace) -> None:
    counts = Counter(_kind_name(entry.kind) for entry in view.entries())
    newest = view.checkpoint()
    origin = newest.checkpoint.origin if newest else None
    if args.json:
        document = {"origin": origin, "key": view.verifier.to_text(), "size": view.size}
        rest = {"root": view.root().hex(), "entries": dict(sorted(counts.items()))}
        print_json(document | rest)
        return
    print(f"origin  {origin or 'none: the ledger is empty'}")
    print(f"key     {view.verifier.to_text()}")
    print(f"size    {view.size}")
    print(f"root    {view.root().hex()}")
    for name, count in sorted(counts.items()):
        print(f"  {name:<10} {count}")


def _checkpoint(view: LedgerView, args: argparse.Namespace) -> None:
    newest = view.checkpoint()
    if newest is None:
        raise UsageError("ledger checkpoint: the ledger is empty, nothing is signed yet")
    note = newest.note.decode()
    if args.json:
        signed = newest.checkpoint
        document = {"origin": signed.origin, "size": signed.size, "root": signed.root.hex()}
        print_json({**document, "note": note})
    else:
        print(note, end="")


def _prove(view: LedgerView, args: argparse.Namespace) -> None:
    if (args.index is None) == (args.consistency is None):
        raise UsageError("ledger prove: expected an INDEX or --consistency OLD NEW")
    if args.tlog_proof:
        _tlog_proof(view, args)
        return
    try:
        if args.index is None:
            old, new = args.consistency
            document = _consistency(view.prove_consistency(old, new))
        else:
            document = _inclusion(view.prove_inclusion(args.index, args.size))
    except ValueError as error:
        raise UsageError(f"ledger prove: {error}") from error
    newest = view.checkpoint()
    document["checkpoint"] = newest.note.decode() if newest else None
    if args.json:
        print_json(document)
        return
    for name, value in document.items():
        if isinstance(value, list):
            print(f"{name}:")
            for item in value:
                print(f"  {item}")
        elif name == "checkpoint":
            print(f"checkpoint:\n{value}", end="")
        else:
            print(f"{name}: {value}")


def _tlog_proof(view: LedgerView, args: argparse.Namespace) -> None:
    from wattest.ledger.tlog_proof import tlog_proof

    newest = view.checkpoint()
    if args.index is None or args.size is not None or args.json or newest is None:
        raise UsageError("ledger prove: --tlog-proof goes with the INDEX of an entry alone")
    try:
        proof = view.prove_inclusion(args.index)
    except ValueError as error:
        raise UsageError(f"ledger prove: {error}") from error
    text = tlog_proof(proof, newest, view.cosignatures(newest.checkpoint.size))
    print(text.decode(), end="")


def _inclusion(proof: InclusionProof) -> dict[str, Any]:
    return {
        "proof": "inclusion",
        "index": proof.index,
        "size": proof.size,
        "leaf": _base64(proof.leaf),
        "path": [_base64(node) for node in proof.path],
    }


def _consistency(proof: ConsistencyProof) -> dict[str, Any]:
    return {
        "proof": "consistency",
        "old_size": proof.old_size,
        "new_size": proof.new_size,
        "path": [_base64(node) for node in proof.path],
    }


def _entries(view: LedgerView, args: argparse.Namespace) -> None:
    from wattest.cli.decode_kinds import explain_entry

    stop = min(view.size, args.start + args.count)
    found = list(view.entries(args.start, stop)) if args.start < stop else []
    if args.json:
        entries = [(entry, explain_entry(entry.kind, entry.body)) for entry in found]
        print_json([{"index": entry.index, **explained.as_json()} for entry, explained in entries])
        return
    rows = [
        (str(entry.index), _kind_name(entry.kind), str(len(entry.body)), entry.leaf.hex()[:16])
        for entry in found
    ]
    print_table(("index", "kind", "bytes", "leaf hash"), rows, left=2)


def _kind_name(kind: int) -> str:
    from wattest.ledger import EntryKind

    return EntryKind(kind).name.lower() if kind in set(EntryKind) else f"kind {kind}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
