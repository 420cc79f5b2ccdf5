"""The collections' counters of token ids, as DynamoDB keeps them."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from mintline.authorizations import Authorization
from mintline.aws.dynamo import Item, Put
from mintline.aws.records import to_item, token_place
from mintline.errors import Unreadable, Unusable
from mintline.records.index import Token
from mintline.resources import COLLECTIONS, RATES, TOKENS
from mintline_api.features.mints.store import DynamoMints, DynamoTokenIds
from mintline_api.features.mints.token_ids import MARGIN, TokenIds
from mintline_api.features.tokens.store import DynamoIndex
from mintline_api.http.problems import RequestRefused
from mintline_api.limits.store import DynamoRates
from mintline_testkit.api.index import MemoryIndex
from mintline_testkit.constants import CHAIN_ID, CONTRACT
from mintline_testkit.records import make_mint

if TYPE_CHECKING:
    from mintline.aws.dynamo import Dynamo, Value
    from mintline.records.collections import Collection

pytestmark = pytest.mark.integration

ELSEWHERE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


def place(contract: str, token_id: int) -> Item:
    return token_place(CHAIN_ID, contract, token_id)


async def test_lease__when_ids_are_leased__then_none_is_leased_again(
    dynamo: Dynamo, collection: Collection
) -> None:
    counter = DynamoTokenIds(dynamo, chain_id=CHAIN_ID)

    assert await counter.lease(collection.contract, 5) == 1
    firsts = await asyncio.gather(*(counter.lease(collection.contract, 2) for _ in range(3)))
    assert sorted(firsts) == [6, 8, 10]


async def test_lease__when_the_contract_is_not_registered__refuses(dynamo: Dynamo) -> None:
    with pytest.raises(RequestRefused, match="unknown-contract"):
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


async def test_advance__when_the_counter_is_behind__then_it_moves_and_never_back(
    dynamo: Dynamo, collection: Collection
) -> None:
    counter = DynamoTokenIds(dynamo, chain_id=CHAIN_ID)
    await counter.advance(collection.contract, 50)
    assert await counter.upcoming(collection.contract) == 50
    await counter.advance(collection.contract, 20)
    assert await counter.lease(collection.contract, 2) == 50

    for ask in (counter.upcoming(ELSEWHERE), counter.lease(ELSEWHERE, 1)):
        with pytest.raises(RequestRefused, match="unknown-contract"):
            await ask
    await counter.advance(ELSEWHERE, 5)
    assert await DynamoIndex(dynamo, chain_id=CHAIN_ID).collection(ELSEWHERE) is None


async def test_index__when_asked_for_the_highest_token_id__then_it_tells_that_of_those_asked_for(
    dynamo: Dynamo, collection: Collection
) -> None:
    index, memory = DynamoIndex(dynamo, chain_id=CHAIN_ID), MemoryIndex()
    minted = [(CONTRACT, token_id) for token_id in (1, 9, 10, 2**255)]
    for contract, token_id in (*minted, (ELSEWHERE, 30)):
        memory.tokens[contract, token_id] = token = Token(
            chain_id=CHAIN_ID,
            contract=contract,
            token_id=token_id,
            owner=None,
            metadata_digest=None,
            mint_id=None,
            minted_block=1,
            block_number=1,
            tx_hash=bytes(32),
        )
        await dynamo.write(Put(TOKENS, to_item(token) | place(contract, token_id)))

    ranges = (range(1), range(9), range(9, 10), range(2, 1_000_000), range(11, 1_000_000))
    for known in (index, memory):
        highest = [await known.highest_token_id(collection.contract, ids) for ids in ranges]
        assert highest == [None, 1, 9, 10, None]


async def test_take__when_a_backup_of_the_counter_was_restored__then_no_id_in_use_is_given_out(
    dynamo: Dynamo, collection: Collection
) -> None:
    """The counter stands at 1 again, tokens up to 5 are on chain, and mints up to 8 are on their way."""
    for token_id in range(1, 6):
        await dynamo.write(Put(TOKENS, place(CONTRACT, token_id)))
    mints = DynamoMints(dynamo)
    for number in (6, 7, 8):
        record = make_mint(
            f"mint_{number}", sub="alice", to=ELSEWHERE, custody="self", token_id=number, at=number
        )
        await mints.create(record, Authorization(envelope=b"e", metadata="{}"))
    token_ids = TokenIds(
        DynamoTokenIds(dynamo, chain_id=CHAIN_ID),
        used=(DynamoIndex(dynamo, chain_id=CHAIN_ID), mints),
        clock=time.monotonic,
    )
    assert await token_ids.take(CONTRACT) == 9 + MARGIN
