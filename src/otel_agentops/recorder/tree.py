"""The Merkle tree over a writer's entries, as RFC 6962 and RFC 9162 have it: roots and proofs.

A `Frontier` grows by one leaf at a time and keeps the roots of the full subtrees alone, so a writer needs no leaf of
before. The other functions are given a list of leaves, or the roots of those that came before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

EMPTY_ROOT = hashlib.sha256().digest()


_WITHOUT_RELEASE = 2047  # bytes that hashlib hashes without giving the interpreter away
_WORTH_RELEASE = 262_144


def hash_bytes(data: bytes, start: bytes = b"") -> bytes:
    """Return the SHA-256 of two texts, one behind the other.

    Whoever gives the interpreter away gets it back 5 ms later in a busy process, which is long for 40 kB.
    """
    digest = hashlib.sha256(start)
    if len(data) > _WORTH_RELEASE:
        digest.update(data)
        return digest.digest()
    view = memoryview(data)
    for place in range(0, len(data), _WITHOUT_RELEASE):
        digest.update(view[place : place + _WITHOUT_RELEASE])
    return digest.digest()


def hash_leaf(data: bytes) -> bytes:
    """Return the hash of an entry's line."""
    return hash_bytes(data, b"\0")


def hash_pair(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node with two children."""
    return hashlib.sha256(b"\1" + left + right).digest()


class Frontier:
    """A tree that grows: how many leaves it has, and the roots of its full subtrees, largest first."""

    def __init__(self, size: int = 0, roots: Sequence[bytes] = ()) -> None:
        self.size = size
        self.roots = list(roots)

    def append(self, leaf: bytes) -> None:
        """Add a leaf's hash."""
        self.roots.append(leaf)
        self.size += 1
        for _ in range((self.size & -self.size).bit_length() - 1):  # as many full subtrees end here
            right = self.roots.pop()
            self.roots.append(hash_pair(self.roots.pop(), right))

    def compute_root(self) -> bytes:
        """Return the root of the tree so far."""
        if not self.roots:
            return EMPTY_ROOT
        root = self.roots[-1]
        for left in reversed(self.roots[:-1]):
            root = hash_pair(left, root)
        return root


def compute_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over these hashes of leaves."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.compute_root()


def _split(size: int) -> int:
    """Return the largest power of two below a size."""
    return 1 << ((size - 1).bit_length() - 1)


def prove_inclusion(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the path from a leaf to the root, lowest first (RFC 9162, 2.1.3.1)."""
    if len(leaves) <= 1:
        return []
    middle = _split(len(leaves))
    if index < middle:
        return [*prove_inclusion(leaves[:middle], index), compute_root(leaves[middle:])]
    return [*prove_inclusion(leaves[middle:], index - middle), compute_root(leaves[:middle])]


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Return True if a path proves that a leaf is in the tree with that root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    node, last, current = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if node & 1 or node == last:
            current = hash_pair(sibling, current)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            current = hash_pair(current, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and current == root


def prove_consistency(leaves: Sequence[bytes], size: int) -> list[bytes]:
    """Return the proof that the tree over the first `size` leaves became the one over all (RFC 9162, 2.1.4.1)."""
    return _prove_subtree(leaves, size, True) if 0 < size < len(leaves) else []


def _prove_subtree(leaves: Sequence[bytes], size: int, is_whole: bool) -> list[bytes]:
    if size == len(leaves):
        return [] if is_whole else [compute_root(leaves)]
    middle = _split(len(leaves))
    if size <= middle:
        return [*_prove_subtree(leaves[:middle], size, is_whole), compute_root(leaves[middle:])]
    return [*_prove_subtree(leaves[middle:], size - middle, False), compute_root(leaves[:middle])]


def verify_consistency(
    first_size: int, second_size: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Return True if a proof shows that the second tree has the first one's leaves, unchanged (RFC 9162, 2.1.4.2)."""
    if first_size == second_size:
        return not proof and first_root == second_root
    if first_size == 0:
        return not proof and first_root == EMPTY_ROOT
    if not 0 < first_size < second_size or not proof:
        return False
    path = list(proof) if first_size & (first_size - 1) else [first_root, *proof]
    node, last = first_size - 1, second_size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            first, second = hash_pair(sibling, first), hash_pair(sibling, second)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            second = hash_pair(second, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and first == first_root and second == second_root
