"""The ledger in one SQLite file: write-ahead log, flushed at every commit, one writer.

Writers check inside the transaction that nobody else appended since they looked. Readers never
block the writer. Tiles, rows and checkpoints are walked at one moment, which lasts until the walk
ends; entries are read in chunks, so a walk over them may be left at any place.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from wattest.errors import StoreError
from wattest.ledger.store import Rows, StoredCosignature
from wattest.store.rows import Values, values_by_table
from wattest.store.sql import FORMAT, sql_text
from wattest.store.sql_store import SqlStore
from wattest.store.sqlite_file import FileKind, explain, open_for_reading, open_for_writing


def _layout() -> str:
    return sql_text("sqlite").layout


def _upgrade_from_1() -> str:
    """Let the entries have the kinds since 7, and witnesses a table.

    A CHECK of SQLite cannot be changed, so the entries move into a table that has the new one.
    """
    tables = sql_text("sqlite").tables
    entry, cosignature = tables["entry"], tables["cosignature"]
    columns = ", ".join(entry.columns)
    move = f"INSERT INTO entry ({columns}) SELECT {columns} FROM entry_1 ORDER BY idx;\n"  # noqa: S608
    aside = "ALTER TABLE entry RENAME TO entry_1;\n"
    return f"{aside}{entry.layout}{move}DROP TABLE entry_1;\n{cosignature.layout}"


LEDGER = FileKind(
    what="ledger",
    usual_name="ledger.sqlite",
    application_id=0x77617474,  # "watt"
    version=FORMAT,
    layout=_layout,
    when_damaged="run `wattest verify` on the ledger",
    upgrades={1: _upgrade_from_1},
)


class SqliteStore(SqlStore):
    """A ledger file. Implements ``wattest.ledger.store.Store``.

    Args:
        path: the file.
        create: make a new ledger when there is none.
        read_only: never write, for audits; ``create`` is ignored.
        busy_timeout_s: how long to wait for another program, s.

    Raises:
        StoreError: there is no ledger, or the file is not one, or it cannot be opened.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        create: bool = True,
        read_only: bool = False,
        busy_timeout_s: float = 5.0,
    ) -> None:
        self._path = Path(path)
        self._read_only = read_only
        super().__init__(str(self._path), sql_text("sqlite"))
        if read_only:
            self._connection = open_for_reading(
                self._path, busy_timeout_s=busy_timeout_s, kind=LEDGER
            )
        else:
            self.is_new = not self._path.exists()
            self._connection = open_for_writing(
                self._path, create=create, busy_timeout_s=busy_timeout_s, kind=LEDGER
            )

        (self._version,) = self._connection.execute("PRAGMA user_version").fetchone()
        self._written = 0

    def close(self) -> None:
        """Move the write-ahead log into the file and let go of it; calling again does nothing."""
        with contextlib.suppress(sqlite3.Error):
            if not self._read_only:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()

    def discard(self) -> None:
        """Close a new ledger that is still empty, and leave nothing of it behind.

        Raises:
            StoreError: it cannot be removed.
        """
        removed = self.is_new and not self._size()
        self.close()
        try:
            if removed:
                self._path.unlink()
        except OSError as exc:
            raise StoreError(f"{self._path}: cannot be removed: {exc.strerror}") from exc

    @contextlib.contextmanager
    def turn(self) -> Iterator[int]:
        """Wait for the turn to write; hand out the number of entries there are then.

        Raises:
            StoreError: another program did not let go in time, or the file cannot be written.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as exc:
            raise self._explained(exc, "appending") from exc
        try:
            self._turn_size = size = self._size()
            self._written = 0
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
        try:
            for table, values in values_by_table(rows):
                self._connection.executemany(self._text.tables[table].insert, values)
        except sqlite3.Error as exc:
            self._end_turn()
            raise self._explained(exc, f"appending {self._written} entries") from exc

    def keep(self) -> None:
        """Keep what this turn wrote, flushed to the disk.

        Raises:
            StoreError: nothing was kept.
        """
        assert self._turn_size is not None, "what is kept was written in a turn"
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as exc:
            raise self._explained(exc, f"appending {self._written} entries") from exc
        finally:
            self._end_turn()

    def cosignatures(self, size: int) -> list[bytes]:
        """Return the lines of witnesses under the checkpoint of a size, sorted."""
        return [] if self._version == 1 else super().cosignatures(size)

    def cosigned(self) -> Iterator[StoredCosignature]:
        """Yield all lines of witnesses by size and line."""
        return iter(()) if self._version == 1 else super().cosigned()

    def damage(self) -> Iterator[str]:
        """Yield what is wrong with the file's structure, one line each."""
        for (line,) in self._rows("PRAGMA integrity_check(20)"):
            if line != "ok":
                yield str(line)
        for (index,) in self._rows(self._text.negative):
            yield f"entry {index}: expected indexes from 0"
        for kind, name in self._rows(
            "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view')"
        ):
            yield f"{kind} {name}: no ledger has one"

    def _fetch(self, sql: str, values: Values = ()) -> list[Values]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as exc:
            raise self._explained(exc, "reading") from exc

    def _rows(self, sql: str, values: Values = ()) -> Iterator[Values]:
        try:
            # Not `yield from`: it would close the cursor of a reader that stopped half-way, and a
            # cursor cannot be closed after its connection.
            for row in self._connection.execute(sql, values):  # noqa: UP028
                yield row
        except sqlite3.Error as exc:
            raise self._explained(exc, "reading") from exc

    @contextlib.contextmanager
    def _one_moment(self) -> Iterator[None]:
        """Let several statements see the same state of the file."""
        if self._turn_size is not None:
            yield
            return
        try:
            self._connection.execute("BEGIN")
        except sqlite3.Error as exc:
            raise self._explained(exc, "reading") from exc
        try:
            yield
        finally:
            self._end_turn()

    def _end_turn(self) -> None:
        self._turn_size = None
        # A failed commit may have rolled back by itself, and a dying disk may refuse even this:
        # the write-ahead log then simply lacks the commit mark.
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _explained(self, exc: sqlite3.Error, doing: str) -> StoreError:
        return explain(exc, self._path, doing, kind=LEDGER)
