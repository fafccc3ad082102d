"""Opens the ledger that a place names: a file, or a PostgreSQL database by its URL."""

from __future__ import annotations

from pathlib import Path

from wattest.errors import StoreError
from wattest.store.sql_store import SqlStore
from wattest.store.sqlite import SqliteStore

_SCHEMES = ("postgresql://", "postgres://")


def is_url(place: Path | str) -> bool:
    """Tell whether a place is a URL rather than a path."""
    return isinstance(place, str) and "://" in place


def open_store(
    place: Path | str,
    *,
    create: bool = True,
    read_only: bool = False,
    busy_timeout_s: float = 10.0,
) -> SqlStore:
    """Open a ledger.

    Args:
        place: path of a file, or ``postgresql://user@host:port/database``.
        create: make a new ledger when there is none.
        read_only: never write; ``create`` is ignored.
        busy_timeout_s: how long to wait for other programs, s.

    Raises:
        StoreError: there is no ledger, or something else, or it cannot be opened; or the client
            of PostgreSQL is not installed.
    """
    if not is_url(place):
        return SqliteStore(
            place, create=create, read_only=read_only, busy_timeout_s=busy_timeout_s
        )
    url = str(place)
    if not url.startswith(_SCHEMES):
        scheme = url.partition("://")[0]
        raise StoreError(
            f"{scheme}://...: no ledger can be kept there",
            hint="give the path of a file, or postgresql://user@host:5432/database",
        )
    try:
        from wattest.store.postgresql import PostgresqlStore  # noqa: PLC0415 - may be missing
    except ImportError as exc:
        raise StoreError(
            f"a ledger in PostgreSQL needs psycopg: {exc}",
            hint="pip install 'wattest[postgresql]'",
        ) from exc
    return PostgresqlStore(url, create=create, read_only=read_only, busy_timeout_s=busy_timeout_s)
