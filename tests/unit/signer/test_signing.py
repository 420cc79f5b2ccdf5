from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.abi import function_signature_to_4byte_selector
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mintline.eth import SECP256K1_N, redeem_calldata
from mintline.messages.intents import AnyIntent, AnyRequest
from mintline.messages.parts import Fees
from mintline_signer.enclave.curve import SigningKey
from mintline_signer.enclave.signing import match_keys, sign_request
from mintline_signer.errors import EnclaveFailure, EnclaveRefusal, RefusalCode
from mintline_signer.protocol import Sign
from tests.unit.signer.conftest import issue, sign

if TYPE_CHECKING:
    from tests.unit.signer.conftest import Cast, Player

VOUCHER = {
    "Voucher": [
        {"name": "tokenId", "type": "uint256"},
        {"name": "to", "type": "address"},
        {"name": "metadataDigest", "type": "bytes32"},
        {"name": "deadline", "type": "uint256"},
    ]
}


def reference(intent: AnyIntent, secret: bytes, *, to: str, value: int = 0, data: bytes = b"") -> Any:
    return Account.from_key(secret).sign_transaction(
        {
            "type": 2,
            "chainId": intent.chain_id,
            "nonce": intent.nonce,
            "maxPriorityFeePerGas": intent.fees.max_priority_fee_per_gas,
            "maxFeePerGas": intent.fees.max_fee_per_gas,
            "gas": intent.gas,
            "to": to,
            "value": value,
            "data": data,
        }
    )


def reference_voucher(cast: Cast, intent: Any) -> bytes:
    voucher = intent.voucher
    domain = {
        "name": "Mintline",
        "version": "1",
        "chainId": intent.chain_id,
        "verifyingContract": intent.contract,
    }
    message = {
        "tokenId": voucher.token_id,
        "to": voucher.to,
        "metadataDigest": voucher.metadata_digest,
        "deadline": voucher.deadline,
    }
    issued = Account.from_key(cast.issuer.secret).sign_message(encode_typed_data(domain, VOUCHER, message))
    return bytes(issued.signature)


def reference_redemption(cast: Cast, intent: Any) -> bytes:
    voucher = intent.voucher
    return redeem_calldata(
        token_id=voucher.token_id,
        to=voucher.to,
        metadata_digest=voucher.metadata_digest,
        deadline=voucher.deadline,
        signature=reference_voucher(cast, intent),
    )


def test_mint__when_signed__is_what_the_reference_signs(cast: Cast) -> None:
    intent = cast.mint()
    signed = sign(intent, [cast.user.signing_key(), cast.issuer.signing_key()])
    expected = reference(
        intent, cast.user.secret, to=intent.contract, data=reference_redemption(cast, intent)
    )
    assert signed.raw == bytes(expected.raw_transaction)
    assert signed.tx_hash == bytes(expected.hash)


def test_voucher__when_issued_alone__is_what_the_reference_signs(cast: Cast) -> None:
    intent = cast.voucher()
    issued = issue(intent, cast.issuer.signing_key())
    assert issued.signature == reference_voucher(cast, intent)
    assert sign_request(intent, [cast.issuer.signing_key()]) == issued


def test_voucher__when_the_key_is_not_the_issuers__fails(cast: Cast) -> None:
    with pytest.raises(EnclaveFailure):
        issue(cast.voucher(), cast.treasury.signing_key())


def test_top_up__when_signed__is_what_the_reference_signs(cast: Cast) -> None:
    intent = cast.top_up()
    expected = reference(intent, cast.treasury.secret, to=intent.recipient, value=intent.value)
    assert sign(intent, [cast.treasury.signing_key()]).raw == bytes(expected.raw_transaction)


def test_batch__when_signed__is_what_the_reference_signs(cast: Cast) -> None:
    intent = cast.batch()
    mints = [(mint.token_id, mint.to, mint.metadata_digest) for mint in intent.mints]
    data = function_signature_to_4byte_selector("mintBatch((uint256,address,bytes32)[])")
    data += encode(["(uint256,address,bytes32)[]"], [mints])
    expected = reference(intent, cast.relayer.secret, to=intent.contract, data=data)
    assert sign(intent, [cast.relayer.signing_key()]).raw == bytes(expected.raw_transaction)


def test_transfer__when_signed__is_what_the_reference_signs(cast: Cast) -> None:
    intent = cast.transfer()
    data = function_signature_to_4byte_selector("safeTransferFrom(address,address,uint256)")
    data += encode(["address", "address", "uint256"], [intent.signer.address, intent.to, intent.token_id])
    expected = reference(intent, cast.user.secret, to=intent.contract, data=data)
    assert sign(intent, [cast.user.signing_key()]).raw == bytes(expected.raw_transaction)


def test_burn__when_signed__is_what_the_reference_signs(cast: Cast) -> None:
    intent = cast.burn()
    data = function_signature_to_4byte_selector("burn(uint256)") + encode(["uint256"], [intent.token_id])
    expected = reference(intent, cast.user.secret, to=intent.contract, data=data)
    assert sign(intent, [cast.user.signing_key()]).raw == bytes(expected.raw_transaction)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    nonce=st.integers(0, 2**64 - 1),
    fee=st.integers(0, 2**96),
    gas=st.integers(1, 2**40),
    scalar=st.integers(1, SECP256K1_N - 1) | st.integers(1, 2**16),
)
def test_noop__when_signed__is_what_the_reference_signs(
    cast: Cast, *, nonce: int, fee: int, gas: int, scalar: int
) -> None:
    secret = scalar.to_bytes(32, "big")
    key = SigningKey(bytearray(secret))
    noop = cast.noop()
    intent = noop.model_copy(
        update={
            "signer": noop.signer.model_copy(update={"address": key.address}),
            "nonce": nonce,
            "gas": gas,
            "fees": Fees(max_fee_per_gas=fee, max_priority_fee_per_gas=0),
        }
    )
    expected = reference(intent, secret, to=key.address)
    signed = sign(intent, [key])
    assert signed.raw == bytes(expected.raw_transaction)
    assert signed.tx_hash == bytes(expected.hash)
    assert Account.recover_transaction(signed.raw) == intent.signer.address


