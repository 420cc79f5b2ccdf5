"""A wallet's turn is taken with the relayer's nonce, or neither is: in memory and in DynamoDB."""

from __future__ import annotations

from typing import Any

import pytest

from mintline.clones import CloneArgs
from mintline.messages.parts import Clone
from mintline.records.locks import SignatureTurn
from mintline.records.operations import Operation, RelayedBurn, RelayedTokenOperation, RelayedTransfer
from mintline.states import MintStatus
from mintline_builder.claims import RelayedClaim
from mintline_builder.ports import NotCommitted
from mintline_testkit.constants import CHAIN_ID, CONTRACT
from tests.integration.builder.test_store_conformance import (
    ALICE,
    BOB,
    BOBS_KEY,
    FEES,
    KEY,
    RELAYER_KEY,
    Stores,
    advance,
    stores,
)

__all__ = ["stores"]

CLONE = Clone(
    factory=BOB,
    implementation=ALICE,
    principal="client",
    operation_id="deploy_1",
    args=CloneArgs(name="Name", symbol="SYM"),
)


def operation(name: str = "op", **changes: Any) -> RelayedTokenOperation:
    fields: dict[str, Any] = {
        "mint_id": name,
        "status": MintStatus.ACCEPTED,
        "chain_id": CHAIN_ID,
        "contract": CONTRACT,
        "wallet": KEY,
        "token_id": 2**200,
        "request_digest": "00",
        "created_at": 1,
        "updated_at": 1,
    }
    if name.startswith("burn"):
        return RelayedBurn(**fields | changes)
    return RelayedTransfer(**{"to": BOB} | fields | changes)


def claim(claimed: RelayedTokenOperation, *, counter: int = 0, replaces: str | None = None) -> RelayedClaim:
    return RelayedClaim(
        claimed,
        10**9,
        100_000,
        FEES,
        7,
        relayer=RELAYER_KEY,
        clone=CLONE,
        counter=counter,
        replaces=replaces,
    )


async def found(stores: Stores, name: str) -> Operation:
    stands = await stores.mints.get(name)
    assert stands is not None
    return stands


async def test_commit__when_turn_and_operation_are_free__then_both_are_taken_with_the_nonce(
    stores: Stores,
) -> None:
    for name in ("op", "burn"):
        await stores.put(operation(name, wallet=KEY if name == "op" else BOBS_KEY))
    first = claim(operation("op"), counter=3)
    second = claim(operation("burn", wallet=BOBS_KEY))

    await stores.accounts.commit([advance(4, first, second, sender=RELAYER_KEY.address)])

    for name, claimed, nonce in (("op", first, 4), ("burn", second, 5)):
        stands = await found(stores, name)
        assert stands == claimed.built(claimed.transaction(nonce))
        assert isinstance(stands, RelayedTokenOperation)
        assert (stands.sender, stands.counter, stands.deadline) == (RELAYER_KEY, claimed.counter, 10**9)
        carrier = await stores.transaction(nonce, RELAYER_KEY)
        assert carrier == claimed.transaction(nonce)
        assert (carrier.clone, carrier.deadline) == (CLONE, 10**9)
    turns = [await stores.accounts.signature_turn(CONTRACT, wallet) for wallet in (ALICE, BOB)]
    assert turns == [
        SignatureTurn(operation_id="op", counter=3),
        SignatureTurn(operation_id="burn", counter=0),
    ]
    assert await stores.accounts.signature_turn(BOB, ALICE) is None


@pytest.mark.parametrize("replaces", [None, "another"])
async def test_commit__when_the_turn_is_another_operations__then_nothing_is_written(
    stores: Stores, replaces: str | None
) -> None:
    for name in ("op", "next"):
        await stores.put(operation(name))
    await stores.accounts.commit([advance(0, claim(operation("op")), sender=RELAYER_KEY.address)])
    late = claim(operation("next"), counter=1, replaces=replaces)

    with pytest.raises(NotCommitted) as refusal:
        await stores.accounts.commit([advance(1, late, sender=RELAYER_KEY.address)])

    assert refusal.value.lost == {late.item}
    assert (await found(stores, "next")).status is MintStatus.ACCEPTED
    assert await stores.accounts.last_nonce(RELAYER_KEY.address) == 0

    await stores.accounts.commit(
        [advance(1, claim(operation("next"), counter=1, replaces="op"), sender=RELAYER_KEY.address)]
    )
    assert await stores.accounts.signature_turn(CONTRACT, ALICE) == SignatureTurn(
        operation_id="next", counter=1
    )


async def test_commit__when_the_operation_moved_on__then_the_turn_stays(stores: Stores) -> None:
    await stores.put(operation("op", status=MintStatus.REJECTED))
    claimed = claim(operation("op"))

    with pytest.raises(NotCommitted) as refusal:
        await stores.accounts.commit([advance(0, claimed, sender=RELAYER_KEY.address)])

    assert refusal.value.lost == {claimed.item}
    assert await stores.accounts.signature_turn(CONTRACT, ALICE) is None
