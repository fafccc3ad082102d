"""The ledger in one SQLite file: write-ahead log, flushed at every commit, one writer.

Writers check inside the transaction that nobody else appended since they looked. Readers never
block the writer. Tiles, rows and checkpoints are walked at one moment, which lasts until the walk
ends; entries are read in chunks, so a walk over them may be left at any place.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from wattest.errors import StoreError
from wattest.ledger.entry import ConflictRow, Entry, RecordFacts, RecordRow
from wattest.ledger.store import Batch, Head, StoredCheckpoint, StoredEdge, StoredTile
from wattest.store.sqlite_file import explain, open_for_reading, open_for_writing

_ENTRIES_PER_READ = 512
_INDEX_MAX = 2**63 - 1

_RECORD_COLUMNS = (
    "idx, kid, ctx, seq, time_ms, tsync, mono_ms, bootseed, import_milliwh, export_milliwh, "
    "use_s, power_milliwatts, status, err, input, content_digest"
)
_CONFLICT_COLUMNS = "kid, ctx, seq, content_digest, first_idx, idx"


class SqliteStore:
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
        if read_only:
            self._connection = open_for_reading(self._path, busy_timeout_s=busy_timeout_s)
        else:
            self._connection = open_for_writing(
                self._path, create=create, busy_timeout_s=busy_timeout_s
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Move the write-ahead log into the file and let go of it; calling again does nothing."""
        with contextlib.suppress(sqlite3.Error):
            if not self._read_only:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()

    def commit(self, batch: Batch) -> None:
        """Write a batch in one transaction, flushed to the disk.

        Raises:
            StoreError: nothing of the batch was written.
        """
        doing = f"appending {len(batch.entries)} entries"
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._check_first_index(batch.first_index)
            self._insert(batch)
            self._connection.execute("COMMIT")
        except sqlite3.Error as exc:
            self._roll_back()
            raise explain(exc, self._path, doing) from exc
        except BaseException:
            self._roll_back()
            raise

    def head(self) -> Head:
        """Return size, edges and newest checkpoint of one moment."""
        with self._one_moment():
            size = self._size()
            edges = tuple(
                StoredEdge(level=level, hashes=_blob(hashes, "edge", level))
                for level, hashes in self._fetch("SELECT level, hashes FROM edge ORDER BY level")
            )
            newest = None
            for row in self._fetch(
                "SELECT size, root, note FROM checkpoint ORDER BY size DESC LIMIT 1"
            ):
                newest = _checkpoint(row)
        return Head(size=size, edges=edges, checkpoint=newest)

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        """Yield entries with start <= index < stop, in order."""
        place = start
        last = _INDEX_MAX if stop is None else min(stop, _INDEX_MAX)
        while place < last:
            rows = self._fetch(
                "SELECT idx, kind, body, leaf FROM entry WHERE idx >= ? AND idx < ? "
                "ORDER BY idx LIMIT ?",
                (place, last, _ENTRIES_PER_READ),
            )
            for index, kind, body, leaf in rows:
                place = index + 1
                yield Entry(
                    index=index,
                    kind=_integer(kind, "entry", index),
                    body=_blob(body, "entry", index),
                    leaf=_blob(leaf, "entry", index),
                )
            if len(rows) < _ENTRIES_PER_READ:
                return

    def tile(self, level: int, number: int) -> bytes:
        """Return a full tile, 8192 bytes."""
        sql = "SELECT hashes FROM tile WHERE level = ? AND n = ?"
        for (hashes,) in self._fetch(sql, (level, number)):
            return _blob(hashes, "tile", f"{level}/{number}")
        raise StoreError(
            f"{self._path}: tile {level}/{number} is missing",
            hint="run `wattest verify` on the ledger",
        )

    def tiles(self) -> Iterator[StoredTile]:
        """Yield all full tiles by level and number."""
        sql = "SELECT level, n, hashes FROM tile ORDER BY level, n"
        for level, number, hashes in self._rows(sql):
            data = _blob(hashes, "tile", f"{level}/{number}")
            yield StoredTile(level=level, number=number, hashes=data)

    def checkpoints(self, start: int = 0) -> Iterator[StoredCheckpoint]:
        """Yield checkpoints of size >= start by size."""
        sql = "SELECT size, root, note FROM checkpoint WHERE size >= ? ORDER BY size"
        for row in self._rows(sql, (start,)):
            yield _checkpoint(row)

    def records(self, kid: bytes | None = None, ctx: int | None = None) -> Iterator[RecordRow]:
        """Yield record rows: all by index, or of one key by ctx and seq (of one ctx if given)."""
        select = f"SELECT {_RECORD_COLUMNS} FROM record"  # noqa: S608
        if kid is None:
            rows = self._rows(f"{select} ORDER BY idx")
        elif ctx is None:
            rows = self._rows(f"{select} WHERE kid = ? ORDER BY ctx, seq", (kid,))
        else:
            rows = self._rows(f"{select} WHERE kid = ? AND ctx = ? ORDER BY seq", (kid, ctx))
        return map(_record, rows)

    def conflicts(self) -> Iterator[ConflictRow]:
        """Yield conflict rows by index."""
        sql = f"SELECT {_CONFLICT_COLUMNS} FROM conflict ORDER BY idx"  # noqa: S608
        return map(_conflict, self._rows(sql))

    def last_seq(self, kid: bytes, ctx: int) -> int:
        """Return the highest logged seq of a key's ctx, 0 if none."""
        sql = "SELECT max(seq) FROM record WHERE kid = ? AND ctx = ?"
        ((last,),) = self._fetch(sql, (kid, ctx))
        return int(last or 0)

    def find_record(self, kid: bytes, ctx: int, seq: int) -> RecordRow | None:
        """Return the row of an identity."""
        sql = (
            f"SELECT {_RECORD_COLUMNS} FROM record "  # noqa: S608
            "WHERE kid = ? AND ctx = ? AND seq = ?"
        )
        return next(map(_record, self._fetch(sql, (kid, ctx, seq))), None)

    def find_conflict(
        self, kid: bytes, ctx: int, seq: int, content_digest: bytes
    ) -> ConflictRow | None:
        """Return the conflict row of a later content of an identity."""
        sql = (
            f"SELECT {_CONFLICT_COLUMNS} FROM conflict "  # noqa: S608
            "WHERE kid = ? AND ctx = ? AND seq = ? AND content_digest = ?"
        )
        return next(map(_conflict, self._fetch(sql, (kid, ctx, seq, content_digest))), None)

    def damage(self) -> Iterator[str]:
        """Yield what is wrong with the file's structure, one line each."""
        for (line,) in self._rows("PRAGMA integrity_check(20)"):
            if line != "ok":
                yield str(line)
        for (index,) in self._rows("SELECT idx FROM entry WHERE idx < 0"):
            yield f"entry {index}: expected indexes from 0"
        for kind, name in self._rows(
            "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view')"
        ):
            yield f"{kind} {name}: no ledger has one"

    def _fetch(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as exc:
            raise explain(exc, self._path, "reading") from exc

    def _rows(self, sql: str, values: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        try:
            # Not `yield from`: it would close the cursor of a reader that stopped half-way, and a
            # cursor cannot be closed after its connection.
            for row in self._connection.execute(sql, values):  # noqa: UP028
                yield row
        except sqlite3.Error as exc:
            raise explain(exc, self._path, "reading") from exc

    @contextlib.contextmanager
    def _one_moment(self) -> Iterator[None]:
        """Let several statements see the same state of the file."""
        try:
            self._connection.execute("BEGIN")
        except sqlite3.Error as exc:
            raise explain(exc, self._path, "reading") from exc
        try:
            yield
        finally:
            self._roll_back()

    def _roll_back(self) -> None:
        # A failed commit may have rolled back by itself, and a dying disk may refuse even this:
        # the write-ahead log then simply lacks the commit mark.
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _size(self) -> int:
        ((size,),) = self._fetch("SELECT coalesce(max(idx) + 1, 0) FROM entry")
        return int(size)

    def _check_first_index(self, first_index: int) -> None:
        size = self._size()
        if size != first_index:
            raise StoreError(
                f"{self._path}: another program appended: expected {first_index} entries, "
                f"got {size}",
                hint="let only one program write to a ledger",
            )

    def _insert(self, batch: Batch) -> None:
        many = self._connection.executemany
        many(
            "INSERT INTO entry VALUES (?, ?, ?, ?)",
            [(entry.index, entry.kind, entry.body, entry.leaf) for entry in batch.entries],
        )
        many(
            f"INSERT INTO record ({_RECORD_COLUMNS}) "  # noqa: S608
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            _record_values(batch.records),
        )
        many(
            f"INSERT INTO conflict ({_CONFLICT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608
            [
                (c.kid, c.ctx, c.seq, c.content_digest, c.first_index, c.index)
                for c in batch.conflicts
            ],
        )
        many(
            "INSERT INTO tile VALUES (?, ?, ?)",
            [(tile.level, tile.number, tile.hashes) for tile in batch.tiles],
        )
        many(
            "INSERT OR REPLACE INTO edge VALUES (?, ?)",
            [(edge.level, edge.hashes) for edge in batch.edges],
        )
        newest = batch.checkpoint
        self._connection.execute(
            "INSERT INTO checkpoint VALUES (?, ?, ?)", (newest.size, newest.root, newest.note)
        )


def _record_values(rows: Iterable[RecordRow]) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        facts = row.facts
        yield (
            row.index,
            facts.kid,
            facts.ctx,
            facts.seq,
            facts.time_ms,
            facts.tsync,
            facts.mono_ms,
            facts.bootseed,
            facts.import_milliwh,
            facts.export_milliwh,
            facts.use_s,
            facts.power_milliwatts,
            facts.status,
            facts.err,
            facts.input,
            facts.content_digest,
        )


def _record(row: tuple[Any, ...]) -> RecordRow:
    """Build a row as stored; the audit compares it with the entry, so types need no check here."""
    facts = RecordFacts(
        kid=row[1],
        ctx=row[2],
        seq=row[3],
        time_ms=row[4],
        tsync=row[5],
        mono_ms=row[6],
        bootseed=row[7],
        import_milliwh=row[8],
        export_milliwh=row[9],
        use_s=row[10],
        power_milliwatts=row[11],
        status=row[12],
        err=row[13],
        input=row[14],
        content_digest=row[15],
    )
    return RecordRow(index=row[0], facts=facts)


def _conflict(row: tuple[Any, ...]) -> ConflictRow:
    return ConflictRow(
        kid=row[0],
        ctx=row[1],
        seq=row[2],
        content_digest=row[3],
        first_index=row[4],
        index=row[5],
    )


def _checkpoint(row: tuple[Any, ...]) -> StoredCheckpoint:
    size, root, note = row
    return StoredCheckpoint(
        size=size, root=_blob(root, "checkpoint", size), note=_blob(note, "checkpoint", size)
    )


def _blob(value: Any, table: str, place: object) -> bytes:
    if not isinstance(value, bytes):
        raise StoreError(f"{table} {place}: expected a blob, got {type(value).__name__}")
    return value


def _integer(value: Any, table: str, place: object) -> int:
    if not isinstance(value, int):
        raise StoreError(f"{table} {place}: expected an integer, got {type(value).__name__}")
    return value
