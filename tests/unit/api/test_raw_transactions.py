"""Raw transactions against a reference implementation, and every other encoding of one."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from mintline.eth import SECP256K1_N, Transaction, to_checksum_address
from mintline.raw_transactions import decode
from mintline.rlp import rlp_decode, rlp_encode
from mintline_testkit.user_pool import OwnWallet

WALLET = OwnWallet(7)
TO = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
FIELDS: dict[str, Any] = {
    "type": 2,
    "chainId": 31337,
    "nonce": 3,
    "maxPriorityFeePerGas": 10**9,
    "maxFeePerGas": 3 * 10**9,
    "gas": 120_000,
    "to": TO,
    "value": 0,
    "data": bytes(range(256)),
}


def signed(**changes: Any) -> bytes:
    key = WALLET.key.to_bytes(32, "big")
    return bytes(Account.sign_transaction(FIELDS | changes, key).raw_transaction)


def fields_of(raw: bytes) -> list[Any]:
    fields = rlp_decode(raw[1:])
    assert isinstance(fields, list)
    return fields


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {
            "chainId": st.integers(1, 2**53),
            "nonce": st.integers(0, 2**64 - 2),
            "maxPriorityFeePerGas": st.integers(0, 2**128),
            "maxFeePerGas": st.integers(0, 2**128),
            "gas": st.integers(0, 2**63),
            "value": st.integers(0, 2**255),
            "to": st.binary(min_size=20, max_size=20).map(to_checksum_address),
            "data": st.binary(max_size=600),
        }
    )
)
def test_transaction__when_another_library_signed_it__is_read_as_it_was_meant(meant: dict[str, Any]) -> None:
    raw = signed(**meant)
    decoded = decode(raw)

    assert decoded.sender == WALLET.address
    assert decoded.tx_hash == Account.sign_transaction(FIELDS | meant, WALLET.key.to_bytes(32, "big")).hash
    assert decoded.transaction == Transaction(
        chain_id=meant["chainId"],
        nonce=meant["nonce"],
        max_priority_fee_per_gas=meant["maxPriorityFeePerGas"],
        max_fee_per_gas=meant["maxFeePerGas"],
        gas=meant["gas"],
        to=meant["to"],
        value=meant["value"],
        data=meant["data"],
    )


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_bytes__when_they_are_anything__are_read_or_refused_and_never_break(raw: bytes) -> None:
    for candidate in (raw, b"\x02" + raw, signed()[: len(raw)] + raw):
        try:
            decode(candidate)
        except ValueError:
            continue


def resigned(change: Any) -> bytes:
    fields = fields_of(signed())
    change(fields)
    return b"\x02" + rlp_encode(fields)


def put(index: int, value: Any) -> Any:
    def change(fields: list[Any]) -> None:
        fields[index] = value

    return change


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "0x02"),
        (b"\xf8" + signed()[1:], "0x02"),
        (b"\x01" + signed()[1:], "0x02"),
        (b"\x02" + rlp_encode(b"x"), "12 fields"),
        (b"\x02" + rlp_encode(fields_of(signed())[:9]), "12 fields"),
        (signed() + b"\0", "left over"),
        (signed()[:-1], "breaks off"),
        (resigned(put(8, [[bytes(20), []]])), "access list"),
        (resigned(put(8, b"")), "access list"),
        (resigned(put(1, b"\0\x03")), "leading zeros"),
        (resigned(put(1, bytes([1] * 9))), "too large"),
        (resigned(put(1, b"\xff" * 8)), "the nonce is too large"),
        (resigned(put(6, bytes([1] * 33))), "too large"),
        (resigned(put(5, b"")), "recipient"),
        (resigned(put(5, bytes(19))), "recipient"),
        (resigned(put(7, [])), "list"),
        (resigned(put(9, b"\x02")), "out of range"),
        (resigned(put(10, b"")), "out of range"),
        (resigned(put(10, SECP256K1_N.to_bytes(32, "big"))), "out of range"),
        (resigned(put(11, (SECP256K1_N - 1).to_bytes(32, "big"))), "nobody's"),
    ],
)
def test_transaction__when_it_is_not_strictly_one__says_why(raw: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode(raw)
