"""``wattest ledger export-tiles``: a ledger as static files, for any file server."""

from __future__ import annotations

import argparse
from pathlib import Path

from wattest.cli.ledger_migrate import add_key
from wattest.cli.options import Commands, add_json
from wattest.cli.output import print_json

_DESCRIPTION = """\
Write a ledger as static files in the tlog-tiles layout: the newest checkpoint, tiles of
hashes, bundles of entries. Put on any file server they are a public log that others can check and
prove from. Run it again after the ledger has grown: only new files are written.
"""

_EXAMPLES = """\
examples:
  wattest ledger export-tiles OUT -o tiles
  python -m http.server --directory tiles
"""


def add_verb(verbs: Commands) -> None:
    """Add ``export-tiles`` to the verbs of ``wattest ledger``."""
    parser = verbs.add_parser(
        "export-tiles",
        help="the ledger as static files that any file server can serve",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    parser.add_argument("place", metavar="DIR", help="folder of a kept run, ledger file or URL")
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="new, empty, or an earlier export of this ledger",
    )
    add_key(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the files and say what they are."""
    from wattest.operations.kept.export_tiles import export_tiles

    done = export_tiles(args.place, args.out, key=args.key)
    if args.json:
        print_json(
            {"origin": done.origin, "size": done.size, "files": done.files}
            | {"written": done.written, "cosignatures": done.cosignatures, "out": str(args.out)}
        )
    else:
        print(
            f"{done.origin}: {done.size} entries, {done.cosignatures} cosignatures, "
            f"{done.files} files ({done.written} new) in {args.out}"
        )
    return 0
