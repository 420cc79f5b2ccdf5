"""A queue writer swaps what belongs together: signed bytes, and the intent that they come with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from coincurve import PrivateKey
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from mintline.errors import Rejected
from mintline.eth import SECP256K1_N, address_of_public_key, keccak256, voucher_hash, word
from mintline.kinds import transaction_of
from mintline.messages.intents import (
    AnyIntent,
    BatchMint,
    IssueVoucher,
    SignBatch,
    SignBurn,
    SignMint,
    SignNoop,
    SignTopUp,
    SignTransfer,
)
from mintline.messages.parts import Fees, KeyRef, Voucher
from mintline.messages.signed import Broadcast, VoucherIssued
from mintline.rlp import rlp_encode
from mintline_broadcaster.signed_bytes import verify_signed_bytes, verify_voucher_signature
from mintline_testkit.constants import CONTRACT

SECRET, OTHER_SECRET = b"\x11" * 32, b"\x12" * 32
OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
ISSUED = bytes(range(65))


def ref(secret: bytes) -> KeyRef:
    address = address_of_public_key(PrivateKey(secret).public_key.format(compressed=False))
    return KeyRef(address=address, subject="user-1", chain_id=31337, secret_id="s")


COMMON: dict[str, Any] = {
    "signer": ref(SECRET),
    "chain_id": 31337,
    "nonce": 7,
    "gas": 200_000,
    "fees": Fees(max_fee_per_gas=30 * 10**9, max_priority_fee_per_gas=10**9),
}
INTENTS: list[AnyIntent] = [
    SignMint(
        **COMMON,
        mint_id="mint_1",
        contract=CONTRACT,
        voucher=Voucher(token_id=2**200 + 1, to=OTHER, metadata_digest=bytes(range(32)), deadline=2 * 10**9),
    ),
    SignTopUp(**COMMON, recipient=OTHER, value=10**17),
    SignNoop(**COMMON),
    SignBatch(
        **COMMON,
        contract=CONTRACT,
        mints=(BatchMint(mint_id="mint_2", token_id=1, to=OTHER, metadata_digest=bytes(32)),),
    ),
    SignTransfer(**COMMON, request_id="t", contract=CONTRACT, token_id=5, to=OTHER),
    SignBurn(**COMMON, request_id="b", contract=CONTRACT, token_id=5),
]


def sign(intent: AnyIntent, secret: bytes = SECRET, **changes: Any) -> Broadcast:
    means = transaction_of(intent, issued=ISSUED)
    signed = Account.from_key(secret).sign_transaction(
        {
            "type": 2,
            "chainId": means.chain_id,
            "nonce": means.nonce,
            "gas": means.gas,
            "maxFeePerGas": means.max_fee_per_gas,
            "maxPriorityFeePerGas": means.max_priority_fee_per_gas,
            "to": means.to,
            "value": means.value,
            "data": means.data,
            **changes,
        }
    )
    raw = bytes(signed.raw_transaction)
    return Broadcast(intent=intent, raw=raw, tx_hash=keccak256(raw))


def refused(message: Broadcast) -> bool:
    with pytest.raises(Rejected) as caught:
        verify_signed_bytes(message)
    return caught.value.code == "raw_mismatch"


@pytest.mark.parametrize("intent", INTENTS, ids=lambda intent: intent.type)
def test_bytes__when_they_are_the_intents__pass(intent: AnyIntent) -> None:
    verify_signed_bytes(sign(intent))
    verify_signed_bytes(sign(intent.model_copy(update={"attempt": 3, "trace": "00-1"})))


@pytest.mark.parametrize("intent", INTENTS, ids=lambda intent: intent.type)
@pytest.mark.parametrize("other", INTENTS, ids=lambda other: other.type)
def test_bytes__when_swapped_with_anothers__are_refused(intent: AnyIntent, other: AnyIntent) -> None:
    if intent is not other:
        assert refused(sign(other).model_copy(update={"intent": intent}))


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": 8},
        {"chainId": 1},
        {"gas": 200_001},
        {"maxFeePerGas": 31 * 10**9},
        {"maxPriorityFeePerGas": 1},
        {"to": OTHER},
        {"value": 1},
        {"data": b""},
        {"accessList": [{"address": OTHER, "storageKeys": []}]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_bytes__when_a_field_is_another__are_refused(changes: dict[str, Any]) -> None:
    assert refused(sign(INTENTS[0], **changes))


@pytest.mark.parametrize("field", ["token_id", "to", "metadata_digest", "deadline"])
def test_bytes__when_the_voucher_is_another__are_refused(field: str) -> None:
    mint = INTENTS[0]
    assert isinstance(mint, SignMint)
    others = {"token_id": 9, "to": CONTRACT, "metadata_digest": bytes(32), "deadline": 3}
    voucher = mint.voucher.model_copy(update={field: others[field]})
    assert refused(sign(mint).model_copy(update={"intent": mint.model_copy(update={"voucher": voucher})}))


def test_bytes__when_someone_else_signed__are_refused() -> None:
    assert refused(sign(INTENTS[0], OTHER_SECRET))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"",
        lambda _: b"\x02",
        lambda raw: raw[1:],
        lambda raw: raw[:-1],
        lambda raw: raw + b"\x00",
        lambda raw: b"\x01" + raw[1:],
        lambda _: b"\x02" + rlp_encode([b""] * 12),
        lambda _: b"\x02" + rlp_encode([[b""]] * 12),
        lambda _: b"\x02" + rlp_encode([b""] * 11),
        lambda _: b"\x02" + rlp_encode([b""] * 9 + [b"\x02", b"\x01" * 33, b"\x01" * 33]),
        lambda raw: raw[:-1] + bytes((raw[-1] ^ 1,)),
    ],
)
def test_bytes__when_they_are_no_transaction__are_refused(spoil: Callable[[bytes], bytes]) -> None:
    message = sign(INTENTS[0])
    assert refused(message.model_copy(update={"raw": spoil(message.raw)}))


@given(junk=st.binary(max_size=200))
def test_bytes__when_they_are_junk__are_refused(junk: bytes) -> None:
    assert refused(sign(INTENTS[2]).model_copy(update={"raw": b"\x02" + junk}))


VOUCHER = Voucher(token_id=7, to=OTHER, metadata_digest=bytes(range(32)), deadline=2 * 10**9)
REQUEST = IssueVoucher(
    signer=ref(SECRET), chain_id=31337, mint_id="mint_1", contract=CONTRACT, voucher=VOUCHER
)


def issued(request: IssueVoucher = REQUEST, secret: bytes = SECRET) -> VoucherIssued:
    digest = voucher_hash(
        chain_id=request.chain_id, contract=request.contract, **request.voucher.model_dump()
    )
    signed = PrivateKey(secret).sign_recoverable(digest, hasher=None)
    return VoucherIssued(intent=request, signature=signed[:64] + bytes((27 + signed[64],)))


def is_useless(message: VoucherIssued) -> bool:
    with pytest.raises(Rejected) as caught:
        verify_voucher_signature(message, issuer=ref(SECRET).address)
    return caught.value.code == "not_the_issuers"


def test_voucher__when_the_issuer_signed_it__passes() -> None:
    verify_voucher_signature(issued(), issuer=ref(SECRET).address)


def test_voucher__when_someone_else_signed_it__is_refused_whomever_it_names() -> None:
    assert is_useless(issued(secret=OTHER_SECRET))
    other = REQUEST.model_copy(update={"signer": ref(OTHER_SECRET)})
    assert is_useless(issued(other, OTHER_SECRET))


@pytest.mark.parametrize(
    "changes",
    [
        {"chain_id": 1},
        {"contract": OTHER},
        *(
            {"voucher": VOUCHER.model_copy(update=field)}
            for field in ({"token_id": 8}, {"to": CONTRACT}, {"metadata_digest": bytes(32)}, {"deadline": 3})
        ),
    ],
    ids=str,
)
def test_voucher__when_the_signature_is_of_another_one__is_refused(changes: dict[str, Any]) -> None:
    message = issued()
    assert is_useless(message.model_copy(update={"intent": REQUEST.model_copy(update=changes)}))


def test_voucher__when_the_contract_would_not_take_its_form__is_refused() -> None:
    """The twin with a high s, and a v that is not 27 or 28: both recover to the issuer, elsewhere."""
    signature = issued().signature
    s = SECP256K1_N - int.from_bytes(signature[32:64], "big")
    twin = signature[:32] + word(s) + bytes((55 - signature[64],))
    bare = signature[:64] + bytes((signature[64] - 27,))
    assert all(is_useless(VoucherIssued(intent=REQUEST, signature=other)) for other in (twin, bare))


@given(st.binary(min_size=65, max_size=65))
def test_voucher__when_its_signature_is_any_bytes__is_refused(signature: bytes) -> None:
    assert is_useless(VoucherIssued(intent=REQUEST, signature=signature))
