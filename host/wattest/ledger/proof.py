"""Inclusion and consistency proofs: made from nodes, checked from nothing but hashes.

The makers take a :data:`NodeSource`, so they do not know tiles or storage. The checkers follow
RFC 9162's step lists, which need no recursion and accept no proof of a wrong length.

Source: RFC 6962 section 2.1.1 and 2.1.2; RFC 9162 section 2.1.3.2 and 2.1.4.2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from wattest.errors import ProofInvalid
from wattest.ledger.tree import HASH_BYTES, node_hash

NodeSource: TypeAlias = Callable[[int, int], bytes]
"""(level, index) -> hash of the complete subtree over the leaves from ``index << level``."""


def prove_inclusion(node: NodeSource, index: int, size: int) -> tuple[bytes, ...]:
    """Return the audit path of a leaf, lowest sibling first.

    Args:
        node: complete subtrees of the tree.
        index: the leaf, 0 <= index < size.
        size: leaves of the tree whose root the proof leads to.

    Raises:
        ValueError: no such leaf in a tree of that size.
    """
    if not 0 <= index < size:
        raise ValueError(f"expected an index below the size {size}, got {index}")
    path = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + largest_half(stop - start)
        if index < middle:
            path.append(subtree_hash(node, middle, stop))
            stop = middle
        else:
            path.append(subtree_hash(node, start, middle))
            start = middle
    return tuple(reversed(path))


def prove_consistency(node: NodeSource, old_size: int, new_size: int) -> tuple[bytes, ...]:
    """Return the proof that the first ``old_size`` leaves of the new tree are the old tree.

    Args:
        node: complete subtrees of the new tree.
        old_size: 0 <= old_size <= new_size; 0 and new_size need no hashes.
        new_size: leaves of the newer tree.

    Raises:
        ValueError: the sizes are out of order.
    """
    if not 0 <= old_size <= new_size:
        raise ValueError(f"expected sizes in order, got {old_size} and {new_size}")
    if old_size in (0, new_size):
        return ()
    path = []
    start, stop = 0, new_size
    whole = True  # the old tree is a complete subtree the verifier already knows
    while old_size != stop - start:
        half = largest_half(stop - start)
        if old_size <= half:
            path.append(subtree_hash(node, start + half, stop))
            stop = start + half
        else:
            path.append(subtree_hash(node, start, start + half))
            start += half
            old_size -= half
            whole = False
    if not whole:
        path.append(subtree_hash(node, start, stop))
    return tuple(reversed(path))


def verify_inclusion(
    leaf: bytes, index: int, size: int, root: bytes, path: Sequence[bytes]
) -> None:
    """Check that a leaf is in the tree.

    Args:
        leaf: leaf hash, 32 bytes.
        index: its place, from 0.
        size: leaves of the tree.
        root: root of the tree, from a checkpoint whose signature was verified.
        path: hashes of 32 bytes each.

    Raises:
        ProofInvalid: the path does not lead from this leaf at this place to this root.
    """
    if not 0 <= index < size:
        raise ProofInvalid(f"inclusion: expected an index below the size {size}, got {index}")
    _check_widths("inclusion", path)
    place, last, value = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise ProofInvalid(
                f"inclusion of entry {index}: path of {len(path)} hashes is too long"
            )
        if place & 1 or place == last:
            value = node_hash(sibling, value)
            while place and not place & 1:
                place >>= 1
                last >>= 1
        else:
            value = node_hash(value, sibling)
        place >>= 1
        last >>= 1
    if last:
        raise ProofInvalid(f"inclusion of entry {index}: path of {len(path)} hashes is too short")
    if value != root:
        raise ProofInvalid(
            f"inclusion of entry {index}: expected root {root.hex()}, got {value.hex()}"
        )


def verify_consistency(
    old_size: int, new_size: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Check that the new tree only appended to the old one.

    Args:
        old_size: leaves of the old tree, >= 1.
        new_size: leaves of the new tree.
        old_root: 32 bytes.
        new_root: 32 bytes.
        path: hashes of 32 bytes each.

    Raises:
        ProofInvalid: the path does not prove it.
    """
    what = f"consistency of sizes {old_size} and {new_size}"
    if not 1 <= old_size <= new_size:
        raise ProofInvalid(f"{what}: expected 1 <= old <= new")
    _check_widths(what, path)
    if old_size == new_size:
        if path:
            raise ProofInvalid(f"{what}: expected an empty path, got {len(path)} hashes")
        _check_root(what, "old", old_root, new_root)
        return
    hashes = list(path)
    if not old_size & (old_size - 1):
        hashes.insert(0, old_root)
    if not hashes:
        raise ProofInvalid(f"{what}: path is empty")
    place, last = old_size - 1, new_size - 1
    while place & 1:
        place >>= 1
        last >>= 1
    old_value = new_value = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise ProofInvalid(f"{what}: path of {len(path)} hashes is too long")
        if place & 1 or place == last:
            old_value = node_hash(sibling, old_value)
            new_value = node_hash(sibling, new_value)
            while place and not place & 1:
                place >>= 1
                last >>= 1
        else:
            new_value = node_hash(new_value, sibling)
        place >>= 1
        last >>= 1
    if last:
        raise ProofInvalid(f"{what}: path of {len(path)} hashes is too short")
    _check_root(what, "old", old_root, old_value)
    _check_root(what, "new", new_root, new_value)


def _check_root(what: str, which: str, expected: bytes, got: bytes) -> None:
    if expected != got:
        raise ProofInvalid(f"{what}: expected {which} root {expected.hex()}, got {got.hex()}")


def _check_widths(what: str, path: Sequence[bytes]) -> None:
    for place, value in enumerate(path):
        if len(value) != HASH_BYTES:
            raise ProofInvalid(
                f"{what}: expected {HASH_BYTES} bytes at path place {place}, got {len(value)}"
            )


def largest_half(width: int) -> int:
    """Return the largest power of two below ``width``; RFC 6962 splits a tree there."""
    return 1 << ((width - 1).bit_length() - 1)


def subtree_hash(node: NodeSource, start: int, stop: int) -> bytes:
    """Hash the subtree over leaves [start, stop), whose left part is made of complete subtrees."""
    width = stop - start
    if not width & (width - 1):
        level = width.bit_length() - 1
        return node(level, start >> level)
    middle = start + largest_half(width)
    return node_hash(subtree_hash(node, start, middle), subtree_hash(node, middle, stop))
