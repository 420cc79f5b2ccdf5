from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import decode as reference_decode
from eth_abi.abi import encode as reference_encode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mintline.chain import abi
from mintline.eth import to_checksum_address

VALUES = {
    "address": st.binary(min_size=20, max_size=20).map(to_checksum_address),
    "bool": st.booleans(),
    "uint96": st.integers(0, 2**96 - 1),
    "uint256": st.integers(0, 2**256 - 1),
    "bytes4": st.binary(min_size=4, max_size=4),
    "bytes32": st.binary(min_size=32, max_size=32),
    "string": st.text(max_size=80),
    "bytes": st.binary(max_size=80),
}


# The first text drawn builds a table of all of Unicode, which a busy machine takes seconds for.
patient = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)


@st.composite
def arguments(draw: st.DrawFn) -> tuple[list[str], list[Any]]:
    types = draw(st.lists(st.sampled_from(sorted(VALUES)), max_size=6))
    return types, [draw(VALUES[kind]) for kind in types]


@patient
@given(arguments())
def test_encode__when_any_arguments__then_as_the_reference_does(drawn: tuple[list[str], list[Any]]) -> None:
    types, values = drawn
    assert abi.encode(types, values) == reference_encode(types, values)


@patient
@given(arguments())
def test_decode__when_encoded_by_the_reference__then_the_arguments(
    drawn: tuple[list[str], list[Any]],
) -> None:
    types, values = drawn
    assert list(abi.decode(types, reference_encode(types, values))) == values


@patient
@given(st.sampled_from(sorted(VALUES)), st.binary(max_size=200))
def test_decode__when_given_garbage__then_a_value_or_a_value_error(kind: str, data: bytes) -> None:
    try:
        [value] = abi.decode([kind], data)
    except ValueError:
        return
    if kind != "string":  # undecodable text is replaced, not refused
        expected = reference_decode([kind], data, strict=False)[0]
        assert value == (to_checksum_address(expected) if kind == "address" else expected)


@pytest.mark.parametrize(
    ("kind", "value"), [("uint96", 2**96), ("uint256", -1), ("bytes32", b"short"), ("uint256[]", [1])]
)
def test_encode__when_the_value_does_not_fit__then_it_refuses(kind: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"fit|encode"):
        abi.encode([kind], [value])