def test_sign__when_asked_twice__gives_the_same_bytes(cast: Cast) -> None:
    keys = [cast.user.signing_key(), cast.issuer.signing_key()]
    assert sign(cast.mint(), keys) == sign(cast.mint(), keys)


def test_sign__when_the_key_is_not_the_signers__fails(cast: Cast) -> None:
    with pytest.raises(EnclaveFailure):
        sign(cast.noop(), [cast.treasury.signing_key()])


@pytest.mark.parametrize("zeros", [1, 2, 5, 31])
def test_key__when_its_scalar_begins_with_zeros__signs(zeros: int) -> None:
    secret = bytes(zeros) + b"\x01" * (32 - zeros)
    key = SigningKey(bytearray(secret))
    assert key.address == Account.from_key(secret).address
    digest = bytes(range(32))
    expected = Account.from_key(secret).unsafe_sign_hash(digest)
    assert key.sign(digest).with_v() == bytes(expected.signature)


@pytest.mark.parametrize(
    "secret", [bytes(32), SECP256K1_N.to_bytes(32, "big"), b"\xff" * 32, b"\x01" * 31, b"\x01" * 33, b""]
)
def test_key__when_the_scalar_is_none_of_the_curve__is_refused_and_erased(secret: bytes) -> None:
    held = bytearray(secret)
    with pytest.raises(EnclaveRefusal) as caught:
        SigningKey(held)
    assert caught.value.code == RefusalCode.KEY_MALFORMED


@settings(deadline=None)
@given(scalar=st.integers(1, SECP256K1_N - 1), digest=st.binary(min_size=32, max_size=32))
def test_signature__when_made__is_in_the_lower_half(scalar: int, digest: bytes) -> None:
    signature = SigningKey(bytearray(scalar.to_bytes(32, "big"))).sign(digest)
    assert 0 < signature.s <= SECP256K1_N // 2
    assert signature.y_parity in (0, 1)


def test_key__when_erased__holds_zeros_and_signs_nothing(cast: Cast) -> None:
    held = bytearray(cast.user.secret)
    key = SigningKey(held)
    key.erase()
    assert held == bytes(32)
    with pytest.raises(EnclaveFailure):
        key.sign(bytes(32))


def test_key__when_its_memory_is_damaged__gives_no_signature_away(cast: Cast) -> None:
    held = bytearray(cast.user.secret)
    key = SigningKey(held)
    held[5] ^= 1
    with pytest.raises(EnclaveFailure):
        key.sign(bytes(32))


def test_key__when_shown__hides_its_secret(cast: Cast) -> None:
    shown = repr(cast.user.signing_key())
    assert cast.user.secret.hex() not in shown
    assert "\\x11" not in shown
    assert "bytearray" not in shown


def test_match_keys__when_they_are_the_signers_and_the_issuers__passes(cast: Cast) -> None:
    match_keys(Sign(intent=cast.mint(), keys=[cast.user.wrapped, cast.issuer.wrapped]), cast.policy())
    match_keys(Sign(intent=cast.voucher(), keys=[cast.issuer.wrapped]), cast.policy())
    match_keys(Sign(intent=cast.top_up(), keys=[cast.treasury.wrapped]), cast.policy())
    match_keys(Sign(intent=cast.noop(), keys=[cast.user.wrapped]), cast.policy())


def _wrong(cast: Cast) -> dict[str, tuple[AnyRequest, list[Player]]]:
    return {
        "no issuer": (cast.mint(), [cast.user]),
        "the wrong order": (cast.mint(), [cast.issuer, cast.user]),
        "another issuer": (cast.mint(), [cast.user, cast.treasury]),
        "two keys for a voucher": (cast.voucher(), [cast.issuer, cast.issuer]),
        "the issuer for a no-op": (cast.noop(), [cast.user, cast.issuer]),
        "another's key": (cast.noop(), [cast.treasury]),
    }


@pytest.mark.parametrize(
    "what",
    [
        "no issuer",
        "the wrong order",
        "another issuer",
        "two keys for a voucher",
        "the issuer for a no-op",
        "another's key",
    ],
)
def test_match_keys__when_they_are_others__fails(cast: Cast, what: str) -> None:
    intent, players = _wrong(cast)[what]
    with pytest.raises(EnclaveFailure):
        match_keys(Sign(intent=intent, keys=[player.wrapped for player in players]), cast.policy())


@pytest.mark.parametrize("field", ["subject", "chain_id"])
def test_match_keys__when_the_key_claims_another_context__fails(cast: Cast, field: str) -> None:
    other = cast.user.wrapped.model_copy(update={field: {"subject": "user-2", "chain_id": 1}[field]})
    with pytest.raises(EnclaveFailure):
        match_keys(Sign(intent=cast.noop(), keys=[other]), cast.policy())
