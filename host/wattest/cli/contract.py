"""``wattest contract``: read supply contracts: what they say, whether they hold together."""

from __future__ import annotations

import argparse
import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from wattest.cli import contract_acts
from wattest.cli.options import Commands, Parser, add_json
from wattest.cli.output import print_json, print_table, put_out
from wattest.errors import ConfigError, UsageError, one_line
from wattest.units import parse_decimal

if TYPE_CHECKING:
    from wattest.settlement import Terms

_PRICE_MAX = 10**9

_EXAMPLES = """\
examples:
  wattest contract list
  wattest contract check wind_pay_per_use.toml
  wattest contract explain wind_pay_per_use
  wattest contract explain my.toml --compare 0.35 -o my.html
"""


def add_command(commands: Commands) -> None:
    """Add ``contract`` and its verbs to the command line."""
    parser = commands.add_parser(
        "contract",
        help="supply contracts: what they say, whether they hold together",
        description="Read supply contracts: what they say, whether they hold together.",
        epilog=_EXAMPLES,
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True, parser_class=Parser)
    check = verbs.add_parser("check", help="read contract files and name what is wrong with them")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a contract (TOML)")
    check.set_defaults(run=_check)
    listing = verbs.add_parser("list", help="the samples that come with wattest")
    listing.set_defaults(run=_list)
    explain = verbs.add_parser("explain", help="say in plain language what a contract says")
    explain.add_argument("file", type=Path, metavar="FILE", help="a contract (TOML), or a sample")
    explain.add_argument(
        "-o", "--output", type=Path, metavar="PAGE.html", help="write a page instead of text"
    )
    explain.add_argument(
        "--text", action="store_true", help="as text, also into the file of --output"
    )
    explain.add_argument(
        "--compare",
        type=_price,
        metavar="PRICE",
        help="what a unit of the first quantity costs the buyer elsewhere: shows where the "
        "contract is cheaper",
    )
    explain.set_defaults(run=_explain)
    for verb in (check, listing, explain):
        add_json(verb)
    contract_acts.add_verbs(verbs)


def contract_path(name: Path) -> Path:
    """Return the file a person means: a path, or the name of a bundled sample."""
    from wattest.data import data_root

    if name.exists() or name.parent != Path():
        return name
    sample = data_root() / "bench" / "contracts" / f"{name.name.removesuffix('.toml')}.toml"
    return sample if sample.is_file() else name


def read_contract(name: Path) -> Terms:
    """Read a contract file or a bundled sample.

    Raises:
        ConfigError: it cannot be read, or breaks a rule: path, key, expected, got.
    """
    from wattest.settlement import parse_terms
    from wattest.tables import read_text

    path = contract_path(name)
    return parse_terms(read_text(path), str(path))


def _check(args: argparse.Namespace) -> int:
    """Read every file; a fault in one keeps none of the others from being read."""
    from wattest.settlement import terms_hash

    rows: list[dict[str, str]] = []
    for name in args.files:
        try:
            terms = read_contract(name)
        except ConfigError as error:
            rows.append({"file": str(name), "error": one_line(error.diagnostics())})
        else:
            digest = terms_hash(terms).hex()
            rows.append({"file": str(name), "contract": terms.contract, "terms": digest})
    if args.json:
        print_json(rows)
    for row in () if args.json else rows:
        if "error" in row:
            print(f"wattest: {row['error']}", file=sys.stderr)
        else:
            print(f"{row['file']}: {row['contract']}, terms {row['terms']}")
    return ConfigError.exit_code if any("error" in row for row in rows) else 0


def _list(args: argparse.Namespace) -> int:
    """Print the bundled samples."""
    from wattest.data import data_root
    from wattest.settlement import terms_to_map

    folder = data_root() / "bench" / "contracts"
    rows = []
    for path in sorted(folder.glob("*.toml")):
        terms = read_contract(path)
        templates = dict.fromkeys(line["template"] for line in terms_to_map(terms)["line"])
        rows.append(
            {
                "name": path.stem,
                "title": terms.title,
                "templates": ", ".join(templates),
                "file": str(path),
            }
        )
    if args.json:
        print_json(rows)
        return 0
    print_table(
        ("NAME", "TEMPLATES", "TITLE"),
        [(row["name"], row["templates"], row["title"]) for row in rows],
        left=3,
    )
    return 0


def _price(text: str) -> Fraction:
    try:
        value = parse_decimal(text)
    except ValueError:
        value = Fraction(-1)
    if not 0 <= value <= _PRICE_MAX:
        raise argparse.ArgumentTypeError(f"expected a price such as 0.35, got {text!r}")
    return value


def _explain(args: argparse.Namespace) -> int:
    """Explain a contract as text, as a page or as plain values."""
    from wattest.cli.contract_chart import draw_chart
    from wattest.exports.explain import explain, explanation_json
    from wattest.exports.explain_page import explanation_page, explanation_text

    if args.json and (args.text or args.output is not None):
        raise UsageError("contract explain: --json alone expected, got --text or --output too")
    explanation = explain(read_contract(args.file), elsewhere=args.compare)
    if args.json:
        print_json(explanation_json(explanation))
    elif args.text or args.output is None:
        put_out(explanation_text(explanation, draw=draw_chart), args.output)
    else:
        put_out(explanation_page(explanation), args.output)
    return 0
