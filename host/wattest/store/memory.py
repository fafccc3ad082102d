"""The ledger in memory: for tests, and for runs that keep nothing."""

from __future__ import annotations

from collections.abc import Iterator

from wattest.errors import StoreError
from wattest.ledger.entry import ConflictRow, Entry, RecordRow
from wattest.ledger.store import Batch, Head, StoredCheckpoint, StoredEdge, StoredTile


class MemoryStore:
    """Implements ``wattest.ledger.store.Store`` with dictionaries."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._records: dict[tuple[bytes, int, int], RecordRow] = {}
        self._conflicts: dict[tuple[bytes, int, int, bytes], ConflictRow] = {}
        self._tiles: dict[tuple[int, int], bytes] = {}
        self._edges: dict[int, bytes] = {}
        self._checkpoints: dict[int, StoredCheckpoint] = {}
        self._last_seq: dict[tuple[bytes, int], int] = {}

    def close(self) -> None:
        """Do nothing: the content stays, so that a run can be looked at after its end."""

    def commit(self, batch: Batch) -> None:
        """Take over a batch, all or nothing.

        Raises:
            StoreError: nothing of the batch was taken over.
        """
        self._check(batch)
        self._entries.extend(batch.entries)
        for row in batch.records:
            facts = row.facts
            self._records[facts.kid, facts.ctx, facts.seq] = row
            last = self._last_seq.get((facts.kid, facts.ctx), 0)
            self._last_seq[facts.kid, facts.ctx] = max(last, facts.seq)
        for conflict in batch.conflicts:
            self._conflicts[_conflict_key(conflict)] = conflict
        for tile in batch.tiles:
            self._tiles[tile.level, tile.number] = tile.hashes
        for edge in batch.edges:
            self._edges[edge.level] = edge.hashes
        self._checkpoints[batch.checkpoint.size] = batch.checkpoint

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

    def damage(self) -> Iterator[str]:
        """Yield nothing: there is no file structure that could break."""
        return iter(())

    def _check(self, batch: Batch) -> None:
        size = len(self._entries)
        if batch.first_index != size:
            raise StoreError(
                f"another writer appended: expected {batch.first_index} entries, got {size}"
            )
        for place, entry in enumerate(batch.entries):
            if entry.index != size + place:
                raise StoreError(f"entry {entry.index}: expected index {size + place}")
        for row in batch.records:
            identity = (row.facts.kid, row.facts.ctx, row.facts.seq)
            if identity in self._records:
                raise StoreError(f"record of entry {row.index}: its identity is logged already")
        for conflict in batch.conflicts:
            if _conflict_key(conflict) in self._conflicts:
                raise StoreError(f"conflict of entry {conflict.index}: it is logged already")
        for tile in batch.tiles:
            if (tile.level, tile.number) in self._tiles:
                raise StoreError(f"tile {tile.level}/{tile.number}: it is stored already")
        if batch.checkpoint.size in self._checkpoints:
            raise StoreError(f"checkpoint of size {batch.checkpoint.size}: it is stored already")


def _conflict_key(row: ConflictRow) -> tuple[bytes, int, int, bytes]:
    return (row.kid, row.ctx, row.seq, row.content_digest)
