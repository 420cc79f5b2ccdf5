"""The collections' counters of token ids, as DynamoDB keeps them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from mintline_api.problems import Refused
from mintline_api.stores import DynamoTokenIds
from mintline_api.testing import CHAIN_ID

if TYPE_CHECKING:
    from mintline.aws.dynamo import Dynamo
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
