"""The trie whose root a block's header holds for its transactions, and for their receipts.

Keys are the RLP of an index, values what is at that index. A node's reference within its parent is its
Keccak-256, or the node itself if its encoding is shorter than 32 bytes.

Source: Yellow Paper, appendix D (modified Merkle Patricia tree), and section 4.4.3 for the two tries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from mintline.eth import keccak256
from mintline.rlp import Rlp, RlpItem, rlp_decode, rlp_encode, to_big_endian

Nibbles: TypeAlias = tuple[int, ...]
_Pairs: TypeAlias = Sequence[tuple[Nibbles, bytes]]

_BRANCH = 17
_HASH = 32
_LEAF = 2
_ODD = 1


class NotProven(ValueError):  # noqa: N818 - named for what was found
    """A proof does not lead from its root to a value; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A trie's root, and the encoded nodes from it down to the value of one index."""

    root: bytes
    nodes: tuple[bytes, ...]


def prove(values: Sequence[bytes], index: int) -> Inclusion:
    """Return the root of a list's trie with the proof of one of its values; raises IndexError."""
    if not 0 <= index < len(values):
        raise IndexError(f"no value {index} in a list of {len(values)}")
    pairs = sorted((_key(place), value) for place, value in enumerate(values))
    path: list[bytes] = []
    encoded = rlp_encode(_node(pairs, 0, _key(index), path))
    return Inclusion(keccak256(encoded), (encoded, *reversed(path)))


def value_at(root: bytes, index: int, nodes: Sequence[bytes]) -> bytes:
    """Return the value of an index that `nodes` prove to be in the trie of that root.

    Raises NotProven for nodes that are missing, malformed, altered or left over.
    """
    rest, remaining, reference = _key(index), list(nodes), root
    node = _next(remaining, reference)
    while True:
        if len(node) == _BRANCH:
            if not rest:
                return _last(node[16], remaining)
            child, rest = node[rest[0]], rest[1:]
        else:
            nibbles, is_leaf = _path_of(node[0])
            if rest[: len(nibbles)] != nibbles or (is_leaf and len(rest) != len(nibbles)):
                raise NotProven("The proof leads to another index.")
            if is_leaf:
                return _last(node[1], remaining)
            child, rest = node[1], rest[len(nibbles) :]
        node = _checked(child) if isinstance(child, list) else _next(remaining, child)


def _next(remaining: list[bytes], reference: bytes) -> list[Rlp]:
    """Return the next node of a proof, which must be the one that its parent names."""
    if not remaining:
        raise NotProven("The proof ends before the value.")
    encoded = remaining.pop(0)
    if keccak256(encoded) != reference:
        raise NotProven("A node of the proof is not the one that its parent names.")
    try:
        return _checked(rlp_decode(encoded))
    except ValueError as error:
        raise NotProven(f"A node of the proof is malformed: {error}.") from None


def _checked(node: Rlp) -> list[Rlp]:
    if not isinstance(node, list) or len(node) not in (2, _BRANCH):
        raise NotProven("A node of the proof is neither a branch, an extension nor a leaf.")
    return node


def _last(value: Rlp, remaining: list[bytes]) -> bytes:
    if remaining:
        raise NotProven("The proof has nodes behind the value.")
    if not isinstance(value, bytes) or not value:
        raise NotProven("The proof leads to no value.")
    return value


def _node(pairs: _Pairs, depth: int, wanted: Nibbles | None, path: list[bytes]) -> RlpItem:
    """Return the node for keys that agree in their first `depth` nibbles.

    The encodings below it on the way to `wanted` are appended to `path`, the deepest one first.
    """
    first, value = pairs[0]
    if len(pairs) == 1:
        return [_compact(first[depth:], leaf=True), value]
    last = pairs[-1][0]
    common = depth
    while common < len(first) and first[common] == last[common]:
        common += 1
    if common > depth:
        child = _reference(_node(pairs, common, wanted, path), path if wanted else None)
        return [_compact(first[depth:common], leaf=False), child]
    children: list[RlpItem] = []
    for nibble in range(16):
        below = [pair for pair in pairs if len(pair[0]) > depth and pair[0][depth] == nibble]
        if not below:
            children.append(b"")
            continue
        on_the_way = wanted if wanted is not None and wanted[depth : depth + 1] == (nibble,) else None
        node = _node(below, depth + 1, on_the_way, path)
        children.append(_reference(node, path if on_the_way else None))
    return [*children, value if len(first) == depth else b""]


def _reference(node: RlpItem, path: list[bytes] | None) -> RlpItem:
    """Return how a parent names a node, and append its encoding to `path` if that is by hash."""
    encoded = rlp_encode(node)
    if len(encoded) < _HASH:
        return node
    if path is not None:
        path.append(encoded)
    return keccak256(encoded)


def _key(index: int) -> Nibbles:
    encoded = rlp_encode(to_big_endian(index))
    return tuple(nibble for byte in encoded for nibble in (byte >> 4, byte & 15))


def _compact(nibbles: Nibbles, *, leaf: bool) -> bytes:
    """Return nibbles in hex-prefix encoding (Yellow Paper, appendix C)."""
    flag = _LEAF if leaf else 0
    padded = (flag | _ODD, *nibbles) if len(nibbles) % 2 else (flag, 0, *nibbles)
    return bytes(high << 4 | low for high, low in zip(padded[::2], padded[1::2], strict=True))


def _path_of(compact: Rlp) -> tuple[Nibbles, bool]:
    """Return the nibbles of a hex-prefix encoding, and whether they end at a leaf."""
    if not isinstance(compact, bytes) or not compact or compact[0] >> 4 > (_LEAF | _ODD):
        raise NotProven("A node of the proof has no valid path.")
    nibbles = tuple(nibble for byte in compact for nibble in (byte >> 4, byte & 15))
    flag = nibbles[0]
    if not flag & _ODD and nibbles[1]:
        raise NotProven("A node of the proof has no valid path.")
    return nibbles[1 if flag & _ODD else 2 :], bool(flag & _LEAF)
