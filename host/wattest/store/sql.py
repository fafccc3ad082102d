"""The text of every statement on a ledger, for one database: what both SQL stores run.

SQLAlchemy, which writes it from the schema, is loaded when the first ledger is opened: that takes
0.2 s, which a command without a ledger does not pay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeAlias

Database: TypeAlias = Literal["sqlite", "postgresql"]

FORMAT = 2
"""Of the tables of a ledger; a change to them is a new format."""

MARK_TABLE = "wattest_ledger"
"""Says so, in a database that has no other place for it."""

TABLES = ("entry", "record", "conflict", "tile", "edge", "checkpoint", "cosignature")
"""Tables of a ledger, in the order in which they are written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableText:
    """One table in one database's words.

    Attributes:
        layout: the statement that makes it.
        columns: names, in the order in which rows are written and read.
        types: of the columns.
        insert: adds a row. A row of `edge` replaces the one before, a cosignature that is there
            already is left.
    """

    layout: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    insert: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlText:
    """All statements for one database; values are placed in the order named.

    Attributes:
        tables: by name, in the order of :data:`TABLES`.
        mark: table that says which format the others have, where there is no other place for it.
        size: number of entries.
        entries: from index, to index, at most so many.
        tile: level, number.
        checkpoints: from size.
        checkpoint: size.
        newest_checkpoint: one row, or none.
        records: by index.
        records_of_kid: kid; by ctx and seq.
        records_of_ctx: kid, ctx; by seq.
        record: kid, ctx, seq.
        last_seq: kid, ctx.
        conflicts: by index.
        conflict: kid, ctx, seq, content digest.
        tiles: by level and number.
        edges: by level.
        cosigned: by size and line.
        cosignatures: size.
        negative: indexes of entries below 0.
    """

    tables: Mapping[str, TableText]
    mark: TableText
    size: str
    entries: str
    tile: str
    checkpoints: str
    checkpoint: str
    newest_checkpoint: str
    records: str
    records_of_kid: str
    records_of_ctx: str
    record: str
    last_seq: str
    conflicts: str
    conflict: str
    tiles: str
    edges: str
    cosigned: str
    cosignatures: str
    negative: str

    @property
    def layout(self) -> str:
        """Statements that lay out an empty ledger."""
        return "".join(table.layout for table in self.tables.values())


@cache
def sql_text(database: Database) -> SqlText:
    """Return the statements for a database."""
    from wattest.store.statements import compiled_for  # noqa: PLC0415 - loads SQLAlchemy

    return compiled_for(database)
