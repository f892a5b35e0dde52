"""The tree: known vectors of RFC 6962, and every proof of every small tree, both ways."""

from __future__ import annotations

import hashlib

from otel_agentops.recorder.tree import (
    EMPTY_ROOT,
    Frontier,
    compute_root,
    hash_leaf,
    prove_consistency,
    prove_inclusion,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [hash_leaf(bytes([number])) for number in range(33)]
# The test vectors of certificate-transparency-go, which other logs use as well.
INPUTS = [bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")]
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
}


def test_roots_are_those_of_the_published_vectors() -> None:
    leaves = [hash_leaf(data) for data in INPUTS]
    assert {size: compute_root(leaves[:size]).hex() for size in ROOTS} == ROOTS
    assert EMPTY_ROOT == hashlib.sha256().digest() == compute_root([])


def test_frontier_goes_on_from_its_roots() -> None:
    frontier = Frontier()
    for size, leaf in enumerate(LEAVES, 1):
        frontier = Frontier(frontier.size, frontier.roots)
        frontier.append(leaf)
        assert frontier.compute_root() == compute_root(LEAVES[:size])


def test_every_inclusion_is_proved_and_no_other() -> None:
    for size in range(1, len(LEAVES)):
        root = compute_root(LEAVES[:size])
        for index in range(size):
            path = prove_inclusion(LEAVES[:size], index)
            assert verify_inclusion(LEAVES[index], index, size, path, root)
            assert not verify_inclusion(LEAVES[-1], index, size, path, root)
            assert not verify_inclusion(LEAVES[index], index, size, path, LEAVES[-1])
            assert not verify_inclusion(LEAVES[index], index + 1, size, path, root)


def test_every_consistency_is_proved_and_no_other() -> None:
    for second in range(1, len(LEAVES)):
        root = compute_root(LEAVES[:second])
        for first in range(1, second + 1):
            proof = prove_consistency(LEAVES[:second], first)
            before = compute_root(LEAVES[:first])
            assert verify_consistency(first, second, before, root, proof)
            assert not verify_consistency(first, second, LEAVES[-1], root, proof)
            assert not verify_consistency(first, second, before, LEAVES[-1], proof)
