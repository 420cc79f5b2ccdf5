"""Keys sort as the numbers they hold, and metadata has one text."""

import hashlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintline.canonical_json import canonical_json, digest_of
from mintline.eth import UINT256_MAX
from mintline.records.keys import OPEN_SHARDS, open_shard, position, token_key

ids = st.integers(min_value=0, max_value=UINT256_MAX)


@given(ids, ids)
def test_token_key__when_sorted__then_the_order_is_that_of_numbers(left: int, right: int) -> None:
    assert (token_key(left) < token_key(right)) == (left < right)


@given(
    st.tuples(st.integers(0, 10**12 - 1), st.integers(0, 10**6 - 1)),
    st.tuples(st.integers(0, 10**12 - 1), st.integers(0, 10**6 - 1)),
)
def test_position__when_sorted__then_the_order_is_that_of_the_chain(
    left: tuple[int, int], right: tuple[int, int]
) -> None:
    assert (position(*left) < position(*right)) == (left < right)


def test_canonical_json__when_order_or_spelling_differ__then_it_is_the_same() -> None:
    assert canonical_json({"b": 1, "a": "é"}) == '{"a":"é","b":1}'


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_canonical_json__when_a_number_is_not_in_json__refuses(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"value": value})


def test_digest_of__when_given_a_text__then_it_is_the_sha256_of_its_utf8_bytes() -> None:
    assert digest_of("é") == hashlib.sha256(b"\xc3\xa9").digest()


def test_open_shard__when_mints_are_many__spreads_them_evenly() -> None:
    counts = Counter(open_shard(f"mint_{number}") for number in range(8000))
    assert set(counts) == {str(shard) for shard in range(OPEN_SHARDS)}
    assert max(counts.values()) < 1.2 * min(counts.values())
