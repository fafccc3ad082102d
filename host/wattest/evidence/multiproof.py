"""A proof that many entries are in one RFC 6962 tree, without any hash that can be computed.

The hashes come in the order of a walk from the root, left before right: an entry that is proved
gives its own leaf, a subtree without one gives its hash. Set of entries and size of the tree say
how many hashes there are and what each is for, so nothing but hashes is stored.

Source: docs/evidence.md section 2.3; RFC 6962 section 2.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from wattest.errors import ProofInvalid
from wattest.ledger.proof import NodeSource, largest_half, subtree_hash
from wattest.ledger.tree import node_hash, split_hashes


def prove_entries(node: NodeSource, indexes: Sequence[int], size: int) -> bytes:
    """Make the proof.

    Args:
        node: complete subtrees of the tree.
        indexes: entries to prove, strictly ascending, at least one, all below ``size``.
        size: leaves of the tree.

    Returns:
        Concatenated hashes of 32 bytes.

    Raises:
        ValueError: not such indexes.
    """
    _check(indexes, size)

    def walk(low: int, high: int, first: int, last: int) -> Iterator[bytes]:
        if first == last:
            yield subtree_hash(node, low, high)
        elif high - low > 1:
            middle = low + largest_half(high - low)
            cut = _place(indexes, middle, first, last)
            yield from walk(low, middle, first, cut)
            yield from walk(middle, high, cut, last)

    return b"".join(walk(0, size, 0, len(indexes)))


def root_of(leaves: Mapping[int, bytes], size: int, proof: bytes) -> bytes:
    """Return the root that leaves and proof lead to, 32 bytes.

    Args:
        leaves: leaf hash of each proved entry by its index, at least one.
        size: leaves of the tree, from a verified checkpoint.
        proof: as :func:`prove_entries` makes it.

    Raises:
        ProofInvalid: an index beyond the size, or a proof of a wrong length.
    """
    indexes = sorted(leaves)
    try:
        _check(indexes, size)
        hashes = split_hashes(proof)
    except ValueError as exc:
        raise ProofInvalid(f"multi-proof: {exc}") from exc
    expected = _count(indexes, size)
    if len(hashes) != expected:
        raise ProofInvalid(f"multi-proof: expected {expected} hashes, got {len(hashes)}")
    rest = iter(hashes)

    def walk(low: int, high: int, first: int, last: int) -> bytes:
        if first == last:
            return next(rest)
        if high - low == 1:
            return leaves[low]
        middle = low + largest_half(high - low)
        cut = _place(indexes, middle, first, last)
        left = walk(low, middle, first, cut)
        return node_hash(left, walk(middle, high, cut, last))

    return walk(0, size, 0, len(indexes))


def verify_entries(leaves: Mapping[int, bytes], size: int, root: bytes, proof: bytes) -> None:
    """Check that the entries are in the tree of a verified checkpoint.

    Raises:
        ProofInvalid: the proof does not lead from these leaves at these places to this root.
    """
    got = root_of(leaves, size, proof)
    if got != root:
        raise ProofInvalid(f"multi-proof: expected root {root.hex()}, got {got.hex()}")


def _check(indexes: Sequence[int], size: int) -> None:
    if not indexes:
        raise ValueError("expected at least one entry, got none")
    if indexes[0] < 0 or any(b <= a for a, b in pairwise(indexes)):
        raise ValueError("expected indexes in strictly ascending order")
    if indexes[-1] >= size:
        raise ValueError(f"expected an index below the size {size}, got {indexes[-1]}")


def _count(indexes: Sequence[int], size: int) -> int:
    """Return how many hashes the proof must have."""

    def walk(low: int, high: int, first: int, last: int) -> int:
        if first == last:
            return 1
        if high - low == 1:
            return 0
        middle = low + largest_half(high - low)
        cut = _place(indexes, middle, first, last)
        return walk(low, middle, first, cut) + walk(middle, high, cut, last)

    return walk(0, size, 0, len(indexes))


def _place(indexes: Sequence[int], value: int, low: int, high: int) -> int:
    """Return how far ``indexes[low:high]`` lies below ``value``: the place where it is cut."""
    while low < high:
        middle = (low + high) // 2
        if indexes[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low
