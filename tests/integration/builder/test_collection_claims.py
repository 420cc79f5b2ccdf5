"""Deployments of collections: a relayer's nonce is reserved for them, in memory and over DynamoDB alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mintline.aws.dynamo import Put
from mintline.aws.records import to_item
from mintline.clone_calls import address_of
from mintline.clones import CloneArgs
from mintline.messages.parts import Clone
from mintline.records.collections import Collection
from mintline.records.keys import scoped
from mintline.records.operations import CollectionDeployment, Operation
from mintline.resources import COLLECTIONS
from mintline.states import MintStatus, TransactionState
from mintline_builder.claims import OperationClaim
from mintline_builder.dynamo_operations import DynamoCollections
from mintline_builder.ports import NotCommitted
from mintline_testkit.constants import CHAIN_ID, CONTRACT
from tests.integration.builder.test_store_conformance import (
    ALICE,
    FEES,
    MINED,
    OTHER_RELAYER,
    RELAYER_KEY,
    SENT,
    Stores,
    advance,
    stores,
)

if TYPE_CHECKING:
    from tests.integration.builder.conftest import Harness

__all__ = ["stores"]

CLONE = Clone(
    factory=ALICE,
    implementation=CONTRACT,
    principal="client",
    operation_id="d1",
    args=CloneArgs(name="Name", symbol="SYM", owner=ALICE),
)


def deployment(**changes: Any) -> CollectionDeployment:
    fields: dict[str, Any] = {
        "mint_id": "d1",
        "status": MintStatus.ACCEPTED,
        "chain_id": CHAIN_ID,
        "contract": address_of(CLONE),
        "principal": "client",
        "clone": CLONE,
        "request_digest": "00",
        "created_at": 1,
        "updated_at": 1,
    }
    return CollectionDeployment(**fields | changes)


def claim(operation: Operation, relayer: Any = RELAYER_KEY) -> OperationClaim[Any]:
    return OperationClaim(operation, None, 400_000, FEES, 7, relayer=relayer)


async def test_commit__when_a_relayer_is_to_send_it__then_it_has_the_relayer_and_its_nonce(
    stores: Stores,
) -> None:
    await stores.put(deployment())
    wanted = claim(deployment())

    await stores.accounts.commit([advance(3, wanted, sender=RELAYER_KEY.address)])

    carrier = await stores.transaction(3, RELAYER_KEY)
    assert carrier == wanted.transaction(3)
    operation = await stores.mints.get("d1")
    assert operation is not None
    assert operation == wanted.built(carrier)
    assert (operation.sender, operation.nonce, operation.status) == (RELAYER_KEY, 3, MintStatus.BUILT)
    with pytest.raises(NotCommitted) as lost:
        await stores.accounts.commit([advance(4, wanted, sender=RELAYER_KEY.address)])
    assert lost.value.lost == {wanted.item}


async def test_commit__when_the_nonce_is_spent__then_another_relayer_may_send_it(stores: Stores) -> None:
    await stores.put(deployment())
    first = claim(deployment())
    await stores.accounts.commit([advance(3, first, sender=RELAYER_KEY.address)])
    await stores.put_transaction(first.transaction(3).evolve(**SENT))
    stands = await stores.mints.get("d1")
    assert stands is not None

    again = claim(stands, OTHER_RELAYER)
    await stores.accounts.commit([advance(0, again, sender=OTHER_RELAYER.address)])

    operation = await stores.mints.get("d1")
    assert operation is not None
    assert (operation.sender, operation.nonce) == (OTHER_RELAYER, 0)
    assert (await stores.transaction(0, OTHER_RELAYER)).first_attempt == len(stands.attempts)
    with pytest.raises(NotCommitted):
        # It is not the first relayer's any more, whatever its nonce is.
        await stores.accounts.commit([advance(4, claim(stands), sender=RELAYER_KEY.address)])


@pytest.mark.parametrize("state", MINED)
async def test_commit__when_its_transaction_was_mined__then_it_gets_no_other_nonce(
    stores: Stores, state: str
) -> None:
    await stores.put(deployment(status=MintStatus.BUILT, nonce=3, sender=RELAYER_KEY))
    carrier = claim(deployment()).transaction(3).evolve(**MINED[state])
    await stores.put_transaction(carrier)
    submitted = deployment(status=MintStatus.BUILT, nonce=3, sender=RELAYER_KEY)

    with pytest.raises(NotCommitted):
        await stores.accounts.commit([advance(4, claim(submitted), sender=RELAYER_KEY.address)])

    assert carrier.state is not TransactionState.RESERVED


@pytest.mark.integration
async def test_clone__when_the_collection_is_registered__then_it_is_read_once(
    harness: Harness,
) -> None:
    dynamo = harness.dynamo
    collections = DynamoCollections(dynamo, CHAIN_ID)
    contract = address_of(CLONE)
    assert await collections.clone(contract) is None
    record = Collection(
        collection_id=scoped(CHAIN_ID, contract),
        chain_id=CHAIN_ID,
        contract=contract,
        name="Name",
        symbol="SYM",
        deployed_block=1,
        clone=CLONE,
        next_token_id=1,
    )
    await dynamo.write(Put(COLLECTIONS, to_item(record)))

    assert await collections.clone(contract) == CLONE
    await dynamo.write(Put(COLLECTIONS, to_item(record.evolve(clone=None))))
    assert await collections.clone(contract) == CLONE
