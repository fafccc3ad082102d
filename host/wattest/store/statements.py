"""Writes the statements of ``wattest.store.sql`` from the schema: once for each database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType

from sqlalchemy import (
    ClauseElement,
    ColumnElement,
    Table,
    bindparam,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.schema import CreateTable

from wattest.store.schema import (
    CHECKPOINT,
    CONFLICT,
    COSIGNATURE,
    EDGE,
    ENTRY,
    MARK,
    METADATA,
    RECORD,
    TILE,
)
from wattest.store.sql import TABLES, Database, SqlText, TableText

# Written into the text: a statement takes only the values that its caller knows.
_NONE: ColumnElement[int] = literal_column("0")
_ONE: ColumnElement[int] = literal_column("1")


def compiled_for(database: Database) -> SqlText:
    """Compile every statement for a database, with its own placeholders in the order of values."""
    dialect = _dialect(database)
    return SqlText(
        mark=_table(MARK, dialect),
        tables=MappingProxyType({name: _table(METADATA.tables[name], dialect) for name in TABLES}),
        **{name: _compiled(element, dialect) for name, element in _reads().items()},
    )


def _table(table: Table, dialect: Dialect) -> TableText:
    return TableText(
        layout=f"{str(CreateTable(table).compile(dialect=dialect)).strip()};\n",
        columns=tuple(column.name for column in table.columns),
        types=tuple(column.type.compile(dialect=dialect) for column in table.columns),
        insert=_compiled(_insert(table, dialect), dialect),
    )


def _dialect(database: Database) -> Dialect:
    driver = "sqlite" if database == "sqlite" else "postgresql+psycopg"
    make: Callable[..., Dialect] = make_url(f"{driver}://").get_dialect()
    return make(paramstyle="qmark" if database == "sqlite" else "format")


def _insert(table: Table, dialect: Dialect) -> ClauseElement:
    of_sqlite = dialect.name == "sqlite"
    insert = sqlite_insert(table) if of_sqlite else postgresql_insert(table)
    if table is EDGE:
        newer = {"hashes": insert.excluded.hashes}
        return insert.on_conflict_do_update(index_elements=[EDGE.c.level], set_=newer)
    if table is COSIGNATURE:
        return insert.on_conflict_do_nothing()
    return insert


def _compiled(element: ClauseElement, dialect: Dialect) -> str:
    return str(element.compile(dialect=dialect))


def _is(*columns: ColumnElement[object]) -> Sequence[ColumnElement[bool]]:
    """Return the conditions that each column has the value handed in, in this order."""
    return [column == bindparam(f"value{place}") for place, column in enumerate(columns)]


def _reads() -> dict[str, ClauseElement]:
    entry, record, conflict, tile = ENTRY.c, RECORD.c, CONFLICT.c, TILE.c
    of_identity = (record.kid, record.ctx, record.seq)
    of_conflict = (conflict.kid, conflict.ctx, conflict.seq, conflict.content_digest)
    return {
        "size": select(func.coalesce(func.max(entry.idx) + _ONE, _NONE)),
        "entries": select(ENTRY)
        .where(entry.idx >= bindparam("start"), entry.idx < bindparam("stop"))
        .order_by(entry.idx)
        .limit(bindparam("count"))
        .offset(_NONE),
        "tile": select(tile.hashes).where(*_is(tile.level, tile.n)),
        "checkpoints": select(CHECKPOINT)
        .where(CHECKPOINT.c.size >= bindparam("start"))
        .order_by(CHECKPOINT.c.size),
        "checkpoint": select(CHECKPOINT).where(*_is(CHECKPOINT.c.size)),
        "newest_checkpoint": select(CHECKPOINT)
        .order_by(CHECKPOINT.c.size.desc())
        .limit(_ONE)
        .offset(_NONE),
        "records": select(RECORD).order_by(record.idx),
        "records_of_kid": select(RECORD).where(*_is(record.kid)).order_by(record.ctx, record.seq),
        "records_of_ctx": select(RECORD).where(*_is(record.kid, record.ctx)).order_by(record.seq),
        "record": select(RECORD).where(*_is(*of_identity)),
        "last_seq": select(func.max(record.seq)).where(*_is(record.kid, record.ctx)),
        "conflicts": select(CONFLICT).order_by(conflict.idx),
        "conflict": select(CONFLICT).where(*_is(*of_conflict)),
        "tiles": select(TILE).order_by(tile.level, tile.n),
        "edges": select(EDGE).order_by(EDGE.c.level),
        "cosigned": select(COSIGNATURE).order_by(COSIGNATURE.c.size, COSIGNATURE.c.line),
        "cosignatures": select(COSIGNATURE.c.line)
        .where(*_is(COSIGNATURE.c.size))
        .order_by(COSIGNATURE.c.line),
        "negative": select(entry.idx).where(entry.idx < _NONE).order_by(entry.idx),
    }
