"""Amounts, ids, addresses and bytes: what is taken, what is refused, and how it is written."""

from typing import Any

import pytest
from eth_utils.address import to_checksum_address as reference
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from mintline.eth import UINT256_MAX
from mintline.fields import Address, Bytes32, HexBytes, Uint256, checked_address


class Example(BaseModel):
    amount: Uint256 = 0
    owner: Address = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
    digest: Bytes32 = bytes(32)
    raw: HexBytes = b""


@given(st.integers(min_value=0, max_value=UINT256_MAX))
def test_uint256__when_written_as_json__then_it_is_a_decimal_string_and_reads_the_same(amount: int) -> None:
    text = Example(amount=amount).model_dump_json()
    assert f'"amount":"{amount}"' in text
    assert Example.model_validate_json(text).amount == amount


@pytest.mark.parametrize(
    "amount", [-1, UINT256_MAX + 1, "01", " 1", "1 ", "+1", "1e3", "0x1", "", "\u0661", 1.0, True, None]
)
def test_uint256__when_it_is_none__is_refused(amount: Any) -> None:
    with pytest.raises(ValidationError):
        Example(amount=amount)


@given(st.binary(min_size=20, max_size=20).filter(any))
def test_address__when_its_checksum_is_made__then_it_is_that_of_the_reference(raw: bytes) -> None:
    assert checked_address("0x" + raw.hex()) == reference(raw)
    assert checked_address(reference(raw)) == reference(raw)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("0x70997970C51812dc3A010C7d01b50e0d17dc79c8", "checksum"),
        ("0x0000000000000000000000000000000000000000", "zero address"),
        ("70997970C51812dc3A010C7d01b50e0d17dc79C8", "0x"),
        ("0x70997970C51812dc3A010C7d01b50e0d17dc79", "40 hex"),
        ("0x70997970C51812dc3A010C7d01b50e0d17dc79C8\n", "40 hex"),
        ("vitalik.eth", "0x"),
    ],
)
def test_address__when_it_is_wrong__says_why(address: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        checked_address(address)


@pytest.mark.parametrize("digest", ["0x00", "00" * 32, "0x" + "zz" * 32, "0x" + "00" * 33])
def test_bytes32__when_it_is_not__is_refused(digest: str) -> None:
    with pytest.raises(ValidationError):
        Example.model_validate({"digest": digest})


@given(st.binary(max_size=200))
def test_hex_bytes__when_written_as_json__then_they_read_the_same(raw: bytes) -> None:
    assert Example.model_validate_json(Example(raw=raw).model_dump_json()).raw == raw
