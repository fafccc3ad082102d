"""A multi-proof proves what single proofs prove, in the one order, and nothing else."""

from __future__ import annotations

from hashlib import sha256

import pytest
from forge import _node, root_of
from hypothesis import given, settings
from hypothesis import strategies as st

from wattest.errors import ProofInvalid
from wattest.evidence import multiproof
from wattest.evidence.multiproof import prove_entries, verify_entries
from wattest.ledger.proof import prove_inclusion
from wattest.ledger.tree import node_hash

LEAVES = [sha256(b"leaf %d" % number).digest() for number in range(70)]


def chosen(sizes: range) -> st.SearchStrategy[tuple[int, list[int]]]:
    return st.sampled_from(sizes).flatmap(
        lambda size: st.tuples(
            st.just(size),
            st.sets(st.integers(0, size - 1), min_size=1).map(sorted),
        )
    )


@given(chosen(range(1, 71)))
@settings(max_examples=150, deadline=None)
def test_any_entries_of_any_tree_are_proved(case: tuple[int, list[int]]) -> None:
    size, indexes = case
    proof = prove_entries(_node(LEAVES[:size]), indexes, size)
    leaves = {index: LEAVES[index] for index in indexes}
    verify_entries(leaves, size, root_of(LEAVES[:size]), proof)


@given(chosen(range(2, 71)), st.data())
@settings(max_examples=80, deadline=None)
def test_another_leaf_place_hash_or_length_is_refused(
    case: tuple[int, list[int]], data: st.DataObject
) -> None:
    size, indexes = case
    root = root_of(LEAVES[:size])
    proof = prove_entries(_node(LEAVES[:size]), indexes, size)
    leaves = {index: LEAVES[index] for index in indexes}
    victim = data.draw(st.sampled_from(indexes))
    wrong = [({**leaves, victim: bytes(32)}, proof), (leaves, proof + bytes(32))]
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        flipped = proof[:at] + bytes([proof[at] ^ 1]) + proof[at + 1 :]
        wrong += [(leaves, flipped), (leaves, proof[:-32]), (leaves, proof[:-1])]
    free = [index for index in range(size) if index not in leaves]
    if free:
        moved = {index: leaf for index, leaf in leaves.items() if index != victim}
        wrong.append(({**moved, data.draw(st.sampled_from(free)): leaves[victim]}, proof))
    for some, hashes in wrong:
        with pytest.raises(ProofInvalid, match="multi-proof"):
            verify_entries(some, size, root, hashes)


def test_proof_of_one_entry_holds_the_hashes_of_its_single_proof() -> None:
    node = _node(LEAVES[:53])
    for index in range(53):
        many = prove_entries(node, [index], 53)
        assert {many[i : i + 32] for i in range(0, len(many), 32)} == set(
            prove_inclusion(node, index, 53)
        )


def test_all_entries_need_no_hash_and_hashes_come_from_left_to_right() -> None:
    node = _node(LEAVES[:5])
    assert prove_entries(node, list(range(5)), 5) == b""
    left = node_hash(LEAVES[0], LEAVES[1])
    assert prove_entries(node, [2], 5) == left + LEAVES[3] + LEAVES[4]
    assert multiproof.root_of({2: LEAVES[2]}, 5, left + LEAVES[3] + LEAVES[4]) == root_of(
        LEAVES[:5]
    )


@pytest.mark.parametrize("indexes", [[], [1, 1], [2, 1], [5], [-1]])
def test_indexes_that_no_tree_of_the_size_has_are_refused(indexes: list[int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        prove_entries(_node(LEAVES[:5]), indexes, 5)


def test_a_tree_of_any_claimed_size_costs_no_more_than_its_entries() -> None:
    with pytest.raises(ProofInvalid, match="hashes"):
        verify_entries({0: LEAVES[0], 2**62: LEAVES[1]}, 2**63, bytes(32), b"")
