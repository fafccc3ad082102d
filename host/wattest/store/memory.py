"""The ledger in memory: for tests, and for runs that keep nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from wattest.errors import StoreError
from wattest.ledger.entry import ConflictRow, Entry, RecordRow
from wattest.ledger.store import (
    Batch,
    Head,
    LedgerMoved,
    Rows,
    StoredCheckpoint,
    StoredCosignature,
    StoredEdge,
    StoredTile,
)

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class MemoryStore:
    """Implements ``wattest.ledger.store.Store`` with dictionaries."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._records: dict[tuple[bytes, int, int], RecordRow] = {}
        self._conflicts: dict[tuple[bytes, int, int, bytes], ConflictRow] = {}
        self._tiles: dict[tuple[int, int], bytes] = {}
        self._edges: dict[int, bytes] = {}
        self._checkpoints: dict[int, StoredCheckpoint] = {}
        self._cosignatures: dict[tuple[int, bytes], None] = {}
        self._last_seq: dict[tuple[bytes, int], int] = {}
        self._undo: list[Callable[[], object]] | None = None

    def close(self) -> None:
        """Do nothing: the content stays, so that a run can be looked at after its end."""

    @contextlib.contextmanager
    def turn(self) -> Iterator[int]:
        """Take the turn to write, which is always free; hand out the number of entries."""
        assert self._undo is None, "a turn is over before the next begins"
        self._undo = []
        try:
            yield len(self._entries)
        finally:
            self._end_turn()

    def write(self, rows: Rows) -> None:
        """Write rows in this turn.

        Raises:
            StoreError: they cannot be written; the turn is over and nothing of it was kept.
        """
        try:
            self._check(rows)
        except StoreError:
            self._end_turn()
            raise
        self._undo_to(len(self._entries))
        self._entries.extend(rows.entries)
        for row in rows.records:
            facts = row.facts
            series = (facts.kid, facts.ctx)
            self._put(self._records, (*series, facts.seq), row)
            self._put(self._last_seq, series, max(self._last_seq.get(series, 0), facts.seq))
        for conflict in rows.conflicts:
            self._put(self._conflicts, _conflict_key(conflict), conflict)
        for tile in rows.tiles:
            self._put(self._tiles, (tile.level, tile.number), tile.hashes)
        for edge in rows.edges:
            self._put(self._edges, edge.level, edge.hashes)
        for checkpoint in rows.checkpoints:
            self._put(self._checkpoints, checkpoint.size, checkpoint)
        for cosignature in rows.cosignatures:
            self._put(self._cosignatures, (cosignature.size, cosignature.line), None)

    def keep(self) -> None:
        """Keep what this turn wrote."""
        self._undo = None

    def commit(self, batch: Batch) -> None:
        """Take over a batch, all or nothing.

        Raises:
            StoreError: nothing of the batch was taken over.
        """
        if self._undo is None:
            with self.turn():
                self.commit(batch)
            return
        size = len(self._entries)
        if batch.first_index != size:
            raise LedgerMoved("memory", expected=batch.first_index, got=size)
        self.write(batch.rows())
        self.keep()

    def add_cosignatures(self, size: int, lines: Sequence[bytes]) -> None:
        """Keep lines of witnesses under a checkpoint; those that are there stay.

        Raises:
            StoreError: there is no checkpoint of that size.
        """
        if size not in self._checkpoints:
            raise StoreError(f"memory: no checkpoint of size {size} to cosign")
        self._cosignatures.update(dict.fromkeys((size, line) for line in lines))

    def head(self) -> Head:
        """Return size, edges and newest checkpoint of one moment."""
        edges = tuple(
            StoredEdge(level=level, hashes=self._edges[level]) for level in sorted(self._edges)
        )
        newest = self._checkpoints[max(self._checkpoints)] if self._checkpoints else None
        return Head(size=len(self._entries), edges=edges, checkpoint=newest)

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        """Yield entries with start <= index < stop, in order."""
        return iter(self._entries[start:stop])

    def tile(self, level: int, number: int) -> bytes:
        """Return a full tile, 8192 bytes."""
        try:
            return self._tiles[level, number]
        except KeyError:
            raise StoreError(f"tile {level}/{number} is missing") from None

    def tiles(self) -> Iterator[StoredTile]:
        """Yield all full tiles by level and number."""
        for (level, number), hashes in sorted(self._tiles.items()):
            yield StoredTile(level=level, number=number, hashes=hashes)

    def checkpoints(self, start: int = 0) -> Iterator[StoredCheckpoint]:
        """Yield checkpoints of size >= start by size."""
        return iter(
            [self._checkpoints[size] for size in sorted(self._checkpoints) if size >= start]
        )

    def records(self, kid: bytes | None = None, ctx: int | None = None) -> Iterator[RecordRow]:
        """Yield record rows: all by index, or of one key by ctx and seq (of one ctx if given)."""
        if kid is None:
            return iter(sorted(self._records.values(), key=lambda row: row.index))
        keys = sorted(key for key in self._records if key[0] == kid and ctx in (None, key[1]))
        return iter([self._records[key] for key in keys])

    def conflicts(self) -> Iterator[ConflictRow]:
        """Yield conflict rows by index."""
        return iter(sorted(self._conflicts.values(), key=lambda row: row.index))

    def last_seq(self, kid: bytes, ctx: int) -> int:
        """Return the highest logged seq of a key's ctx, 0 if none."""
        return self._last_seq.get((kid, ctx), 0)

    def find_record(self, kid: bytes, ctx: int, seq: int) -> RecordRow | None:
        """Return the row of an identity."""
        return self._records.get((kid, ctx, seq))

    def find_conflict(
        self, kid: bytes, ctx: int, seq: int, content_digest: bytes
    ) -> ConflictRow | None:
        """Return the conflict row of a later content of an identity."""
        return self._conflicts.get((kid, ctx, seq, content_digest))

    def cosignatures(self, size: int) -> list[bytes]:
        """Return the lines of witnesses under the checkpoint of a size, sorted."""
        return sorted(line for at, line in self._cosignatures if at == size)

    def cosigned(self) -> Iterator[StoredCosignature]:
        """Yield all lines of witnesses by size and line."""
        for size, line in sorted(self._cosignatures):
            yield StoredCosignature(size=size, line=line)

    def damage(self) -> Iterator[str]:
        """Yield nothing: there is no file structure that could break."""
        return iter(())

    def _put(self, table: dict[_Key, _Value], key: _Key, value: _Value) -> None:
        """Put a row into a table, so that it can be taken out again."""
        assert self._undo is not None, "rows are written in a turn"
        if key in table:
            self._undo.append(partial(table.__setitem__, key, table[key]))
        else:
            self._undo.append(partial(table.pop, key))
        table[key] = value

    def _undo_to(self, size: int) -> None:
        assert self._undo is not None, "rows are written in a turn"
        self._undo.append(partial(self._entries.__delitem__, slice(size, None)))

    def _end_turn(self) -> None:
        """Take out what was not kept, the last first."""
        undo, self._undo = self._undo or [], None
        for step in reversed(undo):
            step()

    def _check(self, rows: Rows) -> None:
        size = len(self._entries)
        for place, entry in enumerate(rows.entries):
            if entry.index != size + place:
                raise StoreError(f"entry {entry.index}: expected index {size + place}")
        for row in rows.records:
            identity = (row.facts.kid, row.facts.ctx, row.facts.seq)
            if identity in self._records:
                raise StoreError(f"record of entry {row.index}: its identity is logged already")
        for conflict in rows.conflicts:
            if _conflict_key(conflict) in self._conflicts:
                raise StoreError(f"conflict of entry {conflict.index}: it is logged already")
        for tile in rows.tiles:
            if (tile.level, tile.number) in self._tiles:
                raise StoreError(f"tile {tile.level}/{tile.number}: it is stored already")
        for checkpoint in rows.checkpoints:
            if checkpoint.size in self._checkpoints:
                raise StoreError(f"checkpoint of size {checkpoint.size}: it is stored already")


def _conflict_key(row: ConflictRow) -> tuple[bytes, int, int, bytes]:
    return (row.kid, row.ctx, row.seq, row.content_digest)
