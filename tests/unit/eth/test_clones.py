"""Collections of a factory: our encodings against eth-abi, and what arguments are refused."""

from typing import Any

import pytest
from eth_abi.abi import encode as abi_encode
from eth_utils.crypto import keccak as reference_keccak
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mintline import clones, eth
from mintline.clones import CloneArgs

STRUCT = "(string,string,address,address,uint96,uint64,uint64,uint64,bool)"
ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
PLAIN: dict[str, Any] = {"name": "Gate", "symbol": "G", "owner": ADDRESS}

uint64 = st.integers(0, 2**64 - 1)
addresses = st.binary(min_size=20, max_size=20).filter(any).map(eth.to_checksum_address)
texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=16)


@st.composite
def arguments(draw: st.DrawFn) -> CloneArgs:
    start = draw(st.integers(0, 2**63))
    return CloneArgs(
        name=draw(texts),
        symbol=draw(texts.filter(lambda text: len(text.encode()) <= clones.MAX_SYMBOL_BYTES)),
        owner=draw(addresses),
        royalty_receiver=draw(addresses),
        royalty_bps=draw(st.integers(0, 10_000)),
        supply_cap=draw(uint64),
        mint_start=start,
        mint_end=draw(st.just(0) | st.integers(start + 1, 2**64 - 1)),
        soulbound=draw(st.booleans()),
        metadata_commitment=draw(st.none() | st.binary(min_size=32, max_size=32).filter(any)),
    )


@given(arguments())
def test_args__when_encoded__then_equal_the_reference(args: CloneArgs) -> None:
    *values, commitment = dict(args).values()
    assert clones.encode_args(args) == abi_encode([STRUCT], [tuple(values)]) + (commitment or b"")


@given(addresses, st.binary(min_size=32, max_size=32), arguments())
def test_create__when_encoded__then_equals_the_reference(
    implementation: str, salt: bytes, args: CloneArgs
) -> None:
    reference = abi_encode(["address", "bytes32", "bytes"], [implementation, salt, clones.encode_args(args)])
    assert clones.create_calldata(implementation, salt, args)[4:] == reference


def test_refresh_metadata__when_encoded__then_equals_the_reference() -> None:
    reference = reference_keccak(text="refreshMetadata(uint256,uint256)")[:4]
    reference += abi_encode(["uint256", "uint256"], [7, 2**256 - 1])
    assert clones.refresh_metadata_calldata(7, 2**256 - 1) == reference


@given(texts, texts)
def test_salt__when_made__then_hashes_principal_and_operation(principal: str, operation: str) -> None:
    expected = reference_keccak(abi_encode(["string", "string"], [principal, operation]))
    assert clones.clone_salt(principal, operation) == expected


def test_set_royalty__when_encoded__then_equals_the_reference() -> None:
    reference = reference_keccak(text="setDefaultRoyalty(address,uint96)")[:4]
    reference += abi_encode(["address", "uint96"], [ADDRESS, 250])
    assert clones.set_royalty_calldata(ADDRESS, 250) == reference


def test_args__when_no_royalty_is_owed__then_the_receiver_is_the_zero_address() -> None:
    reference = abi_encode([STRUCT], [("Gate", "G", ADDRESS, eth.ZERO_ADDRESS, 0, 0, 0, 0, False)])
    assert clones.encode_args(CloneArgs(**PLAIN)) == reference


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": ""}, "at least 1 character"),
        ({"name": "é" * 33}, "64 bytes of UTF-8 at most, not 66"),
        ({"symbol": "S" * 17}, "16 bytes of UTF-8 at most, not 17"),
        ({"royalty_bps": 10_001, "royalty_receiver": ADDRESS}, "less than or equal to 10000"),
        ({"royalty_bps": 1}, "a royalty needs a receiver"),
        ({"mint_start": 10, "mint_end": 10}, "the mint window ends before it starts"),
        ({"supply_cap": 2**64}, "less than or equal to"),
        ({"owner": eth.ZERO_ADDRESS}, "zero address"),
        ({"burnable": True}, "Extra inputs"),
    ],
)
def test_args__when_the_contract_would_refuse_them__then_refused(
    changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValidationError, match=reason):
        CloneArgs(**(PLAIN | changes))
