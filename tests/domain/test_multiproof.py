from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.merkle import prove_inclusion
from domain.multiproof import ProofUnfit, prove_many, root_of_many
from tests.domain.test_merkle import hashes, root_by_definition, subtrees

LEAVES = hashes(300)


@st.composite
def trees(draw: st.DrawFn) -> tuple[int, list[int]]:
    """Return a size and the indexes of some leaves of a tree of that size."""
    size = draw(st.integers(1, 300))
    return size, sorted(draw(st.sets(st.integers(0, size - 1), min_size=1)))


@given(trees())
def test_a_proof_for_many_leads_from_the_leaves_to_the_root(tree: tuple[int, list[int]]) -> None:
    size, indexes = tree
    proof = prove_many(indexes, size, subtrees(LEAVES))
    assert root_of_many(indexes, [LEAVES[index] for index in indexes], size, proof) == root_by_definition(LEAVES[:size])


@given(trees(), st.data())
def test_any_other_leaf_or_hash_leads_elsewhere(tree: tuple[int, list[int]], data: st.DataObject) -> None:
    size, indexes = tree
    leaves, proof = [LEAVES[index] for index in indexes], prove_many(indexes, size, subtrees(LEAVES))
    changed = data.draw(st.integers(0, len(leaves) + len(proof) - 1))
    altered = [*leaves, *proof]
    altered[changed] = bytes(32)
    root = root_of_many(indexes, altered[: len(leaves)], size, altered[len(leaves) :])
    assert root != root_by_definition(LEAVES[:size])


@given(trees())
def test_a_proof_with_more_or_fewer_hashes_is_none(tree: tuple[int, list[int]]) -> None:
    size, indexes = tree
    leaves, proof = [LEAVES[index] for index in indexes], prove_many(indexes, size, subtrees(LEAVES))
    with pytest.raises(ProofUnfit):
        root_of_many(indexes, leaves, size, [*proof, bytes(32)])
    if proof:
        with pytest.raises(ProofUnfit):
            root_of_many(indexes, leaves, size, proof[:-1])


@given(st.integers(1, 300), st.data())
def test_for_one_leaf_it_has_the_hashes_of_the_audit_path(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    path = prove_inclusion(index, size, subtrees(LEAVES))
    assert sorted(prove_many([index], size, subtrees(LEAVES))) == sorted(path)


def test_for_a_run_of_leaves_it_is_short() -> None:
    assert len(prove_many(range(100, 200), 300, subtrees(LEAVES))) < 12
