"""Transfers and burns by the holder's signature: two keys, two signatures, one call, one authorization."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from mintline.clock import UnixSeconds
from mintline.holder_signatures import carried_signature
from mintline.kinds import meaning_of
from mintline.raw_transactions import decode
from mintline_signer.enclave.kinds import kind_of
from mintline_signer.enclave.policy import Role
from mintline_signer.enclave.signing import match_keys
from mintline_signer.enclave.signing_history import SigningHistory
from mintline_signer.errors import EnclaveFailure, EnclaveRefusal, RefusalCode
from mintline_signer.protocol import Sign
from tests.unit.signer.conftest import sign
from tests.unit.signer.test_authorizer import authorizer_of, evolve

if TYPE_CHECKING:
    from tests.unit.signer.conftest import Cast

SIGNED = {
    "Transfer": ("from", "to", "tokenId", "nonce", "deadline"),
    "Burn": ("from", "tokenId", "nonce", "deadline"),
}


def typed(name: str) -> dict[str, list[dict[str, str]]]:
    types = {"from": "address", "to": "address"}
    return {name: [{"name": field, "type": types.get(field, "uint256")} for field in SIGNED[name]]}


def reference(cast: Cast, intent: Any) -> bytes:
    """The holder's signature as another library makes it."""
    name = "Transfer" if hasattr(intent, "to") else "Burn"
    values = {
        "from": intent.holder.address,
        "to": getattr(intent, "to", ""),
        "tokenId": intent.token_id,
        "nonce": intent.counter,
        "deadline": intent.deadline,
    }
    domain = {
        "name": "Mintline",
        "version": "1",
        "chainId": intent.chain_id,
        "verifyingContract": intent.contract,
    }
    message = {field: values[field] for field in SIGNED[name]}
    signed = Account.from_key(cast.user.secret).sign_message(encode_typed_data(domain, typed(name), message))
    return bytes(signed.signature)


def both(cast: Cast) -> list[Any]:
    return [cast.relayed_transfer(), cast.relayed_burn()]


def test_relayed__when_signed__then_the_relayers_transaction_carries_the_holders_signature(
    cast: Cast,
) -> None:
    for intent in both(cast):
        signed = decode(sign(intent, [cast.relayer.signing_key(), cast.user.signing_key()]).raw)
        assert signed.sender == cast.relayer.address
        assert signed.transaction.to == intent.contract
        assert carried_signature(signed.transaction.data) == reference(cast, intent)


def test_relayed__when_the_keys_are_others_or_in_another_order__then_nothing_is_signed(cast: Cast) -> None:
    relayer, holder = cast.relayer, cast.user
    for intent in both(cast):
        match_keys(Sign(intent=intent, keys=[relayer.wrapped, holder.wrapped]), cast.policy())
        for keys in ([holder, relayer], [relayer, cast.other], [cast.other, holder], [relayer]):
            with pytest.raises(EnclaveFailure):
                match_keys(Sign(intent=intent, keys=[key.wrapped for key in keys]), cast.policy())
        with pytest.raises(EnclaveFailure):
            sign(intent, [relayer.signing_key(), cast.other.signing_key()])


def test_relayed__when_it_is_signed__then_it_counts_for_the_relayer_and_the_holder(cast: Cast) -> None:
    for intent in both(cast):
        limits = kind_of(intent).limits(intent, Role.RELAYER, cast.policy())
        assert {limit.name for limit in limits} == {cast.relayer.address, cast.user.address}


@pytest.mark.parametrize("changes", [{"counter": 3}, {"deadline": 1}, {"token_id": 9}], ids=str)
def test_history__when_a_request_was_signed__then_it_gets_no_other_signature(
    cast: Cast, changes: dict[str, int]
) -> None:
    for intent in both(cast):
        history = SigningHistory(size=100, secret=bytes(16))
        history.remember(intent, meaning_of(intent))
        # The contract takes the same one once, under whichever nonce of a relayer's.
        for same in (intent, evolve(intent, nonce=99), evolve(intent, gas=1, attempt=1)):
            history.check(same, meaning_of(same))
        other = evolve(intent, nonce=99, **changes)
        with pytest.raises(EnclaveRefusal) as caught:
            history.check(other, meaning_of(other))
        assert caught.value.code == RefusalCode.REQUEST


def test_history__when_a_request_was_signed__then_it_is_no_ordinary_transfer_too(cast: Cast) -> None:
    history = SigningHistory(size=100, secret=bytes(16))
    relayed = cast.relayed_transfer()
    history.remember(relayed, meaning_of(relayed))
    ordinary = evolve(cast.transfer(), request_id=relayed.request_id)
    with pytest.raises(EnclaveRefusal) as caught:
        history.check(ordinary, meaning_of(ordinary))
    assert caught.value.code == RefusalCode.REQUEST


async def test_authorizer__when_its_owner_asked__then_it_is_authorized(cast: Cast) -> None:
    authorizer = await authorizer_of(cast)
    for intent in both(cast):
        judgement = authorizer.judge(intent, now=UnixSeconds(cast.now))
        assert judgement is not None
        assert judgement.client_mints == ()


async def test_authorizer__when_anybody_else_asked_or_for_anything_else__then_it_is_refused(
    cast: Cast,
) -> None:
    authorizer = await authorizer_of(cast)
    transfer, burn = cast.relayed_transfer(), cast.relayed_burn()
    ordinary = evolve(
        cast.transfer(), contract=transfer.contract, request_id=transfer.request_id, to=transfer.to
    )
    of_the_ordinary = cast.authorized(ordinary).authorization
    client = cast.authority.client_token(cast.user.subject, now=cast.now)
    cases = [
        (evolve(transfer, authorization=b""), RefusalCode.AUTHORIZATION_MISSING),
        (evolve(transfer, to=cast.relayer.address), RefusalCode.ACCEPTANCE_SIGNATURE),
        (evolve(transfer, token_id=1), RefusalCode.ACCEPTANCE_SIGNATURE),
        (evolve(transfer, holder=cast.other.ref), RefusalCode.ACCEPTANCE_SIGNATURE),
        (evolve(transfer, authorization=of_the_ordinary), RefusalCode.ACCEPTANCE_SIGNATURE),
        (evolve(transfer, authorization=burn.authorization), RefusalCode.ACCEPTANCE_SIGNATURE),
        (evolve(burn, request_id="burn_3"), RefusalCode.ACCEPTANCE_SIGNATURE),
        (cast.authority.authorized(burn, client, now=cast.now), RefusalCode.TOKEN_CLIENT),
        (
            cast.authority.authorized(transfer, cast.token(cast.other), now=cast.now),
            RefusalCode.AUTHORIZATION_SUBJECT,
        ),
    ]
    for intent, code in cases:
        with pytest.raises(EnclaveRefusal) as caught:
            authorizer.judge(intent, now=UnixSeconds(cast.now))
        assert caught.value.code == code, intent
