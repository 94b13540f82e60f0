"""The Merkle tree of RFC 6962, section 2.1: its hashes, and proofs of what a tree holds and of what it grew from.

A tree is known by its complete subtrees: a `Subtree` returns the hash of the one of 2**level leaves that begins with
leaf `index * 2**level`. A proof needs few of them, wherever they are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import TypeAlias

Subtree: TypeAlias = Callable[[int, int], bytes]
"""Takes a level and an index, and returns the hash of that complete subtree."""

EMPTY_ROOT = sha256().digest()
HASH_BYTES = 32
LEAF = b"\0"
NODE = b"\1"


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf."""
    return sha256(LEAF + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node above two subtrees."""
    return sha256(NODE + left + right).digest()


def complete_root(hashes: Sequence[bytes]) -> bytes:
    """Return the hash of the complete subtree above these; their number is a power of two."""
    while len(hashes) > 1:
        pairs = zip(hashes[::2], hashes[1::2], strict=True)
        hashes = [sha256(NODE + left + right).digest() for left, right in pairs]  # inline: most of a tree is made here
    return hashes[0]


class Frontier:
    """A growing tree, of which only the complete subtrees are kept that its root is made of: one a level at most."""

    def __init__(self) -> None:
        self.size = 0
        self._subtrees: list[tuple[int, bytes]] = []  # the largest, which are the highest, first

    def add(self, subtree: bytes, level: int = 0) -> None:
        """Add a leaf's hash, or that of a complete subtree; the size must be a multiple of its number of leaves."""
        self.size += 1 << level
        while self._subtrees and self._subtrees[-1][0] == level:
            subtree, level = node_hash(self._subtrees.pop()[1], subtree), level + 1
        self._subtrees.append((level, subtree))

    def root(self) -> bytes:
        """Return the root of the tree."""
        return _joined([subtree for _, subtree in self._subtrees])


def root_of(size: int, subtree: Subtree) -> bytes:
    """Return the root of the tree of the first `size` leaves."""
    return root_of_range(0, size, subtree)


def root_of_range(begin: int, end: int, subtree: Subtree) -> bytes:
    """Return the root above a range of leaves, which begins where a complete subtree of its size does."""
    return _joined(_complete(begin, end, subtree))


def prove_inclusion(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """Return the proof that a leaf is in the tree of the first `size` leaves: PATH of RFC 6962, section 2.1.1."""
    proof: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + split(end - begin)
        if index < middle:
            proof.append(root_of_range(middle, end, subtree))
            end = middle
        else:
            proof.append(root_of_range(begin, middle, subtree))
            begin = middle
    return proof[::-1]


def prove_consistency(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """Return the proof that the tree of `new` leaves begins with that of `old`: PROOF of RFC 6962, section 2.1.2."""
    if old in {0, new}:
        return []
    proof: list[bytes] = []
    begin, end = 0, new
    while old != end:
        middle = begin + split(end - begin)
        if old <= middle:
            proof.append(root_of_range(middle, end, subtree))
            end = middle
        else:
            proof.append(root_of_range(begin, middle, subtree))
            begin = middle
    if begin:  # otherwise the old root is what it begins with, which the verifier has
        proof.append(root_of_range(begin, end, subtree))
    return proof[::-1]


def proves_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Return whether a proof shows that a leaf's hash is in the tree with this root (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size or len(leaf) != HASH_BYTES:
        return False
    number, last, found = index, size - 1, leaf
    for each in proof:
        if not last:
            return False
        if number & 1 or number == last:
            found = node_hash(each, found)
            number, last = _next_left(number, last)
        else:
            found = node_hash(found, each)
        number, last = number >> 1, last >> 1
    return last == 0 and found == root


def proves_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Return whether a proof shows that one tree begins with another (RFC 9162, section 2.1.4.2).

    A tree begins with itself, by an empty proof. Nothing proves that one begins with the empty tree, as all do.
    """
    if not 0 < old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    number, last = old - 1, new - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    if not path or not proof:
        return False
    found_old = found_new = path[0]
    for each in path[1:]:
        if not last:
            return False
        if number & 1 or number == last:
            found_old, found_new = node_hash(each, found_old), node_hash(each, found_new)
            number, last = _next_left(number, last)
        else:
            found_new = node_hash(found_new, each)
        number, last = number >> 1, last >> 1
    return last == 0 and (found_old, found_new) == (old_root, new_root)


def _next_left(number: int, last: int) -> tuple[int, int]:
    """Climb from where a subtree is the right one of its node to below the next such place."""
    while number and not number & 1:
        number, last = number >> 1, last >> 1
    return number, last


def split(size: int) -> int:
    """Return the largest power of two below a size of at least two."""
    return 1 << ((size - 1).bit_length() - 1)


def _complete(begin: int, end: int, subtree: Subtree) -> list[bytes]:
    """Return the complete subtrees of a range of leaves, the largest first; it begins where one of its size does."""
    found = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        found.append(subtree(level, begin >> level))
        begin += 1 << level
    return found


def _joined(subtrees: Sequence[bytes]) -> bytes:
    """Return the root above complete subtrees, the largest first."""
    if not subtrees:
        return EMPTY_ROOT
    root = subtrees[-1]
    for each in reversed(subtrees[:-1]):
        root = node_hash(each, root)
    return root
