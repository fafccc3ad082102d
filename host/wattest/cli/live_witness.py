"""What witnesses have to do with a live collection: asked before it begins and after its end."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wattest.errors import ForkFound, WattestError, one_line

if TYPE_CHECKING:
    from wattest.operations.commission.home import Home
    from wattest.witness import WitnessAddress


def add_witness(parser: argparse.ArgumentParser) -> None:
    """Add ``--witness`` to ``wattest tui``."""
    parser.add_argument(
        "--witness",
        action="append",
        default=[],
        metavar="URL#VKEY",
        help="with --live: refuse to go on with a ledger that this witness has seen otherwise, "
        "and have it cosign at the end; may be repeated",
    )


def addresses_of(texts: list[str]) -> list[WitnessAddress]:
    """Read ``--witness``.

    Raises:
        ConfigError: one of them is no address with a key.
    """
    from wattest.witness import WitnessAddress

    return [WitnessAddress.from_text(text) for text in texts]


def ask_before(out: Path, addresses: list[WitnessAddress], home: Home) -> None:
    """Refuse to go on with a ledger that a witness has seen otherwise; say who is away.

    Raises:
        ForkFound: it was cut short, put back or rewritten.
    """
    from wattest.operations.kept.cosign import ask_witnesses
    from wattest.witness import line_to

    lines = [line_to(address) for address in addresses]
    for error in ask_witnesses(out, lines, evidence=home.ledgers / "forks") if lines else ():
        print(f"wattest: {one_line(str(error))}; going on without it", file=sys.stderr)


def cosign_after(out: Path, addresses: list[WitnessAddress], home: Home) -> None:
    """Have the newest checkpoint cosigned; say who did and who did not.

    Raises:
        ForkFound: a witness has seen another history.
    """
    from wattest.operations.kept.cosign import Cosigned, cosign_ledger
    from wattest.witness import line_to

    lines = [line_to(address) for address in addresses]
    forks: list[WattestError] = []
    events = cosign_ledger(out, lines, evidence=home.ledgers / "forks") if lines else ()
    for event in events:
        if isinstance(event, Cosigned):
            print(f"{event.witness} cosigned size {event.size}", file=sys.stderr)
            continue
        print(f"wattest: {one_line(str(event.error))}", file=sys.stderr)
        if isinstance(event.error, ForkFound):
            forks.append(event.error)
    if forks:
        raise forks[0]
