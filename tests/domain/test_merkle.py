from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from domain.merkle import (
    EMPTY_ROOT,
    Frontier,
    Subtree,
    complete_root,
    leaf_hash,
    node_hash,
    prove_consistency,
    prove_inclusion,
    proves_consistency,
    proves_inclusion,
    root_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

# The proofs of Certificate Transparency, right ones and altered ones, from github.com/transparency-dev/merkle
# (testdata/inclusion and testdata/consistency at 417fb0c), © Google LLC, Apache-2.0; each file is a line.
VECTORS = [json.decode(line) for line in (Path(__file__).parent / "vectors" / "rfc6962.jsonl").read_text().splitlines()]
# The leaves and roots of the same project's testonly/constants.go, which were Certificate Transparency's own tests.
LEAVES = [
    bytes.fromhex(each)
    for each in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
SIZES = st.integers(0, 300)


def subtrees(leaves: Sequence[bytes]) -> Subtree:
    """Return the complete subtrees above the hashes of leaves."""
    return lambda level, index: complete_root(leaves[index << level : (index + 1) << level])


def hashes(count: int) -> list[bytes]:
    return [leaf_hash(bytes([number >> 8, number & 255])) for number in range(count)]


def root_by_definition(leaves: Sequence[bytes]) -> bytes:
    """Return MTH(D[n]) word for word as RFC 6962, section 2.1, defines it."""
    if len(leaves) < 2:
        return leaves[0] if leaves else EMPTY_ROOT
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(root_by_definition(leaves[:split]), root_by_definition(leaves[split:]))


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    leaves = list(map(leaf_hash, LEAVES[:size]))
    frontier = Frontier()
    for each in leaves:
        frontier.add(each)
    assert root_of(size, subtrees(leaves)).hex() == frontier.root().hex() == ROOTS[size]


def test_proofs_of_certificate_transparency_are_accepted_and_its_altered_ones_are_not() -> None:
    assert len(VECTORS) == 196
    wrong = [each["file"] for each in VECTORS if accepted(each) is each["wantErr"]]
    assert wrong == [], wrong


def accepted(vector: dict[str, object]) -> bool:
    def decoded(name: str) -> bytes:
        return b64decode(str(vector[name] or ""))

    proof = [b64decode(each) for each in json.decode(json.encode(vector["proof"] or []), type=list[str])]
    if vector["kind"] == "inclusion":
        index, size = int(str(vector["leafIdx"])), int(str(vector["treeSize"]))
        return proves_inclusion(decoded("leafHash"), index, size, proof, decoded("root"))
    old, new = int(str(vector["size1"])), int(str(vector["size2"]))
    return proves_consistency(old, new, decoded("root1"), decoded("root2"), proof)


@given(SIZES)
def test_a_tree_that_grows_has_the_roots_of_the_definition(size: int) -> None:
    leaves, frontier = hashes(size), Frontier()
    for each in leaves[: size // 16 * 16 : 16]:
        at = leaves.index(each)
        frontier.add(complete_root(leaves[at : at + 16]), 4)
    for each in leaves[size // 16 * 16 :]:
        frontier.add(each)
    assert frontier.root() == root_of(size, subtrees(leaves)) == root_by_definition(leaves)


@given(st.data(), SIZES.filter(bool))
def test_each_leaf_is_proven_and_with_any_altered_bit_it_is_not(data: st.DataObject, size: int) -> None:
    leaves = hashes(size)
    index = data.draw(st.integers(0, size - 1))
    root, proof = root_of(size, subtrees(leaves)), prove_inclusion(index, size, subtrees(leaves))
    assert proves_inclusion(leaves[index], index, size, proof, root)
    given = [leaves[index], *proof, root]
    for leaf, *path, top in altered(data, given):
        assert not proves_inclusion(leaf, index, size, path, top)
    other = data.draw(st.integers(-1, size).filter(lambda number: number != index))
    assert not proves_inclusion(leaves[index], other, size, proof, root)
    assert not proves_inclusion(leaves[index], index, size, [*proof, root], root)
    assert not proof or not proves_inclusion(leaves[index], index, size, proof[:-1], root)


@given(st.data(), SIZES.filter(bool))
def test_each_tree_is_proven_to_begin_a_later_one_and_with_any_altered_bit_it_is_not(
    data: st.DataObject, new: int
) -> None:
    tree = subtrees(hashes(new))
    old = data.draw(st.integers(1, new))
    roots = root_of(old, tree), root_of(new, tree)
    proof = prove_consistency(old, new, tree)
    assert proves_consistency(old, new, *roots, proof)
    for first, second, *path in altered(data, [*roots, *proof]):
        assert not proves_consistency(old, new, first, second, path)
    assert not proves_consistency(old, new, *roots, [*proof, roots[0]])
    assert not proof or not proves_consistency(old, new, *roots, proof[:-1])
    assert not proves_consistency(new + 1, new, *roots, proof)


def altered(data: st.DataObject, given: list[bytes]) -> list[list[bytes]]:
    """Return the hashes with a bit changed in one of them, for each of them."""
    bit = data.draw(st.integers(0, 255))
    found = []
    for at, each in enumerate(given):
        other = (int.from_bytes(each) ^ (1 << bit)).to_bytes(32)
        found.append([*given[:at], other, *given[at + 1 :]])
    return found
