"""Merkle trees: vectors of the literature, and laws."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.domain.merkle import (
    EMPTY_ROOT,
    Frontier,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_from_inclusion,
    root_of,
)

# Inputs and roots that certificate-transparency implementations share as test data.
_INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657",
           "606162636465666768696a6b6c6d6e6f"]  # fmt: skip
_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
_leaves = st.lists(st.binary(min_size=32, max_size=32), max_size=40)


@pytest.mark.parametrize("size", range(1, 9))
def test_known_roots(size: int) -> None:
    leaves = [leaf_hash(bytes.fromhex(text)) for text in _INPUTS[:size]]
    assert root_of(leaves).hex() == _ROOTS[size - 1]


def test_the_empty_tree() -> None:
    assert root_of([]) == EMPTY_ROOT == sha256(b"").digest()


def _recursive(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, as it is written."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(_recursive(leaves[:split]), _recursive(leaves[split:]))


@given(_leaves)
def test_the_frontier_gives_the_root_of_the_definition(leaves: list[bytes]) -> None:
    assert root_of(leaves) == _recursive(leaves)


@given(_leaves, st.integers(0, 40))
def test_a_frontier_goes_on_from_its_roots(leaves: list[bytes], at: int) -> None:
    first = Frontier()
    for leaf in leaves[:at]:
        first.add(leaf)
    resumed, copied = Frontier(first.size, first.roots), first.copy()
    for leaf in leaves[at:]:
        resumed.add(leaf)
        copied.add(leaf)
    assert resumed.root() == copied.root() == root_of(leaves)
    assert first.size == len(leaves[:at])


def test_a_frontier_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="one root per set bit"):
        Frontier(3, [b"x" * 32])


@given(_leaves.filter(bool), st.data())
def test_a_proof_leads_to_the_root_and_no_other_leaf_does(
    leaves: list[bytes], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof = inclusion_proof(leaves, index)
    assert root_from_inclusion(leaves[index], index, len(leaves), proof) == root_of(leaves)
    other = bytes([leaves[index][0] ^ 1]) + leaves[index][1:]
    assert root_from_inclusion(other, index, len(leaves), proof) != root_of(leaves)


@given(_leaves.filter(bool), st.data())
def test_a_proof_of_a_wrong_length_is_refused(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof = inclusion_proof(leaves, index)
    with pytest.raises(ValueError, match="too long"):
        root_from_inclusion(leaves[index], index, len(leaves), (*proof, b"x" * 32))
    if proof:
        with pytest.raises(ValueError, match="too short"):
            root_from_inclusion(leaves[index], index, len(leaves), proof[:-1])


def test_a_leaf_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_proof([b"x"], 1)
    with pytest.raises(ValueError, match="no leaf"):
        root_from_inclusion(b"x", 1, 1, ())
