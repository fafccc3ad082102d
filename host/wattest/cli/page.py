"""``wattest page``: the web page that checks evidence bundles."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from wattest.cli.options import Commands

_DESCRIPTION = """\
Write the web page that checks evidence bundles: one HTML file without any reference to another
one, to be opened in a browser from the disk. Whoever gets a bundle opens it there; nothing leaves
their device. It is a second verifier beside `wattest verify`, with no code in common.
"""

_EXAMPLES = """\
examples:
  wattest page
  wattest page -o site/verify.html
"""


def add_command(commands: Commands) -> None:
    """Add ``page`` to the command line."""
    parser = commands.add_parser(
        "page",
        help="write the web page that checks evidence bundles",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("verify.html"),
        metavar="FILE",
        help="where to (verify.html); replaced if it is there",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the page.

    Returns:
        0.

    Raises:
        StoreError: the file cannot be written.
    """
    from wattest.cli.output import put_out
    from wattest.evidence.page_build import build_page

    put_out(build_page(), args.output)
    print(f"{args.output}: open it in a browser", file=sys.stderr)
    return 0
