"""A ledger as static files, in the layout of tlog-tiles: any file server makes it a public log.

    checkpoint                                  the newest checkpoint, a signed note
    tile/0/x001/x234/067                        256 leaf hashes, 8192 bytes; never changes
    tile/1/000.p/17                             the growing tile of level 1 when it had 17 hashes
    tile/entries/000                            256 entries: u16 length and bytes of each

An entry's bytes are its kind and its body: SHA-256(00 | kind | body) is its leaf hash. Tiles are
made from the entries, not taken from the storage: what is published was hashed anew.

Source: c2sp.org/tlog-tiles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from wattest.errors import StoreError
from wattest.ledger.entry import Entry
from wattest.ledger.tree import TILE_HEIGHT, TILE_WIDTH, GrowingTree, leaf_hash

ENTRY_BYTES_MAX = 0xFFFF
CHECKPOINT_NAME = "checkpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class TileFile:
    """One file of the layout.

    Attributes:
        path: with slashes, relative to the log's prefix.
        content: its bytes.
    """

    path: str
    content: bytes


def check_exportable(entries: Iterable[Entry]) -> None:
    """Check that each entry fits the layout.

    Raises:
        StoreError: one is larger than the layout can hold.
    """
    for entry in entries:
        if 1 + len(entry.body) > ENTRY_BYTES_MAX:
            raise StoreError(
                f"entry {entry.index} has {1 + len(entry.body)} bytes, tlog-tiles holds at most "
                f"{ENTRY_BYTES_MAX} an entry",
                hint="this ledger cannot be exported in that layout",
            )


def tile_files(entries: Iterable[Entry]) -> Iterator[TileFile]:
    """Yield tiles and entry bundles of a tree over entries, in the order they become full.

    Args:
        entries: from index 0, each below the size limit of the layout.
    """
    tree = GrowingTree()
    bundle = bytearray()
    for entry in entries:
        data = entry.kind.to_bytes(1, "big") + entry.body
        bundle += len(data).to_bytes(2, "big") + data
        tree.push(leaf_hash(entry.kind, entry.body))
        if tree.size % TILE_WIDTH == 0:
            number = tree.size // TILE_WIDTH - 1
            yield TileFile(path=f"tile/entries/{number_path(number)}", content=bytes(bundle))
            bundle.clear()
            for level, place, hashes in tree.full_tiles():
                yield TileFile(path=f"tile/{level}/{number_path(place)}", content=hashes)
            tree.settle()
    if bundle:
        number, width = divmod(tree.size, TILE_WIDTH)
        path = f"tile/entries/{number_path(number)}.p/{width}"
        yield TileFile(path=path, content=bytes(bundle))
    yield from _growing(tree)


def number_path(number: int) -> str:
    """Return a tile's number as path elements of three digits: 1234067 is x001/x234/067."""
    elements = [f"{number % 1000:03}"]
    while number >= 1000:
        number //= 1000
        elements.append(f"x{number % 1000:03}")
    return "/".join(reversed(elements))


def _growing(tree: GrowingTree) -> Iterator[TileFile]:
    level = 0
    while tree.size >> (TILE_HEIGHT * level):
        number = tree.size >> (TILE_HEIGHT * (level + 1))
        tile = tree.tile(level, number)
        assert tile is not None, "the edge of a level is in memory"
        width = (tree.size >> (TILE_HEIGHT * level)) % TILE_WIDTH
        if width:
            path = f"tile/{level}/{number_path(number)}.p/{width}"
            yield TileFile(path=path, content=tile.encode())
        level += 1
