"""Mints, transfers and burns of ERC-1155 items: signed as they were asked for, to the last token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from mintline.clock import UnixSeconds
from mintline.holder_signatures import carried_signature
from mintline.item_calls import ItemMint, mint_items_calldata
from mintline.raw_transactions import decode
from mintline_signer.errors import EnclaveRefusal, RefusalCode
from tests.unit.signer.conftest import sign
from tests.unit.signer.test_authorizer import authorizer_of, evolve

if TYPE_CHECKING:
    from mintline.messages.intents import SignBatch
    from tests.unit.signer.conftest import Cast

TYPES = {
    "Transfer": ("from", "to", "id", "value", "nonce", "deadline"),
    "Burn": ("from", "id", "value", "nonce", "deadline"),
}


def items(cast: Cast, quantity: int = 3) -> SignBatch:
    batch = cast.batch(2)
    lines = tuple(evolve(line, item_id=7, quantity=quantity) for line in batch.mints)
    changed: SignBatch = evolve(batch, mints=lines)
    return changed


def of_items(cast: Cast, quantity: int = 2) -> list[Any]:
    both = (cast.relayed_transfer(), cast.relayed_burn())
    return [cast.authorized(evolve(intent, quantity=quantity, authorization=b"")) for intent in both]


def reference(cast: Cast, intent: Any) -> bytes:
    """The holder's signature as another library makes it."""
    name = "Transfer" if hasattr(intent, "to") else "Burn"
    values = {
        "from": intent.holder.address,
        "to": getattr(intent, "to", ""),
        "id": intent.token_id,
        "value": intent.quantity,
        "nonce": intent.counter,
        "deadline": intent.deadline,
    }
    domain = {
        "name": "Mintline",
        "version": "1",
        "chainId": intent.chain_id,
        "verifyingContract": intent.contract,
    }
    kinds = {"from": "address", "to": "address"}
    types = {name: [{"name": field, "type": kinds.get(field, "uint256")} for field in TYPES[name]]}
    message = encode_typed_data(domain, types, {field: values[field] for field in TYPES[name]})
    return bytes(Account.from_key(cast.user.secret).sign_message(message).signature)


def test_batch__when_signed__then_the_transaction_mints_the_items(cast: Cast) -> None:
    batch = items(cast)

    signed = decode(sign(batch, [cast.relayer.signing_key()]).raw)

    expected = [ItemMint(line.token_id, 7, 3, line.to, line.metadata_digest) for line in batch.mints]
    assert signed.transaction.data == mint_items_calldata(expected)


async def test_batch__when_item_or_quantity_is_not_what_was_asked_for__then_refused(cast: Cast) -> None:
    authorizer, batch = await authorizer_of(cast), items(cast)
    envelopes = cast.authorizations(batch)
    assert authorizer.judge(batch, authorizations=envelopes, now=UnixSeconds(cast.now)) is not None

    for changes in ({"quantity": 4}, {"item_id": 8}, {"quantity": None, "item_id": None}):
        lines = tuple(evolve(line, **changes) for line in batch.mints)
        with pytest.raises(EnclaveRefusal) as caught:
            authorizer.judge(evolve(batch, mints=lines), authorizations=envelopes, now=UnixSeconds(cast.now))
        assert caught.value.code == RefusalCode.ACCEPTANCE_SIGNATURE, changes


def test_relayed__when_of_items__then_the_holder_signs_item_and_quantity(cast: Cast) -> None:
    for intent in of_items(cast):
        signed = decode(sign(intent, [cast.relayer.signing_key(), cast.user.signing_key()]).raw)
        assert carried_signature(signed.transaction.data) == reference(cast, intent)


async def test_relayed__when_the_quantity_is_not_what_was_asked_for__then_refused(cast: Cast) -> None:
    authorizer = await authorizer_of(cast)
    for intent in of_items(cast):
        assert authorizer.judge(intent, now=UnixSeconds(cast.now)) is not None
        for quantity in (1, 3, None):
            with pytest.raises(EnclaveRefusal) as caught:
                authorizer.judge(evolve(intent, quantity=quantity), now=UnixSeconds(cast.now))
            assert caught.value.code == RefusalCode.ACCEPTANCE_SIGNATURE
