"""``wattest party``: the keys that parties of contracts act with."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from wattest.cli.options import Commands, Parser, add_home, add_json, seed
from wattest.cli.output import print_json
from wattest.errors import ConfigError

if TYPE_CHECKING:
    from wattest.operations.party_key import PartyKey

_DESCRIPTION = """\
Make and show the keys that parties of contracts act with: P-256, one PEM file each, readable by
its owner only. Whoever has the file can agree, pay, dispute and resolve in that party's name.
"""

_EXAMPLES = """\
examples:
  wattest party new bakery
  wattest party show bakery
"""


def add_command(commands: Commands) -> None:
    """Add ``party`` and its verbs to the command line."""
    parser = commands.add_parser(
        "party",
        help="keys of the parties of contracts: new, show",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True, parser_class=Parser)
    new = verbs.add_parser("new", help="make a key")
    show = verbs.add_parser("show", help="show the public key")
    new.add_argument(
        "--demo",
        type=seed,
        metavar="SEED",
        help="the key this party has in virtual runs of that seed; everybody knows it",
    )
    show.add_argument("--key", type=Path, metavar="FILE", help="its key file")
    for verb, function in ((new, _new), (show, _show)):
        verb.add_argument("party", metavar="NAME", help="name of the party in its contracts")
        add_home(verb)
        add_json(verb)
        verb.set_defaults(run=function)


def add_key(parser: argparse.ArgumentParser) -> None:
    """Add who acts: ``--party``, ``--key`` and ``--home``."""
    parser.add_argument("--party", required=True, metavar="NAME", help="who acts")
    parser.add_argument(
        "--key", type=Path, metavar="FILE", help="its key file (default: the one in your bench)"
    )
    add_home(parser)


def read_key(args: argparse.Namespace) -> PartyKey:
    """Read the key of the party that acts.

    Raises:
        ConfigError: there is none, or the file holds something else.
    """
    from wattest.operations.party_key import PartyKey

    return PartyKey.read(_file(args))


def _file(args: argparse.Namespace) -> Path:
    from wattest.operations.commission.home import Home
    from wattest.operations.party_key import key_file

    chosen: Path | None = getattr(args, "key", None)
    return key_file(Home.find(args.home).keys, args.party) if chosen is None else chosen


def _new(args: argparse.Namespace) -> int:
    """Make a key; one that is there is never written over."""
    from wattest.operations.commission.home import Home
    from wattest.operations.party_key import PartyKey
    from wattest.operations.virtual.deeds import party_key
    from wattest.system import entropy

    path = _file(args)
    if path.exists():
        raise ConfigError(
            "is there already", path=str(path), hint="move it away first if you want another key"
        )
    demo = args.demo is not None
    key = party_key(args.demo, args.party) if demo else PartyKey.from_secret(entropy(32))
    home = Home.find(args.home)
    home.make(home.keys)
    key.write(path)
    _print(args, path, key)
    return 0


def _show(args: argparse.Namespace) -> int:
    """Show the public key."""
    _print(args, _file(args), read_key(args))
    return 0


def _print(args: argparse.Namespace, path: Path, key: PartyKey) -> None:
    document = {
        "party": args.party,
        "kid": key.kid.hex(),
        "public_key": key.public_key.hex(),
        "file": str(path),
    }
    if args.json:
        print_json(document)
        return
    for name, value in document.items():
        print(f"{name.replace('_', ' '):<11}{value}")
