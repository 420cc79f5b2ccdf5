"""Our encodings against the reference implementations: eth-account, eth-abi, eth-utils."""

import pytest
from eth_abi.abi import encode as abi_encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.address import to_checksum_address as reference_checksum
from eth_utils.crypto import keccak as reference_keccak
from hypothesis import given
from hypothesis import strategies as st

from mintline import eth

uint256 = st.integers(0, eth.UINT256_MAX)
uint64 = st.integers(0, 2**64 - 1)
addresses = st.binary(min_size=20, max_size=20).map(eth.to_checksum_address)
secrets = st.integers(1, eth.SECP256K1_N - 1).map(lambda scalar: scalar.to_bytes(32, "big"))


@given(st.binary(max_size=600))
def test_keccak256__when_given_any_bytes__equals_the_reference(data: bytes) -> None:
    assert eth.keccak256(data) == reference_keccak(data)


@given(st.binary(min_size=20, max_size=20))
def test_checksum__when_given_any_address__equals_the_reference(raw: bytes) -> None:
    expected = reference_checksum(raw)
    assert eth.to_checksum_address(raw) == expected
    assert eth.to_checksum_address("0x" + raw.hex()) == expected
    assert eth.to_checksum_address("0x" + raw.hex().upper()) == expected


@pytest.mark.parametrize("length", [0, 19, 21, 32])
def test_checksum__when_the_length_is_wrong__raises(length: int) -> None:
    with pytest.raises(ValueError, match="20 bytes"):
        eth.to_checksum_address(bytes(length))


@given(secrets)
def test_address__when_derived_from_a_public_key__equals_the_reference(secret: bytes) -> None:
    account = Account.from_key(secret)
    point = b"\x04" + account._key_obj.public_key.to_bytes()
    assert eth.address_of_public_key(point) == account.address


@pytest.mark.parametrize("point", [b"", b"\x04" + bytes(63), b"\x02" + bytes(64), b"\x04" + bytes(65)])
def test_address__when_the_point_is_not_uncompressed__raises(point: bytes) -> None:
    with pytest.raises(ValueError, match="0x04"):
        eth.address_of_public_key(point)


@given(
    secret=secrets,
    chain_id=st.integers(1, 2**53),
    nonce=uint64,
    priority=st.integers(0, 2**128),
    fee=st.integers(0, 2**128),
    gas=uint64,
    to=addresses,
    value=uint256,
    data=st.binary(max_size=300),
)
def test_transaction__when_signed_as_the_reference_signs__has_the_same_bytes_and_hash(
    *,
    secret: bytes,
    chain_id: int,
    nonce: int,
    priority: int,
    fee: int,
    gas: int,
    to: str,
    value: int,
    data: bytes,
) -> None:
    fields = {
        "type": 2,
        "chainId": chain_id,
        "nonce": nonce,
        "maxPriorityFeePerGas": priority,
        "maxFeePerGas": fee,
        "gas": gas,
        "to": to,
        "value": value,
        "data": data,
    }
    expected = Account.from_key(secret).sign_transaction(fields)
    ours = eth.Transaction(chain_id, nonce, priority, fee, gas, to, value, data)
    signature = Account.from_key(secret).unsafe_sign_hash(ours.signing_hash())
    raw = ours.signed(signature.v - 27, signature.r, signature.s)
    assert raw == bytes(expected.raw_transaction)
    assert eth.keccak256(raw) == bytes(expected.hash)


VOUCHER_TYPES = {
    "Voucher": [
        {"name": "tokenId", "type": "uint256"},
        {"name": "to", "type": "address"},
        {"name": "metadataDigest", "type": "bytes32"},
        {"name": "deadline", "type": "uint256"},
    ]
}


@given(
    chain_id=st.integers(1, 2**53),
    contract=addresses,
    token_id=uint256,
    to=addresses,
    digest=st.binary(min_size=32, max_size=32),
    deadline=uint256,
)
def test_voucher_hash__when_given_any_voucher__equals_the_reference(
    *, chain_id: int, contract: str, token_id: int, to: str, digest: bytes, deadline: int
) -> None:
    domain = {"name": "Mintline", "version": "1", "chainId": chain_id, "verifyingContract": contract}
    message = {"tokenId": token_id, "to": to, "metadataDigest": digest, "deadline": deadline}
    signable = encode_typed_data(domain, VOUCHER_TYPES, message)
    expected = eth.keccak256(b"\x19" + signable.version + signable.header + signable.body)
    assert expected == eth.voucher_hash(
        chain_id=chain_id,
        contract=contract,
        token_id=token_id,
        to=to,
        metadata_digest=digest,
        deadline=deadline,
    )


@given(
    token_id=uint256,
    to=addresses,
    digest=st.binary(min_size=32, max_size=32),
    deadline=uint256,
    signature=st.binary(min_size=0, max_size=130),
)
def test_redeem_calldata__when_given_any_voucher__equals_the_reference(
    *, token_id: int, to: str, digest: bytes, deadline: int, signature: bytes
) -> None:
    types = ["(uint256,address,bytes32,uint256)", "bytes"]
    expected = abi_encode(types, [(token_id, to, digest, deadline), signature])
    calldata = eth.redeem_calldata(
        token_id=token_id, to=to, metadata_digest=digest, deadline=deadline, signature=signature
    )
    assert calldata[:4] == reference_keccak(text="redeem((uint256,address,bytes32,uint256),bytes)")[:4]
    assert calldata[4:] == expected
