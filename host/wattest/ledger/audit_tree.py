"""The part of the audit that recomputes hashes: leaves, tiles, edges, checkpoints.

A leaf hash is known three ways: computed from the entry, stored beside it, stored in its tile. One
damaged copy is outvoted by the other two, so the damage is named and does not hide what follows.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator

from wattest.errors import StoreError, WattestError
from wattest.ledger.audit_finding import AuditCode, AuditFinding
from wattest.ledger.checkpoint import CheckpointVerifier
from wattest.ledger.entry import Entry
from wattest.ledger.rotation import keys_of
from wattest.ledger.store import Head, LedgerReader, StoredCheckpoint
from wattest.ledger.tree import (
    HASH_BYTES,
    TILE_BYTES,
    TILE_HEIGHT,
    TILE_WIDTH,
    GrowingTree,
    edge_widths,
    leaf_hash,
)


class TreeAudit:
    """Takes the entries in order and compares the tree that grows from them with the stored one.

    Args:
        reader: the ledger.
        verifier: origin and checkpoint key.
        head: where the ledger stands.
    """

    def __init__(self, reader: LedgerReader, verifier: CheckpointVerifier, head: Head) -> None:
        self._reader = reader
        self._verifier = verifier
        with contextlib.suppress(StoreError):  # what cannot be read is named in its place
            self._verifier = keys_of(reader, verifier)
        self._head = head
        self._edges = {edge.level: edge.hashes for edge in head.edges}
        self._tree = GrowingTree()
        # The tree as the tiles have it, from the first place on where entry and tile differ.
        self._tiled: GrowingTree | None = None
        self._doubtful: list[int] = []
        self._stored_leaves = b""
        self._checkpoints = _readable_checkpoints(reader)
        self._next_checkpoint = next(self._checkpoints, None)
        self._covered = 0
        self._broken = 0
        self.checkpoints_checked = 0

    def take(self, entry: Entry) -> Iterator[AuditFinding]:
        """Check the next entry's leaf and whatever is complete with it."""
        if entry.index % TILE_WIDTH == 0:
            yield from self._load_stored_leaves(entry.index)
        computed = _leaf_of(entry)
        stored = self._stored_leaf(entry.index)
        if computed is not None and computed == entry.leaf:
            if stored is not None and stored != computed:
                yield self._tile_differs(entry.index)
                self._doubt(entry.index)
            yield from self._grow(computed, stored or computed)
        elif computed is not None and computed == stored:
            yield _changed("entry", entry.index, "the leaf hash does not match kind and body")
            yield from self._grow(computed, computed)
        else:
            yield _changed("entry", entry.index, "kind or body does not match the leaf hash")
            if stored not in (None, entry.leaf):
                yield self._tile_differs(entry.index)
            yield from self._grow(entry.leaf, stored or entry.leaf)

    def skip(self, index: int) -> Iterator[AuditFinding]:
        """Go past an entry that cannot be read; its tile may still know its leaf hash."""
        yield from self._load_stored_leaves(index)
        leaf = self._stored_leaf(index) or bytes(HASH_BYTES)
        yield from self._grow(leaf, leaf)

    def finish(self) -> Iterator[AuditFinding]:
        """Check what lies at and beyond the end of the ledger."""
        yield from self._check_edges()
        yield from self._check_tile_places()
        yield from self._check_checkpoints(beyond=True)
        if self._broken > 1:
            message = f"{self._broken - 1} later signed roots differ from the tree as well"
            yield _finding(AuditCode.INCONSISTENT, "checkpoint", "", message)
        if self._covered < self._head.size and not self._broken:
            yield _finding(
                AuditCode.UNCOVERED,
                "entry",
                str(self._covered),
                f"no sound checkpoint covers the entries from here to {self._head.size - 1}",
                self._covered,
            )

    def _grow(self, leaf: bytes, tiled_leaf: bytes) -> Iterator[AuditFinding]:
        self._tree.push(leaf)
        if self._tiled is not None:
            self._tiled.push(tiled_leaf)
            self._tiled.settle()
        if self._tree.size % TILE_WIDTH == 0:  # no tile gets full in between
            for level, number, hashes in self._tree.full_tiles():
                if level:
                    yield from self._check_tile(level, number, hashes)
            self._tree.settle()
        coming = self._next_checkpoint
        if isinstance(coming, AuditFinding) or (coming and coming.size <= self._tree.size):
            yield from self._check_checkpoints(beyond=False)

    def _load_stored_leaves(self, index: int) -> Iterator[AuditFinding]:
        """At the first entry of a tile, read the tile that should hold its leaf hash."""
        if index % TILE_WIDTH:
            return
        number = index // TILE_WIDTH
        if number == self._head.size // TILE_WIDTH:
            self._stored_leaves = self._edges.get(0, b"")
            return
        self._stored_leaves = b""
        try:
            self._stored_leaves = self._reader.tile(0, number)
        except StoreError as exc:
            yield _finding(AuditCode.MISSING, "tile", f"0/{number}", str(exc))
            return
        if len(self._stored_leaves) != TILE_BYTES:
            got = len(self._stored_leaves)
            yield _changed("tile", f"0/{number}", f"expected {TILE_BYTES} bytes, got {got}")

    def _stored_leaf(self, index: int) -> bytes | None:
        start = index % TILE_WIDTH * HASH_BYTES
        leaf = self._stored_leaves[start : start + HASH_BYTES]
        return leaf if len(leaf) == HASH_BYTES else None

    def _tile_differs(self, index: int) -> AuditFinding:
        number = index // TILE_WIDTH
        full = number < self._head.size // TILE_WIDTH
        table, place = ("tile", f"0/{number}") if full else ("edge", "0")
        message = f"the hash of entry {index} is not the leaf hash of that entry"
        return _changed(table, place, message, index)

    def _doubt(self, index: int) -> None:
        """Entry and leaf agree against the tile: the next signed root will tell who is right."""
        if self._tiled is None:
            self._tiled = copy.deepcopy(self._tree)
        self._doubtful.append(index)

    def _check_tile(self, level: int, number: int, expected: bytes) -> Iterator[AuditFinding]:
        place = f"{level}/{number}"
        try:
            stored = self._reader.tile(level, number)
        except StoreError as exc:
            yield _finding(AuditCode.MISSING, "tile", place, str(exc))
            return
        if stored != expected:
            where = _first_difference(stored, expected)
            yield _changed("tile", place, f"hash {where} is not the root of the tile below")

    def _check_edges(self) -> Iterator[AuditFinding]:
        widths = edge_widths(self._head.size)
        for level, width in enumerate(widths):
            stored = self._edges.get(level)
            tile = self._tree.tile(level, self._head.size >> (TILE_HEIGHT * (level + 1)))
            expected = b"" if tile is None else tile.encode()
            if stored is None:
                yield _finding(AuditCode.MISSING, "edge", str(level), "the edge is missing")
            elif len(stored) != width * HASH_BYTES:
                got = len(stored)
                message = f"expected {width * HASH_BYTES} bytes, got {got}"
                yield _changed("edge", str(level), message)
            elif stored != expected and level:
                where = _first_difference(stored, expected)
                message = f"hash {where} is not the root of the tile below"
                yield _changed("edge", str(level), message)
        for level in self._edges:
            if level not in range(len(widths)):
                message = f"a ledger of {self._head.size} entries has no such level"
                yield _finding(AuditCode.UNEXPECTED, "edge", str(level), message)

    def _check_tile_places(self) -> Iterator[AuditFinding]:
        """Each tile that should be there was read by its place; find those that should not."""
        levels = len(edge_widths(self._head.size))
        try:
            for tile in self._reader.tiles():
                count = 0
                if 0 <= tile.level < levels:
                    count = self._head.size >> (TILE_HEIGHT * (tile.level + 1))
                if not 0 <= tile.number < count:
                    yield _finding(
                        AuditCode.UNEXPECTED,
                        "tile",
                        f"{tile.level}/{tile.number}",
                        f"a ledger of {self._head.size} entries has no such tile",
                    )
        except StoreError as exc:
            yield _finding(AuditCode.UNREADABLE, "tile", "", str(exc))

    def _check_checkpoints(self, *, beyond: bool) -> Iterator[AuditFinding]:
        """Check the checkpoints up to the size reached, or at the end all that are left."""
        while self._next_checkpoint is not None:
            stored = self._next_checkpoint
            if isinstance(stored, AuditFinding):
                yield stored
            elif stored.size <= self._tree.size or beyond:
                yield from self._check_checkpoint(stored)
            else:
                return
            self._next_checkpoint = next(self._checkpoints, None)

    def _check_checkpoint(self, stored: StoredCheckpoint) -> Iterator[AuditFinding]:
        self.checkpoints_checked += 1
        place = str(stored.size)
        try:
            signed = self._verifier.open(stored.note)
        except WattestError as exc:
            yield _finding(AuditCode.INVALID, "checkpoint", place, str(exc))
            return
        if (signed.size, signed.root) != (stored.size, stored.root):
            message = f"the signed note states size {signed.size}, root {signed.root.hex()}"
            yield _changed("checkpoint", place, message)
            return
        if stored.size != self._tree.size:
            message = f"expected at most the size {self._head.size} and at least 1"
            yield _finding(AuditCode.UNEXPECTED, "checkpoint", place, message)
            return
        yield from self._check_root(signed.root, stored.size)

    def _check_root(self, root: bytes, size: int) -> Iterator[AuditFinding]:
        if root == self._tree.root():
            self._covered = size
            # The signature stands for the entries, so the tile was what changed.
            self._tiled = None
            self._doubtful.clear()
            return
        if self._tiled is not None and root == self._tiled.root():
            for index in self._doubtful:
                message = "replaced with its leaf hash: the signed root covers another entry here"
                yield _changed("entry", index, message)
            self._tree, self._tiled = self._tiled, None
            self._doubtful.clear()
            self._covered = size
            return
        self._broken += 1
        if self._broken > 1:
            return
        message = (
            "the signed root is not that of the tree: "
            f"an entry from {self._covered} to {size - 1} was replaced"
        )
        yield _finding(AuditCode.INCONSISTENT, "checkpoint", str(size), message)


def _readable_checkpoints(reader: LedgerReader) -> Iterator[StoredCheckpoint | AuditFinding]:
    try:
        yield from reader.checkpoints(-(2**63))
    except StoreError as exc:
        yield _finding(AuditCode.UNREADABLE, "checkpoint", "", str(exc))


def _leaf_of(entry: Entry) -> bytes | None:
    """Compute the leaf hash; None if the kind is not even one byte."""
    return leaf_hash(entry.kind, entry.body) if 0 <= entry.kind <= 255 else None


def _first_difference(stored: bytes, expected: bytes) -> int:
    for place in range(len(expected) // HASH_BYTES):
        cut = slice(place * HASH_BYTES, (place + 1) * HASH_BYTES)
        if stored[cut] != expected[cut]:
            return place
    return len(expected) // HASH_BYTES


def _changed(table: str, place: object, message: str, index: int | None = None) -> AuditFinding:
    if index is None and isinstance(place, int):
        index = place
    return _finding(AuditCode.CHANGED, table, str(place), message, index)


def _finding(
    code: AuditCode, table: str, place: str, message: str, index: int | None = None
) -> AuditFinding:
    return AuditFinding(code=code, table=table, place=place, index=index, message=message)
