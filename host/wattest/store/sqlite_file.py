"""Opening a ledger's SQLite file: what is refused, how it is set up, what its errors mean.

A file is ours when its application id says so and its user version is one we know. Nothing is
changed in a file before that is certain.
"""

from __future__ import annotations

import contextlib
import importlib.resources
import sqlite3
from pathlib import Path
from urllib.parse import quote

from wattest.errors import StoreError

APPLICATION_ID = 0x77617474  # "watt"
FORMAT_VERSION = 1

_HEADER = b"SQLite format 3\x00"

# (prefix of SQLite's name of the error, what it means, what to do next)
_MEANINGS = (
    ("SQLITE_FULL", "the disk is full", "free some space, then try again"),
    ("SQLITE_BUSY", "another program holds the ledger", "close it, then try again"),
    ("SQLITE_LOCKED", "another program holds the ledger", "close it, then try again"),
    ("SQLITE_READONLY", "the file is read-only", "check the permissions of file and folder"),
    ("SQLITE_PERM", "no permission", "check the permissions of file and folder"),
    ("SQLITE_CANTOPEN", "the file cannot be opened", "check the path and its permissions"),
    ("SQLITE_CORRUPT", "the file is damaged", "run `wattest verify` on it, or restore a copy"),
    ("SQLITE_NOTADB", "not a ledger file", "give the path of a ledger.sqlite"),
    ("SQLITE_IOERR", "the disk reports an error", "check the disk, then try again"),
    ("SQLITE_CONSTRAINT", "the schema refuses the rows", "run `wattest verify` on the ledger"),
)


def explain(exc: sqlite3.Error, path: Path, doing: str) -> StoreError:
    """Make one clear line of an SQLite error.

    Args:
        exc: what SQLite raised.
        path: the ledger file.
        doing: what we were doing, such as ``appending 3 entries``.
    """
    name = getattr(exc, "sqlite_errorname", "")
    for prefix, meaning, hint in _MEANINGS:
        if name.startswith(prefix):
            return StoreError(f"{path}: {meaning} ({doing}: {exc})", hint=hint)
    return StoreError(f"{path}: {doing}: {exc}")


def open_for_writing(path: Path, *, create: bool, busy_timeout_s: float) -> sqlite3.Connection:
    """Open, and create when missing, a ledger file.

    Args:
        path: the file; its folder exists.
        create: make a new ledger when there is none.
        busy_timeout_s: how long to wait for another program, s.

    Raises:
        StoreError: there is none, or it is not a ledger, or it cannot be opened or set up.
    """
    _check_path(path, create=create)
    try:
        connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None)
    except sqlite3.Error as exc:
        raise explain(exc, path, "opening") from exc
    try:
        is_new = _identify(connection, path, create=create)
        _use_write_ahead_log(connection, path)
        connection.execute("PRAGMA synchronous = FULL")
        # Fewer, larger moves from the write-ahead log into the file: 16 MiB instead of 4.
        connection.execute("PRAGMA wal_autocheckpoint = 4096")
        connection.execute("PRAGMA trusted_schema = OFF")
        if is_new:
            _create(connection)
    except sqlite3.Error as exc:
        connection.close()
        raise explain(exc, path, "opening") from exc
    except BaseException:
        connection.close()
        raise
    _decode_any_text(connection)
    return connection


def open_for_reading(path: Path, *, busy_timeout_s: float) -> sqlite3.Connection:
    """Open a ledger file without ever writing to it.

    Args:
        path: the file.
        busy_timeout_s: how long to wait for another program, s.

    Raises:
        StoreError: there is none, or it is not a ledger, or it cannot be opened.
    """
    _check_path(path, create=False)
    try:
        connection = _connect_reading(path, "mode=ro", busy_timeout_s)
    except sqlite3.OperationalError as exc:
        # Next to a write-ahead log SQLite wants to make files. On a read-only medium it cannot,
        # and then nobody writes: if the log is empty, the file alone is the ledger.
        log = path.with_name(path.name + "-wal")
        if log.exists() and log.stat().st_size:
            raise explain(exc, path, "opening") from exc
        try:
            connection = _connect_reading(path, "mode=ro&immutable=1", busy_timeout_s)
        except sqlite3.Error as again:
            raise explain(again, path, "opening") from again
    except sqlite3.Error as exc:
        raise explain(exc, path, "opening") from exc
    _decode_any_text(connection)
    return connection


def _use_write_ahead_log(connection: sqlite3.Connection, path: Path) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreError(
            f"{path}: expected a write-ahead log, got journal mode {mode!r}",
            hint="put the ledger on a local file system",
        )


def _connect_reading(path: Path, options: str, busy_timeout_s: float) -> sqlite3.Connection:
    uri = f"file:{quote(str(path.absolute()))}?{options}"
    connection = sqlite3.connect(uri, uri=True, timeout=busy_timeout_s, isolation_level=None)
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        _identify(connection, path, create=False)
    except BaseException:
        connection.close()
        raise
    return connection


def _decode_any_text(connection: sqlite3.Connection) -> None:
    """Damaged text must reach the audit, which names it, instead of failing to decode."""
    connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")


def _check_path(path: Path, *, create: bool) -> None:
    try:
        if path.is_dir():
            raise StoreError(
                f"{path}: expected a ledger file, got a folder",
                hint="give the path of a file, or move the folder away",
            )
        if not path.parent.is_dir():
            found = "a file" if path.parent.exists() else "nothing"
            raise StoreError(
                f"{path}: expected a folder at {path.parent}, found {found}",
                hint="create the folder, or choose another path",
            )
        if not path.exists():
            if not create:
                raise StoreError(f"{path}: no ledger there", hint="check the path")
            return
        with path.open("rb") as file:
            header = file.read(len(_HEADER))
    except OSError as exc:
        raise StoreError(f"{path}: {exc.strerror}", hint="check path and permissions") from exc
    if header not in (b"", _HEADER):
        raise StoreError(
            f"{path}: not a ledger file: expected it to begin with {_HEADER[:15].decode()!r}",
            hint="give the path of a ledger.sqlite, or choose another path",
        )


def _identify(connection: sqlite3.Connection, path: Path, *, create: bool) -> bool:
    """Return whether the file is empty and may become a ledger; refuse foreign and newer ones."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables and not application_id and not version:
        if create:
            return True
        raise StoreError(f"{path}: the file is empty, not a ledger", hint="check the path")
    if application_id != APPLICATION_ID:
        raise StoreError(
            f"{path}: an SQLite file, but not a ledger: expected application id "
            f"{APPLICATION_ID:#x}, got {application_id:#x}",
            hint="give the path of a ledger.sqlite, or choose another path",
        )
    if version != FORMAT_VERSION:
        raise StoreError(
            f"{path}: expected ledger format {FORMAT_VERSION}, got {version}",
            hint="use the version of wattest that wrote it, or a newer one",
        )
    return False


def _create(connection: sqlite3.Connection) -> None:
    """Lay out a new ledger in one transaction, so that no half-made file can be left behind."""
    schema = importlib.resources.files(__package__).joinpath("schema.sql").read_text("utf-8")
    script = (
        f"BEGIN IMMEDIATE;\n{schema}\nPRAGMA application_id = {APPLICATION_ID};\n"
        f"PRAGMA user_version = {FORMAT_VERSION};\nCOMMIT;"
    )
    try:
        connection.executescript(script)
    except sqlite3.Error:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
