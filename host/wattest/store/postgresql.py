"""The ledger in a schema of a PostgreSQL database: several programs may append to it at once.

Whoever appends holds an advisory lock of the schema until its transaction ends, so indexes have no
gaps and every checkpoint extends the one before. No sequence gives an index: a transaction that
was rolled back would leave a hole. Readers never wait.

The tables live in the first schema of the search path; another one is chosen in the URL, with
``?options=-csearch_path%3Dname``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from wattest.errors import StoreError
from wattest.ledger.store import Rows, StoredCheckpoint
from wattest.store.postgresql_errors import explain, place_of
from wattest.store.postgresql_schema import identify, lay_out, structure_damage
from wattest.store.rows import Values, values_by_table
from wattest.store.sql import MARK_TABLE, sql_text
from wattest.store.sql_store import SqlStore

_SERVER_MIN = 130000
_CONNECT_TIMEOUT_S = 10
_ROWS_PER_READ = 512
# Below so many rows, one trip with all of them is faster than one trip for each table.
_COPY_MIN = 16
# A turn takes milliseconds: a program that was stopped in the middle shall not hold up the others.
_TURN_TIMEOUT_S = 30
TAKE_TURN = "SELECT pg_advisory_xact_lock(hashtextextended('wattest:' || current_schema(), 0))"

_Connection = psycopg.Connection[tuple[Any, ...]]


class PostgresqlStore(SqlStore):
    """A ledger in a PostgreSQL database. Implements ``wattest.ledger.store.Store``.

    A connection that was lost is made again by the next call.

    Args:
        url: of the database, as libpq reads it: ``postgresql://user@host:5432/name``.
        create: make a new ledger when the schema is empty.
        read_only: never write, for audits; ``create`` is ignored.
        busy_timeout_s: how long to wait for other programs, s.

    Raises:
        StoreError: there is no ledger, or the schema holds something else, or it cannot be opened.
    """

    def __init__(
        self,
        url: str,
        *,
        create: bool = True,
        read_only: bool = False,
        busy_timeout_s: float = 10.0,
    ) -> None:
        super().__init__(place_of(url), sql_text("postgresql"))
        self._url = url
        self._read_only = read_only
        self._busy_timeout_ms = max(1, round(busy_timeout_s * 1000))
        self._closed = False
        self._written = 0
        self._newest: StoredCheckpoint | None = None
        self._walks = 0
        self._left_walks: list[str] = []
        self._connection = self._connect()
        try:
            self._open(create=create and not read_only)
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Let go of the connection; calling again does nothing."""
        self._closed = True
        self._connection.close()

    @contextlib.contextmanager
    def turn(self) -> Iterator[int]:
        """Wait for the turn to write; hand out the number of entries there are then.

        Raises:
            StoreError: another program did not let go in time, or the server cannot be written to.
        """
        connection = self._use()
        self._close_walks()
        try:
            with connection.pipeline():
                connection.execute("BEGIN")
                connection.execute(TAKE_TURN)
                cursor = connection.execute(self._text.size)
            ((size,),) = cursor.fetchall()
        except psycopg.Error as exc:
            self._end_turn()
            raise explain(exc, self._place, "appending") from exc
        try:
            self._turn_size, self._written, self._newest = size, 0, None
            yield size
        finally:
            self._end_turn()

    def write(self, rows: Rows) -> None:
        """Write rows in this turn.

        Raises:
            StoreError: they cannot be written; the turn is over and nothing of it was kept.
        """
        assert self._turn_size is not None, "rows are written in a turn"
        self._turn_size += len(rows.entries)
        self._written += len(rows.entries)
        if rows.checkpoints:
            self._newest = rows.checkpoints[-1]
        few: list[tuple[str, Sequence[Values]]] = []
        try:
            for table, values in values_by_table(rows):
                # What may be there already cannot be copied.
                if len(values) < _COPY_MIN or table in {"edge", "cosignature"}:
                    few.append((table, values))
                else:
                    self._copy(table, values)
            self._insert(few)
        except psycopg.Error as exc:
            self._end_turn()
            raise explain(exc, self._place, f"appending {self._written} entries") from exc

    def keep(self) -> None:
        """Keep what this turn wrote, flushed to the server's disk.

        Raises:
            StoreError: nothing was kept; or the connection was lost in that very moment and does
                not come back, then the line says that it is not known.
        """
        assert self._turn_size is not None, "what is kept was written in a turn"
        doing = f"appending {self._written} entries"
        try:
            done = self._connection.execute("COMMIT").statusmessage
        except psycopg.Error as exc:
            if not self._connection.closed:
                raise explain(exc, self._place, doing) from exc
            if not self._was_kept(exc):
                raise explain(exc, self._place, doing) from exc
        else:
            if done != "COMMIT":
                raise StoreError(f"{self._place}: {doing}: expected a commit, got {done}")
        finally:
            self._end_turn()

    def damage(self) -> Iterator[str]:
        """Yield what is wrong with the structure of the tables, one line each."""
        for (index,) in self._rows(self._text.negative):
            yield f"entry {index}: expected indexes from 0"
        try:
            found = structure_damage(self._use(), self._text)
        except psycopg.Error as exc:
            raise explain(exc, self._place, "reading") from exc
        yield from found

    def discard(self) -> None:
        """Close a new ledger that is still empty, and leave nothing of it behind.

        Raises:
            StoreError: it cannot be removed.
        """
        if self.is_new:
            with self.turn() as size:
                if not size:
                    self._drop()
                    self.keep()
        self.close()

    def _fetch(self, sql: str, values: Values = ()) -> list[Values]:
        try:
            cursor = self._use().execute(sql, values or None, binary=True)
            return cursor.fetchall()
        except psycopg.Error as exc:
            raise explain(exc, self._place, "reading") from exc

    def _rows(self, sql: str, values: Values = ()) -> Iterator[Values]:
        """Walk over what the server holds ready of one moment.

        A walk that is left half-way cannot say so to the server: it may be collected in the midst
        of another statement. The next turn or walk closes it.
        """
        self._close_walks()
        self._walks += 1
        name = f"walk_{self._walks}"
        # DECLARE takes no values beside its text. A number without quotes would be cast before it
        # gets its sign: the lowest one does not fit then.
        quoted = tuple(str(v) if isinstance(v, int) else v for v in values)
        try:
            filled = psycopg.ClientCursor(self._use()).mogrify(sql, quoted or None)
        except psycopg.Error as exc:
            raise explain(exc, self._place, "reading") from exc
        self._fetch_nothing(f"DECLARE {name} NO SCROLL CURSOR WITH HOLD FOR {filled}")
        try:
            while rows := self._fetch(f"FETCH {_ROWS_PER_READ} FROM {name}"):
                yield from rows
        finally:
            self._left_walks.append(name)

    @contextlib.contextmanager
    def _one_moment(self) -> Iterator[None]:
        """Let several statements see the same state."""
        if self._turn_size is not None:
            yield
            return
        try:
            self._use().execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        except psycopg.Error as exc:
            raise explain(exc, self._place, "reading") from exc
        try:
            yield
        finally:
            self._end_turn()

    def _connect(self) -> _Connection:
        try:
            connection: _Connection = psycopg.connect(
                self._url,
                autocommit=True,
                fallback_application_name="wattest",
                connect_timeout=_CONNECT_TIMEOUT_S,
                client_encoding="utf8",
            )
        except psycopg.Error as exc:
            raise explain(exc, self._place, "opening") from exc
        try:
            self._set_up(connection)
        except psycopg.Error as exc:
            connection.close()
            raise explain(exc, self._place, "opening") from exc
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_up(self, connection: _Connection) -> None:
        if connection.info.server_version < _SERVER_MIN:
            raise StoreError(
                f"{self._place}: expected PostgreSQL {_SERVER_MIN // 10000} or newer, got "
                f"{connection.info.server_version // 10000}",
                hint="use a newer server",
            )
        row = connection.execute(
            "SELECT current_setting('fsync'), current_setting('synchronous_commit')"
        ).fetchone()
        fsync, synchronous = row or ("", "")
        if fsync == "off" and not self._read_only:
            raise StoreError(
                f"{self._place}: the server runs with fsync off: what is logged might not survive "
                "a power cut",
                hint="set fsync = on in its postgresql.conf",
            )
        settings = {
            "lock_timeout": f"{self._busy_timeout_ms}ms",
            "idle_in_transaction_session_timeout": f"{_TURN_TIMEOUT_S}s",
            "default_transaction_read_only": "on" if self._read_only else "off",
        }
        if synchronous == "off":
            settings["synchronous_commit"] = "on"
        with connection.pipeline():
            for name, value in settings.items():
                connection.execute("SELECT set_config(%s, %s, false)", (name, value))

    def _open(self, *, create: bool) -> None:
        try:
            if identify(self._connection, self._place, create=create):
                return
            self._connection.execute("BEGIN")
            self._connection.execute(TAKE_TURN)
            if not identify(self._connection, self._place, create=True):
                lay_out(self._connection, self._text)
                self.is_new = True
            self._connection.execute("COMMIT")
        except psycopg.Error as exc:
            raise explain(exc, self._place, "opening") from exc

    def _use(self) -> _Connection:
        """Return the connection, a new one if it was lost and nothing is under way."""
        if self._connection.closed and not self._closed and self._turn_size is None:
            self._connection = self._connect()
            self._left_walks.clear()
        return self._connection

    def _copy(self, table: str, values: Sequence[Values]) -> None:
        text = self._text.tables[table]
        into = f"COPY {table} ({', '.join(text.columns)}) FROM STDIN (FORMAT BINARY)"
        with self._connection.cursor() as cursor, cursor.copy(into) as copy:
            copy.set_types([name.lower() for name in text.types])
            for row in values:
                copy.write_row(row)

    def _drop(self) -> None:
        names = ", ".join((MARK_TABLE, *self._text.tables))
        try:
            self._connection.execute(f"DROP TABLE {names}")
        except psycopg.Error as exc:
            raise explain(exc, self._place, "removing the empty tables") from exc

    def _insert(self, few: Sequence[tuple[str, Sequence[Values]]]) -> None:
        with self._connection.pipeline(), self._connection.cursor() as cursor:
            for table, values in few:
                insert = self._text.tables[table].insert
                for row in values:
                    cursor.execute(insert, row, binary=True)

    def _was_kept(self, lost: psycopg.Error) -> bool:
        """Find out whether a commit went through whose answer was lost with the connection.

        The turn is ours only when the server has ended the lost transaction, one way or the other.
        """
        newest = self._newest
        try:
            self._connection = self._connect()
            with self._connection.transaction():
                self._connection.execute(TAKE_TURN)
                found = self._connection.execute(
                    "SELECT note FROM checkpoint WHERE size = %s",
                    (newest.size if newest else -1,),
                    binary=True,
                ).fetchall()
        except (psycopg.Error, StoreError) as exc:
            raise StoreError(
                f"{self._place}: the server went away while {self._written} entries were being "
                f"logged, it is not known whether they are ({lost})",
                hint="append them again when it is back: what was logged is not logged twice",
            ) from exc
        return newest is not None and found == [(newest.note,)]

    def _close_walks(self) -> None:
        connection = self._use()
        try:
            while self._left_walks:
                with contextlib.suppress(psycopg.errors.InvalidCursorName):  # of a lost connection
                    connection.execute(f"CLOSE {self._left_walks.pop()}")
        except psycopg.Error as exc:
            raise explain(exc, self._place, "reading") from exc

    def _fetch_nothing(self, sql: str) -> None:
        try:
            self._use().execute(sql)
        except psycopg.Error as exc:
            raise explain(exc, self._place, "reading") from exc

    def _end_turn(self) -> None:
        self._turn_size = None
        with contextlib.suppress(psycopg.Error):
            if self._connection.info.transaction_status != TransactionStatus.IDLE:
                self._connection.execute("ROLLBACK")
