"""One flipped bit in one column of one row of a ledger file: which row it was, and is now."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

Row = dict[str, Any]

# How the audit calls a row of each table. All columns are flipped but `idx` of `entry`.
NAMES: Mapping[str, Callable[[Row], str]] = {
    "entry": lambda row: str(row["idx"]),
    "tile": lambda row: f"{row['level']}/{row['n']}",
    "edge": lambda row: str(row["level"]),
    "checkpoint": lambda row: str(row["size"]),
    "record": lambda row: f"{row['kid'].hex()}/{row['ctx']}/{row['seq']}",
    "conflict": lambda row: f"{row['kid'].hex()}/{row['ctx']}/{row['seq']}",
    "cosignature": lambda row: f"size {row['size']}",
}


def rows_of(path: Path, tables: Sequence[str]) -> dict[str, list[Row]]:
    """Return every row of some tables, as dictionaries; tables without rows are left out."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = lambda cursor, row: {
            column[0]: value for column, value in zip(cursor.description, row, strict=True)
        }
        found = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in tables}
    return {name: rows for name, rows in found.items() if rows}


def flipped(value: Any, chance: random.Random) -> Any:
    """Flip one bit of a stored value; keep its type."""
    if isinstance(value, int):
        other = value ^ (1 << chance.randrange(64))
        return other - (1 << 64) if other >= 1 << 63 else other
    data = bytearray(value.encode() if isinstance(value, str) else value)
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def flip_one(
    path: Path, tables: Mapping[str, list[Row]], chance: random.Random
) -> tuple[str, set[str]]:
    """Flip a bit of a random row in the file; return its table and the names it may have now."""
    while True:
        table = chance.choice(sorted(tables))
        row = chance.choice(tables[table])
        column = chance.choice([name for name in row if row[name] not in (None, "", b"")])
        if (table, column) == ("entry", "idx"):
            continue
        after = {**row, column: flipped(row[column], chance)}
        new = "CAST(? AS TEXT)" if isinstance(row[column], str) else "?"
        where = " AND ".join(f"{name} IS ?" for name in row)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA ignore_check_constraints = ON")
            try:
                done = connection.execute(
                    f"UPDATE {table} SET {column} = {new} WHERE {where}",
                    (after[column], *row.values()),
                )
            except sqlite3.IntegrityError:
                continue  # another row has that key
        assert done.rowcount == 1
        return table, {NAMES[table](row), NAMES[table](after)}
