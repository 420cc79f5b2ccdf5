"""The collections' counters of token ids, as DynamoDB keeps them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from mintline.aws.dynamo import Put
from mintline.aws.records import to_item
from mintline.errors import Unreadable, Unusable
from mintline.resources import COLLECTIONS, RATES
from mintline_api.problems import Refused
from mintline_api.stores import DynamoIndex, DynamoRates, DynamoTokenIds
from mintline_api.testing import CHAIN_ID

if TYPE_CHECKING:
    from mintline.aws.dynamo import Dynamo, Value
    from mintline.records import Collection

pytestmark = pytest.mark.integration

ELSEWHERE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


async def test_lease__when_ids_are_leased__then_none_is_leased_again(
    dynamo: Dynamo, collection: Collection
) -> None:
    counter = DynamoTokenIds(dynamo, chain_id=CHAIN_ID)

    assert await counter.lease(collection.contract, 5) == 1
    firsts = await asyncio.gather(*(counter.lease(collection.contract, 2) for _ in range(3)))
    assert sorted(firsts) == [6, 8, 10]


async def test_lease__when_the_contract_is_not_registered__refuses(dynamo: Dynamo) -> None:
    with pytest.raises(Refused, match="unknown-contract"):
        await DynamoTokenIds(dynamo, chain_id=CHAIN_ID).lease(ELSEWHERE, 1)


@pytest.mark.parametrize("odd", ["7", -1, None, {"N": "1"}])
async def test_lease__when_the_counter_is_no_number_of_ours__then_it_is_unusable_and_stays_as_it_is(
    dynamo: Dynamo, collection: Collection, odd: Value
) -> None:
    item = to_item(collection) | {"next_token_id": odd}
    await dynamo.write(Put(COLLECTIONS, item))

    with pytest.raises(Unreadable):
        await DynamoTokenIds(dynamo, chain_id=CHAIN_ID).lease(collection.contract, 1)
    assert await dynamo.get(COLLECTIONS, {"collection_id": collection.collection_id}) == item


async def test_lease__when_the_counter_is_gone__then_it_is_unusable_and_the_collection_is_known(
    dynamo: Dynamo, collection: Collection
) -> None:
    item = to_item(collection)
    del item["next_token_id"]
    await dynamo.write(Put(COLLECTIONS, item))

    with pytest.raises(Unreadable):
        await DynamoTokenIds(dynamo, chain_id=CHAIN_ID).lease(collection.contract, 1)
    known = await DynamoIndex(dynamo, chain_id=CHAIN_ID).collection(collection.contract)
    assert known is not None
    assert known.name == collection.name


async def test_rates__when_a_count_is_no_number__then_it_is_unusable(dynamo: Dynamo) -> None:
    await dynamo.write(Put(RATES, {"rate_id": "alice#1", "taken": "many"}))
    with pytest.raises(Unusable):
        await DynamoRates(dynamo).add("alice#1", 1, expires=9)
    assert await DynamoRates(dynamo).add("alice#2", 1, expires=9) == 1
