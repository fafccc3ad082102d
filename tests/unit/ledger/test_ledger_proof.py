"""Proofs: every leaf and every pair of sizes proves, and nothing else verifies."""

import pytest
from pymerkle import InmemoryTree
from pymerkle import verify_inclusion as oracle_verify_inclusion
from test_ledger_tree import leaves, root_by_definition

from wattest.errors import ProofInvalid
from wattest.ledger.proof import (
    prove_consistency,
    prove_inclusion,
    verify_consistency,
    verify_inclusion,
)

SIZES = (*range(1, 34), 63, 64, 65, 255, 256, 257, 300)


def source_of(hashes):
    """Complete subtrees, by the definition."""

    def node(level, index):
        part = hashes[index << level : (index + 1) << level]
        assert len(part) == 1 << level
        return root_by_definition(part)

    return node


def sample_of(size):
    return sorted({0, 1 % size, size // 3, size // 2, size - 1})


@pytest.mark.parametrize("size", SIZES)
def test_every_leaf_proves_to_be_in_the_tree(size):
    hashes = leaves(size)
    root = root_by_definition(hashes)
    for index in range(size) if size < 34 else sample_of(size):
        path = prove_inclusion(source_of(hashes), index, size)
        verify_inclusion(hashes[index], index, size, root, path)


@pytest.mark.parametrize("size", SIZES)
def test_every_older_tree_proves_to_be_a_prefix(size):
    hashes = leaves(size)
    root = root_by_definition(hashes)
    for old in range(1, size + 1) if size < 34 else (1, size // 2, size - 1, size):
        path = prove_consistency(source_of(hashes), old, size)
        verify_consistency(old, size, root_by_definition(hashes[:old]), root, path)


def test_paths_are_those_of_an_independent_implementation():
    oracle = InmemoryTree(algorithm="sha256")
    hashes = leaves(100)
    for i in range(100):
        oracle.append_entry(b"\x01%d" % i)
    for index in range(100):
        proof = oracle.prove_inclusion(index + 1, 100)
        ours = [
            hashes[index].hex(),
            *(h.hex() for h in prove_inclusion(source_of(hashes), index, 100)),
        ]
        assert sorted(proof.serialize()["path"]) == sorted(ours)
        oracle_verify_inclusion(hashes[index], root_by_definition(hashes), proof)


def test_inclusion_proof_of_any_other_place_or_size_or_leaf_is_refused():
    hashes = leaves(21)
    root = root_by_definition(hashes)
    path = prove_inclusion(source_of(hashes), 7, 21)
    for index in range(21):
        if index != 7:
            with pytest.raises(ProofInvalid, match="inclusion of entry"):
                verify_inclusion(hashes[7], index, 21, root, path)
            with pytest.raises(ProofInvalid, match="expected root"):
                verify_inclusion(hashes[index], 7, 21, root, path)
    for size in (8, 15, 16, 33, 64):
        with pytest.raises(ProofInvalid, match="inclusion of entry 7"):
            verify_inclusion(hashes[7], 7, size, root, path)


def test_inclusion_proof_with_any_flipped_bit_is_refused():
    hashes = leaves(13)
    root = root_by_definition(hashes)
    path = prove_inclusion(source_of(hashes), 4, 13)
    for place in range(len(path)):
        for bit in range(0, 256, 17):
            broken = list(path)
            value = int.from_bytes(broken[place], "big") ^ (1 << bit)
            broken[place] = value.to_bytes(32, "big")
            with pytest.raises(ProofInvalid, match="expected root"):
                verify_inclusion(hashes[4], 4, 13, root, broken)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: path[:-1], "too short"),
        (lambda path: (*path, bytes(32)), "too long"),
        (lambda path: (path[0][:31], *path[1:]), "expected 32 bytes at path place 0, got 31"),
    ],
)
def test_inclusion_proof_of_another_length_is_refused(change, message):
    hashes = leaves(9)
    path = prove_inclusion(source_of(hashes), 2, 9)
    with pytest.raises(ProofInvalid, match=message):
        verify_inclusion(hashes[2], 2, 9, root_by_definition(hashes), change(path))


def test_consistency_proof_with_any_change_is_refused():
    hashes = leaves(23)
    roots = {size: root_by_definition(hashes[:size]) for size in range(1, 24)}
    path = prove_consistency(source_of(hashes), 11, 23)
    for old in range(1, 23):
        if old != 11:
            with pytest.raises(ProofInvalid, match="consistency of sizes"):
                verify_consistency(old, 23, roots[old], roots[23], path)
    for place in range(len(path)):
        broken = [*path[:place], bytes(32), *path[place + 1 :]]
        with pytest.raises(ProofInvalid, match="root"):
            verify_consistency(11, 23, roots[11], roots[23], broken)
        with pytest.raises(ProofInvalid, match=r"too short|root"):
            verify_consistency(11, 23, roots[11], roots[23], [*path[:place], *path[place + 1 :]])
    with pytest.raises(ProofInvalid, match="too long"):
        verify_consistency(11, 23, roots[11], roots[23], [*path, bytes(32)])


def test_consistency_of_a_rewritten_tree_is_refused():
    hashes = leaves(20)
    rewritten = [*hashes]
    rewritten[3] = bytes(32)
    path = prove_consistency(source_of(rewritten), 12, 20)
    with pytest.raises(ProofInvalid, match="expected old root"):
        verify_consistency(
            12, 20, root_by_definition(hashes[:12]), root_by_definition(rewritten), path
        )


@pytest.mark.parametrize(
    ("old", "new", "path", "message"),
    [
        (0, 5, (), "expected 1 <= old <= new"),
        (6, 5, (), "expected 1 <= old <= new"),
        (5, 5, (bytes(32),), "expected an empty path, got 1 hashes"),
        (3, 5, (), "path is empty"),
    ],
)
def test_consistency_of_impossible_sizes_is_refused(old, new, path, message):
    with pytest.raises(ProofInvalid, match=message):
        verify_consistency(old, new, bytes(32), bytes(32), path)


def test_equal_sizes_with_other_roots_are_refused():
    with pytest.raises(ProofInvalid, match="expected old root"):
        verify_consistency(5, 5, bytes(32), b"\x01" * 32, ())


def test_proof_of_a_leaf_beyond_the_tree_is_a_wrong_argument():
    with pytest.raises(ValueError, match="index below the size 4, got 4"):
        prove_inclusion(source_of(leaves(4)), 4, 4)
    with pytest.raises(ProofInvalid, match="index below the size 4, got 4"):
        verify_inclusion(bytes(32), 4, 4, bytes(32), ())
    with pytest.raises(ValueError, match="sizes in order, got 5 and 4"):
        prove_consistency(source_of(leaves(4)), 5, 4)
