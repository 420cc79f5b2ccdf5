"""The trie of a list against an independent implementation, and every way in which a proof is none."""

from __future__ import annotations

import random

import pytest

from mintline.eth import keccak256
from mintline.proofs.trie import Inclusion, NotProven, prove, value_at
from mintline.rlp import rlp_encode


def values(count: int, length: int) -> list[bytes]:
    return [bytes([place % 255 + 1]) * length for place in range(count)]


@pytest.mark.parametrize(
    ("count", "length", "root"),
    [
        # From @ethereumjs/mpt 10, with the same keys and values.
        (1, 3, "2b8089e6bffe9d433ae8b4f4d5788611d6b5dadc31a6b7718b00a5de61880488"),
        (1, 40, "3f77cb205bc45652fcbc26ae861f2948f44a8e6e403d2d9614178d8ef297aab7"),
        (2, 40, "ece7b985c854961c657ab5a672c4f178e139f845607e8ad6b38bbbc53f639a4d"),
        (16, 3, "f00d3b19489ebf39d0c5370968f3a189f27cd46b2f9efc08c1e712cb2c867d3e"),
        (17, 40, "4eeee0711bdd6701487db39388540c7f8a6187f5700493ab513f54911247d62d"),
        (127, 5, "ac4c30f78e888d6ebae6256c5a7b887c1532f3e86fcfb414b782ac63f573d2d6"),
        (128, 40, "dd524db4fdc265a6464c012d7be3f4dc3500f00f4ebba3de908c829c0b8a39cd"),
        (129, 40, "b3f5f7fa8c8992f8601897320b7b9c2ff8282df6c3d4fa6dd97dfcceebaecef0"),
        (300, 3, "716a24fbe5086369193b7ed8bce2d55d0d8d5c5b37c78c1d1b7df8aa87c6fe26"),
        (300, 120, "93ac5e3850a69e1d4565b70fd94e568235932b4da4565c347335813006a0f3e4"),
    ],
)
def test_root__when_another_implementation_has_the_same_list__then_both_agree_and_all_is_proven(
    count: int, length: int, root: str
) -> None:
    listed = values(count, length)
    for index in {0, 1, 15, 16, 127, 128, count // 2, count - 1} & set(range(count)):
        proof = prove(listed, index)
        assert proof.root.hex() == root
        assert value_at(proof.root, index, proof.nodes) == listed[index]


def test_proof__when_it_is_altered__then_it_proves_nothing() -> None:
    rng = random.Random(3)
    for count, length in ((1, 40), (3, 33), (40, 2), (200, 60)):
        index = rng.randrange(count)
        proof = prove(values(count, length), index)
        for altered in altered_proofs(proof, rng):
            with pytest.raises(NotProven):
                value_at(proof.root, index, altered)
        with pytest.raises(NotProven):
            value_at(bytes(32), index, proof.nodes)
        for other in {0, 1, count - 1, count, 10**6} - {index}:
            # Small values lie within their parents: a proof of one may prove its neighbours as well.
            try:
                value = value_at(proof.root, other, proof.nodes)
            except NotProven:
                continue
            assert value == values(count, length)[other]


def altered_proofs(proof: Inclusion, rng: random.Random) -> list[tuple[bytes, ...]]:
    nodes = proof.nodes
    altered = [nodes[:-1], (*nodes, nodes[-1]), (*nodes, b""), nodes[1:], (b"\x80", *nodes[1:])]
    for place, node in enumerate(nodes):
        for _ in range(40):
            at = rng.randrange(len(node))
            changed = node[:at] + bytes([node[at] ^ 1 << rng.randrange(8)]) + node[at + 1 :]
            altered.append((*nodes[:place], changed, *nodes[place + 1 :]))
    return altered


@pytest.mark.parametrize(
    "node",
    [
        b"\x80",
        rlp_encode([]),
        rlp_encode([b"\x20", b"x", b"y"]),
        rlp_encode([b"", b"value"]),
        rlp_encode([b"\x48", b"value"]),
        rlp_encode([b"\x28\x00", b"value"]),
        rlp_encode([b"\x20\x80", [b"value"]]),
        rlp_encode([b"\x20\x80", b""]),
        rlp_encode([b"\x20\x80\x00", b"value"]),
        rlp_encode([b"\x20", b"value"]),
        rlp_encode([b"\x00\x80", b"x" * 31]),
        rlp_encode([b"\x00\x80", [b"value"]]),
        rlp_encode([b""] * 17),
        b"\xc1",
    ],
)
def test_node__when_it_is_malformed_but_hashes_to_the_root__then_it_proves_nothing(node: bytes) -> None:
    with pytest.raises(NotProven):
        value_at(keccak256(node), 0, [node])


def test_index__when_the_list_is_shorter__then_there_is_no_proof() -> None:
    for index in (-1, 3):
        with pytest.raises(IndexError):
            prove(values(3, 9), index)
