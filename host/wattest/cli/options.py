"""What people type, as values: durations, speeds, and the options several commands share."""

from __future__ import annotations

import argparse
import re
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import NoReturn, Protocol

from wattest.errors import UsageError
from wattest.units import NS_PER_MS, NS_PER_S, parse_decimal, parse_duration_ns

_DURATION_S_MAX = 366 * 86400
_INTERVAL_S_MAX = 3600
_SEED_MAX = 2**63 - 1


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps descriptions as written and gives option names room."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28)


class Parser(argparse.ArgumentParser):
    """An argument parser whose mistakes are one line and an error of our tree."""

    def __init__(self, **settings: object) -> None:
        settings.setdefault("formatter_class", _HelpFormatter)
        settings.setdefault("allow_abbrev", False)
        super().__init__(**settings)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing usage and leaving.

        Raises:
            UsageError: always.
        """
        command = self.prog.partition(" ")[2]
        what = f"{command}: {message}" if command else message
        raise UsageError(what, hint=f"see `{self.prog} --help`")


class Commands(Protocol):
    """Where a command adds its parser: what ``add_subparsers`` returns."""

    def add_parser(
        self,
        name: str,
        *,
        help: str,  # noqa: A002 - argparse's name for it
        description: str,
        epilog: str,
    ) -> Parser:
        """Add the command ``name``."""
        ...


def step_ns(text: str, *, minimum: int, maximum: int) -> int:
    """Read a time between two levels, ns.

    Raises:
        argparse.ArgumentTypeError: it is not a duration, or out of range.
    """
    try:
        value = parse_duration_ns(text)
    except ValueError:
        value = 0
    if not minimum <= value <= maximum:
        low, high = (f"{Fraction(limit, NS_PER_S)}s" for limit in (minimum, maximum))
        if minimum < NS_PER_S:
            low = f"{minimum // NS_PER_MS}ms"
        raise argparse.ArgumentTypeError(f"expected {low} to {high}, got {text!r}")
    return value


def duration_s(text: str) -> int:
    """Read a duration such as ``90s``, ``10min``, ``1h30min``, ``24h`` or ``7d``.

    Args:
        text: numbers with units s, min (or m), h, d; several add up.

    Returns:
        Whole seconds, 1 <= s <= 366 days.

    Raises:
        argparse.ArgumentTypeError: it is not a duration, has a fraction of a second, or is out
            of range.
    """
    try:
        seconds, rest_ns = divmod(parse_duration_ns(text), NS_PER_S)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected a duration such as 10s, 15min, 24h or 7d, got {text!r}"
        ) from None
    if rest_ns:
        raise argparse.ArgumentTypeError(f"expected whole seconds, got {text!r}")
    if not 1 <= seconds <= _DURATION_S_MAX:
        raise argparse.ArgumentTypeError(f"expected 1s to 366d, got {text!r}")
    return seconds


def interval_s(text: str) -> int:
    """Read ``--interval``: a duration that a node can be set to, 1 s to 1 h.

    Raises:
        argparse.ArgumentTypeError: it is not.
    """
    seconds = duration_s(text)
    if seconds > _INTERVAL_S_MAX:
        raise argparse.ArgumentTypeError(f"expected 1s to 1h, got {text!r}")
    return seconds


def speed(text: str) -> float | None:
    """Read ``--speed``: virtual seconds per real second, or ``max``.

    Returns:
        0.01 <= speed <= 1,000,000, or ``None`` for as fast as it goes.

    Raises:
        argparse.ArgumentTypeError: neither.
    """
    if text == "max":
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(0)
    if not value.is_finite() or not Decimal("0.01") <= value <= 1_000_000:
        raise argparse.ArgumentTypeError(f"expected max, or 0.01 to 1000000, got {text!r}")
    return float(value)


def scale(text: str) -> Fraction:
    """Read ``--scale``: a positive decimal number, exactly.

    Raises:
        argparse.ArgumentTypeError: not a positive finite number.
    """
    try:
        value = parse_decimal(text)
    except ValueError:
        value = Fraction(0)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"expected a positive number, got {text!r}")
    return value


def seed(text: str) -> int:
    """Read ``--seed``: an integer from 0 to 2**63 - 1.

    Raises:
        argparse.ArgumentTypeError: it is not.
    """
    return _whole(text, 0, _SEED_MAX)


def count(text: str) -> int:
    """Read a count of nodes or boards: 1 to 1000.

    Raises:
        argparse.ArgumentTypeError: it is not.
    """
    return _whole(text, 1, 1000)


def index(text: str) -> int:
    """Read a ledger index or size: an integer from 0.

    Raises:
        argparse.ArgumentTypeError: it is not.
    """
    return _whole(text, 0, _SEED_MAX)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")


def add_home(parser: argparse.ArgumentParser) -> None:
    """Add ``--home``."""
    parser.add_argument(
        "--home",
        type=Path,
        metavar="DIR",
        help="where your bench keeps passports, keys and readings (default: $WATTEST_HOME, or "
        "wattest in your data folder)",
    )


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``demo``, ``run`` and ``replay`` have in common."""
    parser.add_argument(
        "--headless",
        action="store_true",
        help="progress and a summary instead of the terminal interface "
        "(always so when stdout is not a terminal)",
    )
    parser.add_argument(
        "--speed",
        type=speed,
        default=False,
        metavar="N|max",
        help="virtual seconds per real second (default: max when headless, else 60)",
    )
    parser.add_argument(
        "--for",
        dest="duration_s",
        type=duration_s,
        metavar="T",
        help="stop after this much virtual time: 10min, 24h, 7d (default: the scenario's)",
    )
    parser.add_argument(
        "--seed", type=seed, metavar="N", help="seed of all chance in the run (default: its own)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="keep the run in this new folder, for `verify`"
    )
    add_json(parser)


def _whole(text: str, low: int, high: int) -> int:
    value = int(text) if re.fullmatch(r"\d{1,19}", text) else -1
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"expected a whole number {low} to {high}, got {text!r}")
    return value
