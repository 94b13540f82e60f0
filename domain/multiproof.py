"""One proof for many leaves of the tree of RFC 6962: what leads from all of them to the root.

It has the hash of each largest subtree that holds none of these leaves, from left to right. For a single leaf, these
are the hashes of its audit path. For a run of leaves they are hardly more.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from domain.merkle import node_hash, root_of_range, split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from domain.merkle import Subtree


class ProofUnfit(ValueError):
    """The proof has more or fewer hashes than these leaves need."""


def prove_many(indexes: Sequence[int], size: int, subtree: Subtree) -> list[bytes]:
    """Return the proof that leaves are in the tree of the first `size`; their indexes ascend."""
    return list(_beside(indexes, 0, size, subtree))


def _beside(indexes: Sequence[int], begin: int, end: int, subtree: Subtree) -> Iterator[bytes]:
    """Yield what a verifier lacks to make the root above the leaves from `begin` to `end`, of which `indexes` are."""
    if not indexes:
        yield root_of_range(begin, end, subtree)
    elif len(indexes) < end - begin:
        middle = begin + split(end - begin)
        at = bisect_left(indexes, middle)
        yield from _beside(indexes[:at], begin, middle, subtree)
        yield from _beside(indexes[at:], middle, end, subtree)


def root_of_many(indexes: Sequence[int], leaves: Sequence[bytes], size: int, proof: Sequence[bytes]) -> bytes:
    """Return the root of a tree of `size` that has leaves with these hashes; raises ProofUnfit.

    The indexes ascend, are below the size, and are as many as the leaves.
    """
    hashes = iter(proof)
    try:
        root = _root(indexes, leaves, 0, size, hashes)
    except StopIteration:
        raise ProofUnfit from None
    if next(hashes, None) is not None:
        raise ProofUnfit
    return root


def _root(indexes: Sequence[int], leaves: Sequence[bytes], begin: int, end: int, hashes: Iterator[bytes]) -> bytes:
    if not indexes:
        return next(hashes)
    if end - begin == 1:
        return leaves[0]
    middle = begin + split(end - begin)
    at = bisect_left(indexes, middle)
    left = _root(indexes[:at], leaves[:at], begin, middle, hashes)
    return node_hash(left, _root(indexes[at:], leaves[at:], middle, end, hashes))
