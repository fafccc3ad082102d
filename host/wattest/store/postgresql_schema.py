"""A schema of a PostgreSQL database: whether it holds a ledger, and how one is laid out."""

from __future__ import annotations

from typing import Any

import psycopg

from wattest.errors import ForeignStore, StoreError
from wattest.store.sql import FORMAT, MARK_TABLE, SqlText

_Connection = psycopg.Connection[tuple[Any, ...]]

_OTHERS_SHOWN = 3

# Tables, views and the like; what an extension brought along is nobody's content.
_RELATIONS = """
SELECT relname FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')
  AND NOT EXISTS (
    SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid
      AND deptype = 'e')
ORDER BY relname
"""

# Whatever could change or hide rows behind the back of the statements.
_HOOKS = """
SELECT 'trigger', tgname, relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
WHERE relnamespace = current_schema()::regnamespace AND relname = ANY(%(tables)s)
  AND NOT tgisinternal
UNION ALL
SELECT 'rule', rulename, relname FROM pg_rewrite JOIN pg_class ON pg_class.oid = ev_class
WHERE relnamespace = current_schema()::regnamespace AND relname = ANY(%(tables)s)
  AND relkind <> 'v'
UNION ALL
SELECT 'policy', polname, relname FROM pg_policy JOIN pg_class ON pg_class.oid = polrelid
WHERE relnamespace = current_schema()::regnamespace AND relname = ANY(%(tables)s)
UNION ALL
SELECT 'view', relname, relname FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relname = ANY(%(tables)s)
  AND relkind NOT IN ('r', 'p')
ORDER BY 1, 2, 3
"""

_COLUMNS = """
SELECT relname, attname, upper(format_type(atttypid, atttypmod)) FROM pg_attribute
JOIN pg_class ON pg_class.oid = attrelid
WHERE relnamespace = current_schema()::regnamespace AND relname = ANY(%(tables)s)
  AND attnum > 0 AND NOT attisdropped
ORDER BY relname, attnum
"""


def identify(connection: _Connection, place: str, *, create: bool) -> bool:
    """Tell whether the schema holds a ledger; False if it is empty and may get one.

    Raises:
        StoreError: it holds something else or a newer ledger, or it is empty and stays so.
        psycopg.Error: the server does not answer.
    """
    row = connection.execute("SELECT current_schema()").fetchone()
    schema = row[0] if row else None
    if schema is None:
        raise StoreError(
            f"{place}: the search path names no schema that exists",
            hint="make it with CREATE SCHEMA, or check search_path in the URL",
        )
    names = [name for (name,) in connection.execute(_RELATIONS)]
    if not names:
        if create:
            return False
        raise ForeignStore(f"{place}: no ledger in schema {schema}", hint="check the URL")
    if MARK_TABLE not in names:
        some = ", ".join(names[:_OTHERS_SHOWN]) + (", ..." if len(names) > _OTHERS_SHOWN else "")
        raise ForeignStore(
            f"{place}: schema {schema} holds no ledger, but {some}",
            hint="give an empty one: CREATE SCHEMA name, then "
            "?options=-csearch_path%3Dname at the end of the URL",
        )
    found = connection.execute(f"SELECT format FROM {MARK_TABLE}")  # noqa: S608
    formats = [number for (number,) in found]
    if formats != [FORMAT]:
        got = ", ".join(map(str, formats)) or "none"
        raise ForeignStore(
            f"{place}: expected ledger format {FORMAT}, got {got}",
            hint="use the version of wattest that wrote it, or a newer one",
        )
    return True


def lay_out(connection: _Connection, text: SqlText) -> None:
    """Make the tables of an empty ledger, in the transaction that is open.

    Raises:
        psycopg.Error: they cannot be made.
    """
    for statement in (text.layout, text.mark.layout):
        connection.execute(statement)
    connection.execute(text.mark.insert, (FORMAT,))


def structure_damage(connection: _Connection, text: SqlText) -> list[str]:
    """Return what is wrong with the tables themselves, one line each.

    Raises:
        psycopg.Error: the server does not answer.
    """
    tables = {"tables": list(text.tables)}
    lines = [
        f"{kind} {name} on {table}: no ledger has one"
        for kind, name, table in connection.execute(_HOOKS, tables)
    ]
    found: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind in connection.execute(_COLUMNS, tables):
        found.setdefault(table, []).append((column, kind))
    for name, table_text in text.tables.items():
        if name not in found:
            continue  # whoever reads it says so
        expected = list(zip(table_text.columns, table_text.types, strict=True))
        if found[name] != expected:
            got = ", ".join(f"{column} {kind}" for column, kind in found[name])
            lines.append(f"table {name}: its columns are not those of a ledger, but {got}")
    return lines
