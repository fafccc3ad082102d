"""The RFC 6962 tree over ledger entries, held as tiles of 256 hashes.

    level 1 tile    [ h(tile 0) h(tile 1) ... ]            one hash per full tile below
    level 0 tile 0  [ leaf 0 ... leaf 255 ]   full: stored once, never changed
    level 0 tile 1  [ leaf 256 ... ]          growing: the edge of its level

A full tile moves its root one level up. Only the edges change, so appending touches one tile per
level, and every proof needs at most two tiles per level whatever the size.

Source: RFC 6962 section 2.1; c2sp.org/tlog-tiles.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

HASH_BYTES = 32
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
TILE_BYTES = TILE_WIDTH * HASH_BYTES
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(kind: int, body: bytes) -> bytes:
    """Return the leaf hash of an entry: SHA-256(00 | kind | body), 32 bytes.

    Args:
        kind: 0..255.
        body: the entry's body.
    """
    return sha256(b"\x00" + kind.to_bytes(1, "big") + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: SHA-256(01 | left | right), 32 bytes."""
    return sha256(b"\x01" + left + right).digest()


def split_hashes(data: bytes) -> list[bytes]:
    """Cut concatenated hashes apart.

    Raises:
        ValueError: not a whole number of hashes.
    """
    if len(data) % HASH_BYTES:
        raise ValueError(f"expected a multiple of {HASH_BYTES} bytes, got {len(data)}")
    return [data[i : i + HASH_BYTES] for i in range(0, len(data), HASH_BYTES)]


class Tile:
    """Up to 256 hashes of one level with every complete node above them, up to the tile's root."""

    __slots__ = ("_rows",)

    def __init__(self, hashes: Iterable[bytes] = ()) -> None:
        self._rows: list[list[bytes]] = [[] for _ in range(TILE_HEIGHT + 1)]
        for value in hashes:
            self.push(value)

    def __len__(self) -> int:
        return len(self._rows[0])

    def push(self, value: bytes) -> bytes | None:
        """Add the next hash; return the tile's root when this one fills it.

        Args:
            value: 32 bytes; the tile is not full.
        """
        row = 0
        nodes = self._rows[0]
        nodes.append(value)
        while not len(nodes) & 1:
            value = sha256(b"\x01" + nodes[-2] + value).digest()
            row += 1
            nodes = self._rows[row]
            nodes.append(value)
            if row == TILE_HEIGHT:
                return value
        return None

    def node(self, height: int, index: int) -> bytes:
        """Return the node ``index`` of the row ``height`` above the hashes.

        Raises:
            IndexError: the tile does not hold that node yet.
        """
        return self._rows[height][index]

    def frontier(self) -> list[bytes]:
        """Return the roots of the largest complete subtrees, smallest first; not of full tiles."""
        return [row[-1] for row in self._rows[:TILE_HEIGHT] if len(row) & 1]

    def encode(self) -> bytes:
        """Return the hashes, concatenated: ``32 * len(self)`` bytes."""
        return b"".join(self._rows[0])


class GrowingTree:
    """The right edge of the tree: enough to append, to know the root, to prove the newest part.

    Args:
        size: number of leaves.
        edges: concatenated hashes of the growing tile of each level, lowest level first.

    Raises:
        ValueError: the edges do not belong to a tree of that size.
    """

    def __init__(self, size: int = 0, edges: Sequence[bytes] = ()) -> None:
        expected = edge_widths(size)
        widths = [len(edge) // HASH_BYTES for edge in edges]
        if widths != expected or any(len(edge) % HASH_BYTES for edge in edges):
            raise ValueError(f"expected edges of {expected} hashes at size {size}, got {widths}")
        self.size = size
        self._edges = [Tile(split_hashes(edge)) for edge in edges]
        self._fresh: dict[tuple[int, int], Tile] = {}
        self._touched: set[int] = set()

    def push(self, leaf: bytes) -> None:
        """Append one leaf hash, 32 bytes."""
        self.size += 1
        level = 0
        value: bytes | None = leaf
        while value is not None:
            if level == len(self._edges):
                self._edges.append(Tile())
            self._touched.add(level)
            tile = self._edges[level]
            value = tile.push(value)
            if value is not None:
                number = (self.size >> (TILE_HEIGHT * (level + 1))) - 1
                self._fresh[level, number] = tile
                self._edges[level] = Tile()
            level += 1

    def root(self) -> bytes:
        """Return the RFC 6962 root, 32 bytes."""
        root: bytes | None = None
        for tile in self._edges:
            for value in tile.frontier():
                root = value if root is None else node_hash(value, root)
        return EMPTY_ROOT if root is None else root

    def full_tiles(self) -> list[tuple[int, int, bytes]]:
        """Return (level, number, 8192 bytes) of each tile filled since :meth:`settle`."""
        return [(level, number, tile.encode()) for (level, number), tile in self._fresh.items()]

    def touched_edges(self) -> list[tuple[int, bytes]]:
        """Return (level, hashes) of each edge changed since :meth:`settle`."""
        return [(level, self._edges[level].encode()) for level in sorted(self._touched)]

    def settle(self) -> None:
        """Forget what was reported: the full tiles are stored now."""
        self._fresh.clear()
        self._touched.clear()

    def tile(self, level: int, number: int) -> Tile | None:
        """Return a tile that is still in memory: an edge or one filled since :meth:`settle`."""
        if level < len(self._edges) and number == self.size >> (TILE_HEIGHT * (level + 1)):
            return self._edges[level]
        return self._fresh.get((level, number))


def edge_widths(size: int) -> list[int]:
    """Return how many hashes the growing tile of each level holds in a tree of ``size`` leaves."""
    widths = []
    while size:
        widths.append(size % TILE_WIDTH)
        size >>= TILE_HEIGHT
    return widths
