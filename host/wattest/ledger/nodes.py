"""Tree nodes for proofs: from the growing edge in memory, else from stored full tiles, cached."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from wattest.ledger.tree import TILE_HEIGHT, GrowingTree, Tile, split_hashes

# A cached tile with its inner nodes takes about 40 KiB.
_CACHED_TILES_MAX = 64


class TileNodes:
    """A node source over one ledger.

    Full tiles never change, so a cached one stays right however the ledger grows.

    Args:
        read_tile: (level, number) -> 8192 bytes; raises StoreError.
    """

    def __init__(self, read_tile: Callable[[int, int], bytes]) -> None:
        self._read_tile = read_tile
        self._cache: OrderedDict[tuple[int, int], Tile] = OrderedDict()

    def source(self, tree: GrowingTree) -> Callable[[int, int], bytes]:
        """Return (level, index) -> hash of a complete subtree of ``tree``."""

        def node(level: int, index: int) -> bytes:
            tile_level, height = divmod(level, TILE_HEIGHT)
            shift = TILE_HEIGHT - height
            number = index >> shift
            tile = tree.tile(tile_level, number) or self._stored(tile_level, number)
            return tile.node(height, index - (number << shift))

        return node

    def _stored(self, level: int, number: int) -> Tile:
        place = (level, number)
        tile = self._cache.get(place)
        if tile is not None:
            self._cache.move_to_end(place)
            return tile
        tile = Tile(split_hashes(self._read_tile(level, number)))
        self._cache[place] = tile
        if len(self._cache) > _CACHED_TILES_MAX:
            self._cache.popitem(last=False)
        return tile
