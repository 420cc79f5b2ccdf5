"""Our RLP against the reference implementation."""

from __future__ import annotations

from typing import Any

import pytest
import rlp  # type: ignore[import-untyped]  # the reference has no types
from hypothesis import given
from hypothesis import strategies as st

from mintline.eth import UINT256_MAX
from mintline.rlp import MAX_DEPTH, rlp_decode, rlp_encode, to_big_endian

items = st.recursive(st.binary(max_size=70), lambda child: st.lists(child, max_size=5), max_leaves=20)


def depth(item: Any) -> int:
    return 1 + max((depth(child) for child in item), default=0) if isinstance(item, list) else 0


@given(items)
def test_encode__when_given_any_item__equals_the_reference(item: Any) -> None:
    assert rlp_encode(item) == rlp.encode(item)


@pytest.mark.parametrize("length", [0, 1, 55, 56, 255, 256, 65_535, 65_536])
def test_rlp__when_a_length_is_at_an_encoding_boundary__equals_the_reference(length: int) -> None:
    data = b"\x80" * length
    assert rlp_encode(data) == rlp.encode(data)
    assert rlp_encode([data, [data]]) == rlp.encode([data, [data]])
    assert rlp_decode(rlp.encode([data, [data]])) == [data, [data]]


@given(items.filter(lambda item: depth(item) <= MAX_DEPTH))
def test_decode__when_the_reference_encoded_it__is_the_same(item: Any) -> None:
    assert rlp_decode(rlp.encode(item)) == item


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 50])
def test_decode__when_lists_are_nested_too_deeply__is_refused(levels: int) -> None:
    item: list[Any] = []
    for _ in range(levels - 1):
        item = [item]

    with pytest.raises(ValueError, match="nested too deeply"):
        rlp_decode(rlp_encode(item))


@st.composite
def almost(draw: st.DrawFn) -> bytes:
    """An item's encoding with some bytes replaced, inserted or cut off."""
    data = bytearray(rlp_encode(draw(items)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(data)


@given(st.binary(max_size=120) | almost())
def test_decode__when_given_any_bytes__takes_exactly_what_the_strict_reference_takes(data: bytes) -> None:
    try:
        expected = rlp.decode(data, strict=True)
    except rlp.DecodingError:
        with pytest.raises(ValueError, match="RLP"):
            rlp_decode(data)
        return
    try:
        decoded = rlp_decode(data)
    except ValueError:
        assert depth(expected) > MAX_DEPTH
    else:
        assert decoded == expected
        assert rlp_encode(decoded) == data


@pytest.mark.parametrize(
    "encoded",
    [
        "8101",  # a small byte at length
        "b800",  # a long form for nothing
        "b80161",  # a long form for a short string
        "b9003861",  # a length with a leading zero
        "c10000",  # something behind
        "836162",
        "f800",
        "c2616263",
        "",
    ],
)
def test_decode__when_it_is_not_canonical_or_breaks_off__is_refused(encoded: str) -> None:
    data = bytes.fromhex(encoded)
    with pytest.raises(ValueError, match=r"canonical|breaks off|left over"):
        rlp_decode(data)


@given(st.integers(0, UINT256_MAX))
def test_big_endian__when_given_any_uint256__has_no_leading_zero_and_reads_back(value: int) -> None:
    encoded = to_big_endian(value)
    assert int.from_bytes(encoded, "big") == value
    assert not encoded.startswith(b"\0")


def test_big_endian__when_negative__raises() -> None:
    with pytest.raises(ValueError, match="negative"):
        to_big_endian(-1)
