"""Measure what the project promises: ``make benchmark`` or ``run.py [NAME ...]``.

Each module beside this one with a function ``rows()`` is measured in a process of its own, so
that memory of one does not count for another. A row is a mapping:

    what            what was measured
    ours            our number
    unit            its unit
    reference       the reference's number, measured in the same run, or None
    reference_name  what it is, or ""
    ratio           ours / reference, or None
    bar             what must hold: "<= 3.0 x", ">= 45 %" (both of the ratio), ">= 24" (of ours)

Prints one table, writes ``build/benchmark.json``. A missed bar is shown, it is no error; exit 1
only if a measurement did not come to its end.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RESULT = ROOT / "build" / "benchmark.json"
TIMEOUT_S = 900
_BAR = re.compile(r"(<=|>=)\s*([\d,.]+)\s*(x|%)?")
_HEAD = ("what", "ours", "unit", "reference", "", "ratio", "bar", "")

Row = Mapping[str, Any]


def names() -> list[str]:
    """Return the modules that measure something."""
    own = {"__init__", Path(__file__).stem}
    found = (path for path in HERE.glob("*.py") if path.stem not in own)
    return sorted(p.stem for p in found if "def rows(" in p.read_text(encoding="utf-8"))


def holds(row: Row) -> bool | None:
    """Tell whether a row's bar is reached; None when it has none that a program can read."""
    match = _BAR.match(row["bar"] or "")
    if match is None:
        return None
    relation, number, of_ratio = match.groups()
    bar = float(number.replace(",", ""))
    value = row["ours"]
    if of_ratio:
        if row["ratio"] is None:
            return None
        value = row["ratio"] * (100 if of_ratio == "%" else 1)
    return bool(value <= bar if relation == "<=" else value >= bar)


def measure(name: str) -> list[Row]:
    """Measure one module in a process of its own.

    Raises:
        RuntimeError: it did not come to its end.
    """
    command = [sys.executable, str(HERE / "run.py"), "--child", name]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT_S, check=True
        )
    except subprocess.SubprocessError as error:
        raise RuntimeError(f"{name}: {error}") from error
    rows: list[Row] = json.loads(done.stdout.splitlines()[-1])
    return rows


def number(value: float | str | None) -> str:
    """Write a number with three or four digits that mean something."""
    if value is None or isinstance(value, str):
        return value or ""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def line(row: Row) -> tuple[str, ...]:
    """Return the cells of one row."""
    held = holds(row)
    ratio = row["ratio"]
    return (
        row["what"],
        number(row["ours"]),
        row["unit"],
        number(row["reference"]),
        row["reference_name"],
        "" if ratio is None else f"{ratio:.2f}",
        row["bar"],
        {True: "held", False: "MISSED", None: ""}[held],
    )


def show(rows: list[Row]) -> None:
    """Print the table."""
    cells = [_HEAD, *(line(row) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(_HEAD))]
    numeric = {1, 3, 5}
    for row in cells:
        texts = [
            text.rjust(width) if i in numeric else text.ljust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(texts).rstrip())


def machine() -> dict[str, Any]:
    """Return what the numbers were measured on."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", info.read_text(), re.MULTILINE)
        cpu = found.group(1) if found else cpu
    return {"cpu": cpu, "cores": os.cpu_count(), "python": platform.python_version()}


def main() -> int:
    """Measure all, or the named ones."""
    parser = argparse.ArgumentParser(description="Measure what the project promises.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(names())}")
    parser.add_argument("--child", metavar="NAME", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        measured = [dict(row) for row in importlib.import_module(args.child).rows()]
        print(json.dumps(measured))
        return 0
    unknown = sorted(set(args.names) - set(names()))
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}")
    rows: list[Row] = []
    failed = []
    for name in args.names or names():
        print(f"measuring {name}", file=sys.stderr)
        try:
            rows += measure(name)
        except RuntimeError as error:
            failed.append(str(error))
    show(rows)
    for failure in failed:
        print(f"did not end: {failure}", file=sys.stderr)
    document = {"machine": machine(), "rows": [{**row, "held": holds(row)} for row in rows]}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(f"\nwritten to {RESULT.relative_to(ROOT)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
