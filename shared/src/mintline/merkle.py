"""Merkle trees over SHA-256, as Certificate Transparency has them (RFC 9162, section 2.1).

Leaves and inner nodes are hashed in domains of their own, so no node passes for a leaf. A tree whose number
of leaves is no power of two has shorter paths for its last leaves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

HASH_BYTES = 32
_LEAF, _NODE = b"\x00", b"\x01"


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root of a tree, 32 bytes; raises ValueError without a leaf."""
    if not leaves:
        raise ValueError("a tree has a leaf at least")
    level = [_leaf(leaf) for leaf in leaves]
    while len(level) > 1:
        level = _above(level)
    return level[0]


def merkle_path(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Return the nodes that hash a leaf up to the root; raises ValueError if there is no such leaf."""
    if not 0 <= index < len(leaves):
        raise ValueError("the tree has no such leaf")
    level = [_leaf(leaf) for leaf in leaves]
    path: list[bytes] = []
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        level, index = _above(level), index // 2
    return tuple(path)


def merkle_paths(leaves: Sequence[bytes]) -> Iterator[tuple[bytes, ...]]:
    """Yield the path of each leaf, hashing each node once."""
    levels = [[_leaf(leaf) for leaf in leaves]]
    while len(levels[-1]) > 1:
        levels.append(_above(levels[-1]))
    for leaf in range(len(leaves)):
        places = [(level, leaf >> height ^ 1) for height, level in enumerate(levels[:-1])]
        yield tuple(level[sibling] for level, sibling in places if sibling < len(level))


def root_of_path(leaf: bytes, index: int, count: int, path: Sequence[bytes]) -> bytes:
    """Return the root of the tree of `count` leaves in which `leaf` has this index and path.

    Raises ValueError if no leaf of such a tree has that index, or a path of that length.
    """
    if not 0 <= index < count:
        raise ValueError("the tree has no such leaf")
    node, last, rest = _leaf(leaf), count - 1, iter(path)
    while last:
        if index % 2:
            node = _node(_next(rest), node)
        elif index < last:
            node = _node(node, _next(rest))
        index, last = index // 2, last // 2
    if next(rest, None) is not None:
        raise ValueError("the path is too long")
    return node


def _next(path: Iterator[bytes]) -> bytes:
    node = next(path, None)
    if node is None or len(node) != HASH_BYTES:
        raise ValueError("the path is too short, or no path of hashes")
    return node


def _above(level: Sequence[bytes]) -> list[bytes]:
    nodes = [_node(level[place], level[place + 1]) for place in range(0, len(level) - 1, 2)]
    return [*nodes, level[-1]] if len(level) % 2 else nodes


def _leaf(data: bytes) -> bytes:
    return hashlib.sha256(_LEAF + data).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(_NODE + left + right).digest()
