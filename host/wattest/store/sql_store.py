"""What the stores over a database share: reading rows, and taking rows apart for writing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from wattest.errors import DamagedStore, StoreError
from wattest.ledger.entry import ConflictRow, Entry, RecordRow
from wattest.ledger.store import (
    Batch,
    Head,
    LedgerMoved,
    Rows,
    StoredCheckpoint,
    StoredCosignature,
    StoredTile,
)
from wattest.store.rows import (
    Values,
    blob_of,
    checkpoint_of,
    conflict_of,
    edge_of,
    entry_of,
    record_of,
)
from wattest.store.sql import SqlText

_ENTRIES_PER_READ = 512
_INDEX_MAX = 2**63 - 1


class SqlStore(ABC):
    """A ledger in tables.

    Args:
        place: what to call it in messages.
        text: the statements in its database's words.

    Attributes:
        is_new: there was none before; it was laid out when it was opened.
    """

    is_new = False

    def __init__(self, place: str, text: SqlText) -> None:
        self._place = place
        self._text = text
        self._turn_size: int | None = None

    @property
    def place(self) -> str:
        """What to call it in messages: the path, or the URL without its password."""
        return self._place

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Let go of the storage; calling again does nothing."""

    @abstractmethod
    def turn(self) -> AbstractContextManager[int]:
        """See ``wattest.ledger.store.Store.turn``."""

    @abstractmethod
    def write(self, rows: Rows) -> None:
        """See ``wattest.ledger.store.Store.write``."""

    @abstractmethod
    def keep(self) -> None:
        """See ``wattest.ledger.store.Store.keep``."""

    @abstractmethod
    def damage(self) -> Iterator[str]:
        """See ``wattest.ledger.store.LedgerReader.damage``."""

    @abstractmethod
    def discard(self) -> None:
        """Close a new ledger that is still empty, and leave nothing of it behind.

        Raises:
            StoreError: it cannot be removed.
        """

    @abstractmethod
    def _fetch(self, sql: str, values: Values = ()) -> list[Values]:
        """Return all rows of a statement."""

    @abstractmethod
    def _rows(self, sql: str, values: Values = ()) -> Iterator[Values]:
        """Yield the rows of one moment, however many there are."""

    @abstractmethod
    def _one_moment(self) -> AbstractContextManager[None]:
        """Let several statements see the same state."""

    def commit(self, batch: Batch) -> None:
        """Write a batch in one transaction, flushed to the disk.

        Raises:
            StoreError: nothing of the batch was written.
        """
        if self._turn_size is None:
            with self.turn():
                self.commit(batch)
            return
        if self._turn_size != batch.first_index:
            raise LedgerMoved(self._place, expected=batch.first_index, got=self._turn_size)
        self.write(batch.rows())
        self.keep()

    def add_cosignatures(self, size: int, lines: Sequence[bytes]) -> None:
        """Keep the lines of witnesses under a checkpoint; those that are there stay.

        Raises:
            StoreError: there is no checkpoint of that size, or nothing was written.
        """
        with self.turn():
            if not self._fetch(self._text.checkpoint, (size,)):
                raise StoreError(f"{self._place}: no checkpoint of size {size} to cosign")
            rows = [StoredCosignature(size=size, line=line) for line in lines]
            self.write(Rows(cosignatures=rows))
            self.keep()

    def head(self) -> Head:
        """Return size, edges and newest checkpoint of one moment."""
        with self._one_moment():
            size = self._size()
            edges = tuple(edge_of(row) for row in self._fetch(self._text.edges))
            newest = self._fetch(self._text.newest_checkpoint)
        return Head(
            size=size, edges=edges, checkpoint=checkpoint_of(newest[0]) if newest else None
        )

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        """Yield entries with start <= index < stop, in order."""
        place = start
        last = _INDEX_MAX if stop is None else min(stop, _INDEX_MAX)
        while place < last:
            rows = self._fetch(self._text.entries, (place, last, _ENTRIES_PER_READ))
            for row in rows:
                place = row[0] + 1
                yield entry_of(row)
            if len(rows) < _ENTRIES_PER_READ:
                return

    def tile(self, level: int, number: int) -> bytes:
        """Return a full tile, 8192 bytes."""
        for (hashes,) in self._fetch(self._text.tile, (level, number)):
            return blob_of(hashes, "tile", f"{level}/{number}")
        raise DamagedStore(
            f"{self._place}: tile {level}/{number} is missing",
            hint="run `wattest verify` on the ledger",
        )

    def tiles(self) -> Iterator[StoredTile]:
        """Yield all full tiles by level and number."""
        for level, number, hashes in self._rows(self._text.tiles):
            data = blob_of(hashes, "tile", f"{level}/{number}")
            yield StoredTile(level=level, number=number, hashes=data)

    def checkpoints(self, start: int = 0) -> Iterator[StoredCheckpoint]:
        """Yield checkpoints of size >= start by size."""
        return map(checkpoint_of, self._rows(self._text.checkpoints, (start,)))

    def cosignatures(self, size: int) -> list[bytes]:
        """Return the lines of witnesses under the checkpoint of a size, sorted."""
        found = self._fetch(self._text.cosignatures, (size,))
        return [blob_of(line, "cosignature", size) for (line,) in found]

    def cosigned(self) -> Iterator[StoredCosignature]:
        """Yield all lines of witnesses by size and line."""
        for size, line in self._rows(self._text.cosigned):
            yield StoredCosignature(size=size, line=blob_of(line, "cosignature", size))

    def records(self, kid: bytes | None = None, ctx: int | None = None) -> Iterator[RecordRow]:
        """Yield record rows: all by index, or of one key by ctx and seq (of one ctx if given)."""
        if kid is None:
            rows = self._rows(self._text.records)
        elif ctx is None:
            rows = self._rows(self._text.records_of_kid, (kid,))
        else:
            rows = self._rows(self._text.records_of_ctx, (kid, ctx))
        return map(record_of, rows)

    def conflicts(self) -> Iterator[ConflictRow]:
        """Yield conflict rows by index."""
        return map(conflict_of, self._rows(self._text.conflicts))

    def last_seq(self, kid: bytes, ctx: int) -> int:
        """Return the highest logged seq of a key's ctx, 0 if none."""
        ((last,),) = self._fetch(self._text.last_seq, (kid, ctx))
        return int(last or 0)

    def find_record(self, kid: bytes, ctx: int, seq: int) -> RecordRow | None:
        """Return the row of an identity."""
        return next(map(record_of, self._fetch(self._text.record, (kid, ctx, seq))), None)

    def find_conflict(
        self, kid: bytes, ctx: int, seq: int, content_digest: bytes
    ) -> ConflictRow | None:
        """Return the conflict row of a later content of an identity."""
        found = self._fetch(self._text.conflict, (kid, ctx, seq, content_digest))
        return next(map(conflict_of, found), None)

    def _size(self) -> int:
        ((size,),) = self._fetch(self._text.size)
        return int(size)
