"""Merkle trees as RFC 9162 has them, and the requests for many mints that are built on them."""

from __future__ import annotations

import hashlib
import json
import zlib

import pytest

from mintline.errors import Unreadable
from mintline.lines import Line, LinesChunk, LinesRequest, pack_lines, unpack_lines
from mintline.merkle import merkle_path, merkle_paths, merkle_root, root_of_path
from mintline.object_keys import metadata_object_key
from mintline.packs import pack_of
from mintline.records.keys import token_key
from mintline_testkit.constants import CHAIN_ID, CONTRACT

LEAVES = [bytes([number]) * 32 for number in range(70)]
TO = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


def by_definition(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162, 2.1.1, word for word."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    left, right = by_definition(leaves[:half]), by_definition(leaves[half:])
    return hashlib.sha256(b"\x01" + left + right).digest()


@pytest.mark.parametrize("count", [*range(1, 20), 31, 32, 33, 64, 65, 70])
def test_tree__when_it_has_any_number_of_leaves__then_it_is_that_of_the_rfc(count: int) -> None:
    leaves = LEAVES[:count]
    root = merkle_root(leaves)
    assert root == by_definition(leaves)
    for index, leaf in enumerate(leaves):
        path = merkle_path(leaves, index)
        assert root_of_path(leaf, index, count, path) == root
        assert len(path) <= (count - 1).bit_length()


@pytest.mark.parametrize("count", [2, 3, 7, 12])
def test_path__when_anything_about_it_is_another__then_it_leads_to_another_root(count: int) -> None:
    leaves = LEAVES[:count]
    root, path = merkle_root(leaves), merkle_path(leaves, 1)
    assert root_of_path(leaves[0], 1, count, path) != root
    for place in range(len(path)):
        other = (*path[:place], bytes(32), *path[place + 1 :])
        assert root_of_path(leaves[1], 1, count, other) != root
    for wrong in [path[:-1], (*path, bytes(32)), (*path[:-1], b"short")]:
        with pytest.raises(ValueError, match="path"):
            root_of_path(leaves[1], 1, count, wrong)
    for index in (-1, count):
        with pytest.raises(ValueError, match="no such leaf"):
            root_of_path(leaves[1], index, count, path)
        with pytest.raises(ValueError, match="no such leaf"):
            merkle_path(leaves, index)


def test_tree__when_it_has_no_leaf__then_it_is_none() -> None:
    with pytest.raises(ValueError, match="a leaf"):
        merkle_root([])


def test_tree__when_a_node_is_given_as_a_leaf__then_it_is_another_tree() -> None:
    left, right = (hashlib.sha256(b"\x00" + leaf).digest() for leaf in LEAVES[:2])
    assert merkle_root([left + right]) != merkle_root(LEAVES[:2])


REQUEST = LinesRequest(
    request_id="bulk_1", asked_by="shop", client_id="shop", chain_id=CHAIN_ID, contract=CONTRACT
)
LINES = [
    Line("shop", TO, bytes([number]) * 32, f"order-{number}", ("spring",) if number else None)
    for number in range(5)
]


def chunks() -> list[LinesChunk]:
    """Return a request of 15 lines in three chunks."""
    leaves = [REQUEST.leaves(LINES, chunk=n, first_token_id=100 * n) for n in range(3)]
    roots = [merkle_root(some) for some in leaves]
    return [
        REQUEST.chunk(
            LINES,
            leaves=leaves[n],
            first_token_id=100 * n,
            envelope=b"sealed",
            created_at=7,
            number=n,
            chunks=3,
            count=15,
            path=merkle_path(roots, n),
        )
        for n in range(3)
    ]


def test_chunks__when_they_are_of_one_request__then_each_leads_to_its_digest() -> None:
    digests = {chunk.digest() for chunk in chunks()}
    assert len(digests) == 1
    assert {chunk.model_copy(update={"count": 14}).digest() for chunk in chunks()}.isdisjoint(digests)


def test_chunk__when_its_mints_are_made__then_they_are_its_lines_in_order() -> None:
    chunk = chunks()[1]
    mints = chunk.mints()
    assert tuple(mint.mint_id for mint in mints) == chunk.mint_ids
    assert [mint.token_id for mint in mints] == [100, 101, 102, 103, 104]
    assert [(mint.to, mint.external_id, mint.tags) for mint in mints[:2]] == [
        (TO, "order-0", None),
        (TO, "order-1", ("spring",)),
    ]
    assert mints == tuple(mint for n in range(5) for mint in chunk.mints(frozenset({n})))
    every = [mint_id for each in chunks() for mint_id in each.mint_ids]
    assert len(set(every)) == 15


@pytest.mark.parametrize(
    "packed",
    [b"", b"no", zlib.compress(b"{}"), zlib.compress(b"[1]"), zlib.compress(json.dumps([["a"]]).encode())],
)
def test_lines__when_they_are_damaged__then_they_are_unreadable(packed: bytes) -> None:
    if packed == zlib.compress(b"{}"):
        assert unpack_lines(packed) == []
        return
    with pytest.raises(Unreadable):
        unpack_lines(packed)
    assert unpack_lines(pack_lines(LINES)) == LINES


def test_pack__when_it_has_texts__then_each_is_found_by_its_token() -> None:
    texts = ['{"name":"a"}', '{"name":"ä"}', '{"name":"c"}']
    pack = pack_of(CHAIN_ID, CONTRACT, 10, texts)
    assert pack.index.first_token == token_key(10)
    for number, text in enumerate(texts):
        span = pack.index.span_of(10 + number)
        assert span is not None
        assert pack.body[span[0] : span[1]].decode() == text
    assert pack.index.span_of(9) is None
    assert pack.index.span_of(13) is None
    assert pack.index.object_key != metadata_object_key(CHAIN_ID, CONTRACT, 10)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 53])
def test_paths__when_made_together__then_they_are_those_made_alone(count: int) -> None:
    leaves = [bytes([place]) for place in range(count)]
    assert list(merkle_paths(leaves)) == [merkle_path(leaves, place) for place in range(count)]
