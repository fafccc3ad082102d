"""Opening an SQLite file of ours: what is refused, how it is set up, what its errors mean.

A file is ours when its application id says so and its user version is one we know. Nothing is
changed in a file before that is certain.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from wattest.errors import DamagedStore, ForeignStore, StoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class FileKind:
    """What tells one kind of our files from another, and what people call it.

    Args:
        what: its name in messages.
        usual_name: what such a file is called, for hints.
        application_id: SQLite's own mark of a file's kind, 32 bits.
        version: of the format; a newer one is refused.
        layout: gives the SQL that lays out a new one.
        upgrades: gives, for each older version that can still be read, the SQL that makes it one
            of this version; done when it is opened for writing.
        when_damaged: what to do about a file that does not hold together.
    """

    what: str
    usual_name: str
    application_id: int
    version: int
    layout: Callable[[], str]
    when_damaged: str
    upgrades: Mapping[int, Callable[[], str]] = field(default_factory=dict)


_HEADER = b"SQLite format 3\x00"

# (prefix of SQLite's name of the error, what it means, what to do next)
_MEANINGS = (
    ("SQLITE_FULL", "the disk is full", "free some space, then try again"),
    ("SQLITE_BUSY", "another program holds the {what}", "close it, then try again"),
    ("SQLITE_LOCKED", "another program holds the {what}", "close it, then try again"),
    ("SQLITE_READONLY", "the file is read-only", "check the permissions of file and folder"),
    ("SQLITE_PERM", "no permission", "check the permissions of file and folder"),
    ("SQLITE_CANTOPEN", "the file cannot be opened", "check the path and its permissions"),
    ("SQLITE_CORRUPT", "the file is damaged", "{when_damaged}, or restore a copy"),
    ("SQLITE_NOTADB", "not a {what} file", "give the path of a {usual_name}"),
    ("SQLITE_IOERR", "the disk reports an error", "check the disk, then try again"),
    ("SQLITE_CONSTRAINT", "the schema refuses the rows", "{when_damaged}"),
)

# Not of the disk or the moment, but of what is stored there.
_CLASSES = {"SQLITE_CORRUPT": DamagedStore, "SQLITE_NOTADB": DamagedStore}


def explain(exc: sqlite3.Error, path: Path, doing: str, *, kind: FileKind) -> StoreError:
    """Make one clear line of an SQLite error.

    Args:
        exc: what SQLite raised.
        path: the file.
        doing: what we were doing, such as ``appending 3 entries``.
        kind: what file it is.
    """
    name = getattr(exc, "sqlite_errorname", "")
    for prefix, meaning, hint in _MEANINGS:
        if name.startswith(prefix):
            words = {
                "what": kind.what,
                "usual_name": kind.usual_name,
                "when_damaged": kind.when_damaged,
            }
            error = _CLASSES.get(prefix, StoreError)
            return error(
                f"{path}: {meaning.format(**words)} ({doing}: {exc})", hint=hint.format(**words)
            )
    error = DamagedStore if str(exc).startswith("no such ") else StoreError  # table, column
    return error(f"{path}: {doing}: {exc}")


def open_for_writing(
    path: Path, *, create: bool, busy_timeout_s: float, kind: FileKind
) -> sqlite3.Connection:
    """Open, and create when missing, a file.

    Args:
        path: the file; its folder exists.
        create: make a new one when there is none.
        busy_timeout_s: how long to wait for another program, s.
        kind: what it must be.

    Raises:
        StoreError: there is none, or it is something else, or it cannot be opened or set up.
    """
    _check_path(path, kind, create=create)
    try:
        connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None)
    except sqlite3.Error as exc:
        raise explain(exc, path, "opening", kind=kind) from exc
    try:
        version = _identify(connection, path, kind, create=create)
        _use_write_ahead_log(connection, path, kind)
        connection.execute("PRAGMA synchronous = FULL")
        # Fewer, larger moves from the write-ahead log into the file: 16 MiB instead of 4.
        connection.execute("PRAGMA wal_autocheckpoint = 4096")
        connection.execute("PRAGMA trusted_schema = OFF")
        if version != kind.version:
            _lay_out(connection, kind)
    except sqlite3.Error as exc:
        connection.close()
        raise explain(exc, path, "opening", kind=kind) from exc
    except BaseException:
        connection.close()
        raise
    _decode_any_text(connection)
    return connection


def open_for_reading(path: Path, *, busy_timeout_s: float, kind: FileKind) -> sqlite3.Connection:
    """Open a file without ever writing to it.

    Args:
        path: the file.
        busy_timeout_s: how long to wait for another program, s.
        kind: what it must be.

    Raises:
        StoreError: there is none, or it is something else, or it cannot be opened.
    """
    _check_path(path, kind, create=False)
    try:
        connection = _connect_reading(path, "mode=ro", busy_timeout_s, kind)
    except sqlite3.OperationalError as exc:
        # Next to a write-ahead log SQLite wants to make files. On a read-only medium it cannot,
        # and then nobody writes: if the log is empty, the file alone is everything.
        log = path.with_name(path.name + "-wal")
        if log.exists() and log.stat().st_size:
            raise explain(exc, path, "opening", kind=kind) from exc
        try:
            connection = _connect_reading(path, "mode=ro&immutable=1", busy_timeout_s, kind)
        except sqlite3.Error as again:
            raise explain(again, path, "opening", kind=kind) from again
    except sqlite3.Error as exc:
        raise explain(exc, path, "opening", kind=kind) from exc
    _decode_any_text(connection)
    return connection


def _use_write_ahead_log(connection: sqlite3.Connection, path: Path, kind: FileKind) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreError(
            f"{path}: expected a write-ahead log, got journal mode {mode!r}",
            hint=f"put the {kind.what} on a local file system",
        )


def _connect_reading(
    path: Path, options: str, busy_timeout_s: float, kind: FileKind
) -> sqlite3.Connection:
    uri = f"file:{quote(str(path.absolute()))}?{options}"
    connection = sqlite3.connect(uri, uri=True, timeout=busy_timeout_s, isolation_level=None)
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        _identify(connection, path, kind, create=False)
    except BaseException:
        connection.close()
        raise
    return connection


def _decode_any_text(connection: sqlite3.Connection) -> None:
    """Damaged text must reach the audit, which names it, instead of failing to decode."""
    connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")


def _check_path(path: Path, kind: FileKind, *, create: bool) -> None:
    try:
        if path.is_dir():
            raise ForeignStore(
                f"{path}: expected a {kind.what} file, got a folder",
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
                raise ForeignStore(f"{path}: no {kind.what} there", hint="check the path")
            return
        with path.open("rb") as file:
            header = file.read(len(_HEADER))
    except OSError as exc:
        raise StoreError(f"{path}: {exc.strerror}", hint="check path and permissions") from exc
    if header not in (b"", _HEADER):
        raise ForeignStore(
            f"{path}: not a {kind.what} file: expected it to begin with {_HEADER[:15].decode()!r}",
            hint=f"give the path of a {kind.usual_name}, or choose another path",
        )


def _identify(connection: sqlite3.Connection, path: Path, kind: FileKind, *, create: bool) -> int:
    """Return the version of a file of ours, 0 of an empty one that may become ours."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables and not application_id and not version:
        if create:
            return 0
        raise ForeignStore(f"{path}: the file is empty, not a {kind.what}", hint="check the path")
    if application_id != kind.application_id:
        raise ForeignStore(
            f"{path}: an SQLite file, but not a {kind.what}: expected application id "
            f"{kind.application_id:#x}, got {application_id:#x}",
            hint=f"give the path of a {kind.usual_name}, or choose another path",
        )
    if version != kind.version and version not in kind.upgrades:
        known = ", ".join(str(one) for one in (*sorted(kind.upgrades), kind.version))
        raise ForeignStore(
            f"{path}: expected {kind.what} format {known}, got {version}",
            hint="use the version of wattest that wrote it, or a newer one",
        )
    return int(version)


def _lay_out(connection: sqlite3.Connection, kind: FileKind) -> None:
    """Lay out a new file, or upgrade an older one, in one transaction: no half-made one is left.

    Another program may have done so meanwhile; then nothing is left to do.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != kind.version:
            script = kind.upgrades[version]() if version else kind.layout()
            for statement in _statements(script):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {kind.application_id}")
            connection.execute(f"PRAGMA user_version = {kind.version}")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _statements(script: str) -> Iterator[str]:
    """Split a script, which ends with a whole statement, without running it."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
