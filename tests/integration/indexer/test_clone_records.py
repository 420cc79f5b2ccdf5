"""The records of clones over DynamoDB: moved on by their operations, and taken back by a reorg."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mintline.aws.dynamo import Put
from mintline.aws.records import from_item, to_item
from mintline.clone_calls import address_of
from mintline.clones import CloneArgs
from mintline.messages.parts import Clone, CollectionChange
from mintline.records.collections import Collection, PendingChange
from mintline.records.keys import scoped
from mintline.records.operations import CollectionCall, CollectionDeployment, CollectionOperation
from mintline.resources import COLLECTIONS, MINTS
from mintline.states import MintStatus
from mintline_indexer.dynamo_collections import DynamoCollectionRegistry, SettlingCollectionRegistry
from mintline_testkit.constants import CHAIN_ID, CONTRACT

if TYPE_CHECKING:
    from tests.integration.indexer.conftest import Harness

pytestmark = pytest.mark.integration

CLONE = Clone(
    factory=CONTRACT,
    implementation=CONTRACT,
    principal="client",
    operation_id="deploy_1",
    args=CloneArgs(name="Name", symbol="SYM", owner=CONTRACT),
)
ADDRESS = address_of(CLONE)
PAUSE = CollectionChange(action="pause")
KEY: dict[str, Any] = {"collection_id": scoped(CHAIN_ID, ADDRESS)}


async def put(harness: Harness, kind: type[CollectionOperation], **changes: Any) -> None:
    fields: dict[str, Any] = {
        "mint_id": "deploy_1" if kind is CollectionDeployment else "change_1",
        "chain_id": CHAIN_ID,
        "contract": ADDRESS,
        "principal": "client",
        "clone": CLONE,
        "request_digest": "",
        "created_at": 0,
        "updated_at": 0,
        **changes,
    }
    extra = {} if kind is CollectionDeployment else {"change": PAUSE}
    await harness.dynamo.write(Put(MINTS, to_item(kind(**fields, **extra))))


async def test_known__when_deployment_and_change_move__then_the_record_follows_and_keeps_the_rest(
    harness: Harness,
) -> None:
    async def record() -> Collection:
        item = await harness.dynamo.get(COLLECTIONS, KEY)
        assert item is not None
        return from_item(Collection, item)

    registry = SettlingCollectionRegistry(
        DynamoCollectionRegistry(harness.client, prefix=harness.prefix, chain_id=CHAIN_ID), harness.dynamo
    )
    created = Collection(
        **KEY,
        chain_id=CHAIN_ID,
        contract=ADDRESS,
        name="Name",
        symbol="SYM",
        deployed_block=5,
        clone=CLONE,
        status="deploying",
        next_token_id=77,
    )
    await harness.dynamo.write(Put(COLLECTIONS, to_item(created)))
    await put(harness, CollectionDeployment, status=MintStatus.ACCEPTED)
    assert await registry.known(finalized=4) == {CONTRACT: 5}
    assert await record() == created

    mined = {"block_number": 9, "block_hash": b"\x09" * 32, "tx_hash": b"\x01" * 32}
    await put(harness, CollectionDeployment, status=MintStatus.MINED, **mined)
    assert await registry.known(finalized=4) == {CONTRACT: 9, ADDRESS: 9}
    assert await record() == created.evolve(status="ready", deployed_block=9)

    await put(harness, CollectionDeployment, status=MintStatus.SUBMITTED)
    await registry.known(finalized=4)
    assert (await record()).status == "deploying"

    await put(harness, CollectionDeployment, status=MintStatus.FINALIZED, **mined)
    await registry.known(finalized=9)
    ready = created.evolve(status="ready", deployed_block=9, deployment_final=True)
    assert await record() == ready

    pending = PendingChange(operation_id="change_1", change=PAUSE)
    await harness.dynamo.write(Put(COLLECTIONS, to_item(ready.evolve(pending=pending))))
    await put(harness, CollectionCall, status=MintStatus.MINED, **mined)
    await registry.known(finalized=4)
    collection = await record()
    assert (collection.standing.paused, collection.state.paused, collection.pending) == (
        True,
        False,
        pending.evolve(mined=True),
    )
    await put(harness, CollectionCall, status=MintStatus.FINALIZED, **mined)
    await registry.known(finalized=9)
    collection = await record()
    assert (collection.state.paused, collection.pending, collection.next_token_id) == (True, None, 77)
