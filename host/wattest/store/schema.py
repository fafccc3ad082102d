"""The tables of a ledger: the one definition that SQLite and PostgreSQL are laid out from.

A change to them is a new format: ``wattest.store.sql.FORMAT``.

Everything but `entry` and `cosignature` can be derived from `entry` again; the audit does. There
are no foreign keys: the ledger writes each batch whole, and the audit compares every row with its
entry. There are no triggers: docs/decisions/0001.

Only the definition and the text of statements come from SQLAlchemy; docs/decisions/0011.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
)

from wattest.store.sql import MARK_TABLE

METADATA: Final = MetaData()

# A STRICT table of SQLite knows INTEGER only: 64 bits there, too.
_INTEGER: Final = BigInteger().with_variant(Integer(), "sqlite")
_SMALL: Final = SmallInteger().with_variant(Integer(), "sqlite")
_BYTES: Final = LargeBinary()


def _key(name: str, of: BigInteger | SmallInteger | LargeBinary = _INTEGER) -> Column[object]:
    return Column(name, of, primary_key=True, autoincrement=False)


def _value(
    name: str, of: BigInteger | SmallInteger | LargeBinary | Text = _INTEGER
) -> Column[object]:
    return Column(name, of, nullable=False)


def _table(name: str, *items: Column[object] | CheckConstraint, with_rowid: bool = True) -> Table:
    return Table(name, METADATA, *items, sqlite_strict=True, sqlite_with_rowid=with_rowid)


ENTRY: Final = _table(
    "entry",
    _key("idx"),  # from 0, without gaps
    _value("kind", _SMALL),
    _value("body", _BYTES),
    _value("leaf", _BYTES),
    CheckConstraint("kind BETWEEN 1 AND 13"),
    CheckConstraint("length(leaf) = 32"),
)

RECORD: Final = _table(
    "record",
    _key("kid", _BYTES),  # kid, ctx, seq: permanent idempotency
    _key("ctx"),
    _key("seq"),
    _value("idx"),
    Column("time_ms", _INTEGER),
    _value("tsync"),
    _value("mono_ms"),
    _value("bootseed", _BYTES),
    Column("import_milliwh", _INTEGER),
    Column("export_milliwh", _INTEGER),
    Column("use_s", _INTEGER),
    Column("power_milliwatts", _INTEGER),
    _value("status", Text()),
    _value("err", Text()),
    _value("input"),
    _value("content_digest", _BYTES),
    CheckConstraint("length(kid) = 8"),
    CheckConstraint("length(content_digest) = 32"),
    with_rowid=False,
)

CONFLICT: Final = _table(
    "conflict",
    _key("kid", _BYTES),
    _key("ctx"),
    _key("seq"),
    _key("content_digest", _BYTES),
    _value("first_idx"),
    _value("idx"),
    with_rowid=False,
)

TILE: Final = _table(
    "tile",
    _key("level"),
    _key("n"),
    _value("hashes", _BYTES),
    CheckConstraint("length(hashes) = 8192"),
)

EDGE: Final = _table("edge", _key("level"), _value("hashes", _BYTES))

CHECKPOINT: Final = _table(
    "checkpoint",
    _key("size"),
    _value("root", _BYTES),
    _value("note", _BYTES),
    CheckConstraint("length(root) = 32"),
)

COSIGNATURE: Final = _table(
    "cosignature",
    _key("size"),  # of the checkpoint that a witness signed, too
    _key("line", _BYTES),  # its signature line, without the line's end
    with_rowid=False,
)

# Where the database has no place of its own for it, as SQLite has: whose tables these are, and of
# which format.
MARK: Final = Table(MARK_TABLE, MetaData(), _value("format"))
