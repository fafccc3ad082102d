"""The tree: same roots as RFC 6962 defines, whatever the size, and after every restart."""

import hashlib

import pytest
from pymerkle import InmemoryTree

from wattest.ledger.tree import (
    EMPTY_ROOT,
    TILE_BYTES,
    GrowingTree,
    Tile,
    edge_widths,
    leaf_hash,
    node_hash,
    split_hashes,
)

AROUND_TILES = (255, 256, 257, 511, 512, 513, 1023, 1024, 1100)


def leaves(count):
    return [leaf_hash(1, b"%d" % i) for i in range(count)]


def root_by_definition(hashes):
    """RFC 6962 section 2.1, word for word."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << ((len(hashes) - 1).bit_length() - 1)
    return node_hash(root_by_definition(hashes[:split]), root_by_definition(hashes[split:]))


def grown(hashes):
    tree = GrowingTree()
    for value in hashes:
        tree.push(value)
    return tree


def edges_of(tree):
    widths = edge_widths(tree.size)
    return [
        tree.tile(level, tree.size >> (8 * (level + 1))).encode() for level in range(len(widths))
    ]


def test_root_of_an_empty_tree_is_the_hash_of_nothing():
    assert GrowingTree().root() == EMPTY_ROOT == hashlib.sha256(b"").digest()


@pytest.mark.parametrize("size", [*range(1, 70), *AROUND_TILES])
def test_root_is_that_of_the_definition(size):
    hashes = leaves(size)
    assert grown(hashes).root() == root_by_definition(hashes)


def test_root_is_that_of_an_independent_implementation():
    oracle = InmemoryTree(algorithm="sha256")
    tree = GrowingTree()
    for i in range(600):
        oracle.append_entry(b"\x01%d" % i)
        tree.push(leaf_hash(1, b"%d" % i))
        assert tree.root() == oracle.get_root()


def test_tree_goes_on_from_its_edges_as_if_never_stopped():
    hashes = leaves(600)
    for stop in (0, 1, 255, 256, 257, 512, 599):
        first = grown(hashes[:stop])
        second = GrowingTree(stop, edges_of(first))
        for value in hashes[stop:]:
            second.push(value)
        assert second.root() == root_by_definition(hashes)


def test_full_tiles_hold_the_leaves_and_the_roots_of_tiles_below():
    hashes = leaves(256 * 256)
    tree = grown(hashes)
    tiles = {(level, number): data for level, number, data in tree.full_tiles()}
    assert sorted(tiles) == [*((0, n) for n in range(256)), (1, 0)]
    assert all(len(data) == TILE_BYTES for data in tiles.values())
    assert b"".join(tiles[0, n] for n in range(256)) == b"".join(hashes)
    roots = [root_by_definition(split_hashes(tiles[0, n])) for n in range(256)]
    assert tiles[1, 0] == b"".join(roots)


def test_settled_tree_reports_only_what_changed_since():
    tree = grown(leaves(256))
    tree.settle()
    tree.push(leaf_hash(1, b"next"))
    assert tree.full_tiles() == []
    assert [level for level, _ in tree.touched_edges()] == [0]


def test_edges_of_another_size_are_refused():
    edges = edges_of(grown(leaves(300)))
    with pytest.raises(ValueError, match=r"expected edges of \[45, 1\] hashes at size 301"):
        GrowingTree(301, edges)


def test_half_a_hash_is_refused():
    with pytest.raises(ValueError, match="multiple of 32 bytes, got 33"):
        split_hashes(bytes(33))


def test_tile_gives_its_root_exactly_when_it_is_full():
    tile = Tile()
    roots = [tile.push(value) for value in leaves(256)]
    assert roots[:255] == [None] * 255
    assert roots[255] == root_by_definition(leaves(256))


def test_kind_is_part_of_the_leaf():
    assert leaf_hash(1, b"body") == hashlib.sha256(b"\x00\x01body").digest()
    assert leaf_hash(1, b"body") != leaf_hash(2, b"body")
