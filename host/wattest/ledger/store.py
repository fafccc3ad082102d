"""The ports to storage that the ledger and its audit need, and the values that pass through them.

Implementations: ``wattest.store.sqlite.SqliteStore``, ``wattest.store.memory.MemoryStore`` and
``wattest.store.postgresql.PostgresqlStore``. One conformance suite holds for all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from wattest.errors import StoreError
from wattest.ledger.entry import ConflictRow, Entry, RecordRow


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTile:
    """A full tile.

    Attributes:
        level: 0 holds leaves.
        number: place in its level, from 0.
        hashes: 256 hashes, 8192 bytes.
    """

    level: int
    number: int
    hashes: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEdge:
    """The growing tile of a level.

    Attributes:
        level: 0 holds leaves.
        hashes: 0..255 hashes of 32 bytes.
    """

    level: int
    hashes: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCheckpoint:
    """A signed checkpoint as stored.

    Attributes:
        size: entries it covers.
        root: 32 bytes.
        note: the signed note, UTF-8.
    """

    size: int
    root: bytes
    note: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCosignature:
    """What a witness signed under a checkpoint.

    Attributes:
        size: of the checkpoint.
        line: its signature line, UTF-8, without the line's end.
    """

    size: int
    line: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows to write, table by table. An edge replaces the one of its level."""

    entries: Sequence[Entry] = ()
    records: Sequence[RecordRow] = ()
    conflicts: Sequence[ConflictRow] = ()
    tiles: Sequence[StoredTile] = ()
    edges: Sequence[StoredEdge] = ()
    checkpoints: Sequence[StoredCheckpoint] = ()
    cosignatures: Sequence[StoredCosignature] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One commit: all of it or nothing.

    Attributes:
        first_index: size of the ledger before; anything else means another writer.
        entries: the new entries, in order.
        records: rows for the records among them.
        conflicts: rows for the conflict findings among them.
        tiles: tiles that became full.
        edges: edges that changed.
        checkpoint: covers all entries.
    """

    first_index: int
    entries: Sequence[Entry]
    records: Sequence[RecordRow]
    conflicts: Sequence[ConflictRow]
    tiles: Sequence[StoredTile]
    edges: Sequence[StoredEdge]
    checkpoint: StoredCheckpoint

    def rows(self) -> Rows:
        """Return what to write."""
        return Rows(
            entries=self.entries,
            records=self.records,
            conflicts=self.conflicts,
            tiles=self.tiles,
            edges=self.edges,
            checkpoints=(self.checkpoint,),
        )


class LedgerMoved(StoreError):
    """Another writer appended since the ledger was looked at; nothing was written.

    Args:
        place: what to call the ledger.
        expected: entries it had.
        got: entries it has.
    """

    def __init__(self, place: str, *, expected: int, got: int) -> None:
        super().__init__(
            f"{place}: another program appended: expected {expected} entries, got {got}",
            hint="look at the ledger again, then append",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where the ledger stands.

    Attributes:
        size: number of entries.
        edges: growing tiles, lowest level first.
        checkpoint: the newest, or None in an empty ledger.
    """

    size: int
    edges: tuple[StoredEdge, ...]
    checkpoint: StoredCheckpoint | None


class LedgerReader(Protocol):
    """Reading a stored ledger. Every method raises StoreError when the storage cannot be read."""

    def head(self) -> Head:
        """Return size, edges and newest checkpoint of one moment."""

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        """Yield entries with start <= index < stop, in order."""

    def tile(self, level: int, number: int) -> bytes:
        """Return a full tile, 8192 bytes."""

    def tiles(self) -> Iterator[StoredTile]:
        """Yield all full tiles by level and number."""

    def checkpoints(self, start: int = 0) -> Iterator[StoredCheckpoint]:
        """Yield checkpoints of size >= start by size."""

    def records(self, kid: bytes | None = None, ctx: int | None = None) -> Iterator[RecordRow]:
        """Yield record rows: all by index, or of one key by ctx and seq (of one ctx if given)."""

    def conflicts(self) -> Iterator[ConflictRow]:
        """Yield conflict rows by index."""

    def cosignatures(self, size: int) -> list[bytes]:
        """Return the lines of witnesses under the checkpoint of a size, sorted."""

    def cosigned(self) -> Iterator[StoredCosignature]:
        """Yield all lines of witnesses by size and line."""

    def damage(self) -> Iterator[str]:
        """Yield what the storage itself finds wrong with its structure, one line each."""

    def close(self) -> None:
        """Let go of the storage; calling again does nothing."""


class Store(LedgerReader, Protocol):
    """Storage a ledger can be written to.

    Whoever writes has the turn, and everybody else who wants to write waits. What is read during a
    turn is what the turn wrote. Nothing is kept but by :meth:`keep` or :meth:`commit`, which end
    the turn.
    """

    def turn(self) -> AbstractContextManager[int]:
        """Wait for the turn to write; hand out the number of entries there are then.

        Raises:
            StoreError: another writer did not let go in time, or the storage cannot be written.
        """

    def write(self, rows: Rows) -> None:
        """Write rows in this turn.

        Raises:
            StoreError: they cannot be written; the turn is over and nothing of it was kept.
        """

    def keep(self) -> None:
        """Keep what this turn wrote; when this returns, it survives a power cut.

        Raises:
            StoreError: nothing was kept.
        """

    def commit(self, batch: Batch) -> None:
        """Write and keep a batch, in this turn or one of its own.

        Raises:
            LedgerMoved: its first index is not the number of entries; nothing was written.
            StoreError: nothing of the batch was written.
        """

    def add_cosignatures(self, size: int, lines: Sequence[bytes]) -> None:
        """Keep lines of witnesses under a checkpoint; those that are there stay.

        Raises:
            StoreError: there is no checkpoint of that size, or nothing was written.
        """

    def last_seq(self, kid: bytes, ctx: int) -> int:
        """Return the highest logged seq of a key's ctx, 0 if none."""

    def find_record(self, kid: bytes, ctx: int, seq: int) -> RecordRow | None:
        """Return the row of an identity."""

    def find_conflict(
        self, kid: bytes, ctx: int, seq: int, content_digest: bytes
    ) -> ConflictRow | None:
        """Return the conflict row of a later content of an identity."""
