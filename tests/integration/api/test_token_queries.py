"""The index's queries over DynamoDB, as the in-memory one has them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from mintline.aws.dynamo import Dynamo, Put
from mintline.aws.records import to_item, token_place
from mintline.query_keys import token_query_keys, transfer_query_keys, transfer_shards
from mintline.records.collections import Collection
from mintline.records.index import Token, Transfer
from mintline.records.keys import position, scoped, token_key, token_ref
from mintline.resources import COLLECTIONS, TOKENS, TRANSFERS
from mintline_api.features.queries.holders import Holder, read_holders
from mintline_api.features.queries.ports import LAST_MOMENT, Partition, QueryIndex, Within
from mintline_api.features.queries.store import DynamoQueries
from mintline_api.features.queries.transfers import read_transfers
from mintline_api.features.tokens.ports import BlockRange, Index
from mintline_api.features.tokens.store import DynamoIndex
from mintline_testkit.api.index import MemoryIndex
from mintline_testkit.constants import CHAIN_ID, CONTRACT

pytestmark = pytest.mark.integration

OWNER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
OTHER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
SECOND = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"


def token(token_id: int, *, owner: str | None = OWNER, contract: str = CONTRACT) -> Token:
    return Token(
        chain_id=CHAIN_ID,
        contract=contract,
        token_id=token_id,
        owner=owner,
        metadata_digest=None,
        mint_id=None,
        minted_block=1,
        block_number=1,
        tx_hash=bytes(32),
    )


def transfer(block_number: int, log_index: int = 0) -> Transfer:
    return Transfer(
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        token_id=7,
        sender=OWNER,
        recipient=OTHER,
        block_number=block_number,
        block_hash=bytes(32),
        log_index=log_index,
        tx_hash=bytes(32),
        timestamp=block_number,
    )


TOKENS_THERE = (
    *(token(token_id) for token_id in (1, 2, 3, 250, 251, 700)),
    token(4, owner=OTHER),
    token(5, owner=None),
    token(1, contract=SECOND),
)
EVENTS = tuple(transfer(block, log) for block, log in ((10, 0), (10, 999_998), (11, 3), (20, 0), (21, 0)))


@dataclass(frozen=True)
class Both:
    """One index, by both of its ports."""

    index: Index
    queries: QueryIndex


@pytest.fixture(params=["memory", "dynamodb"])
async def both(request: pytest.FixtureRequest, dynamo: Dynamo) -> Both:
    if request.param == "memory":
        memory = MemoryIndex()
        memory.tokens = {(token.contract, token.token_id): token for token in TOKENS_THERE}
        memory.events = list(EVENTS)
        return Both(memory, memory)
    collection = Collection(
        collection_id=scoped(CHAIN_ID, CONTRACT),
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        name="c",
        symbol="C",
        deployed_block=1,
        next_token_id=701,
    )
    writes = [Put(COLLECTIONS, to_item(collection))]
    for token in TOKENS_THERE:
        owned = (
            {}
            if token.owner is None
            else {
                "owner_id": scoped(CHAIN_ID, token.owner),
                "owned_key": f"{token.contract}#{token_key(token.token_id)}",
            }
        )
        place = token_place(CHAIN_ID, token.contract, token.token_id)
        writes.append(Put(TOKENS, {**to_item(token), **place, **owned, **token_query_keys(token)}))
    for event in EVENTS:
        place = {
            "token_ref": token_ref(CHAIN_ID, CONTRACT, 7),
            "position": position(event.block_number, event.log_index),
        }
        writes.append(Put(TRANSFERS, {**to_item(event), **place, **transfer_query_keys(event)}))
    await asyncio.gather(*(dynamo.write(write) for write in writes))
    index = DynamoIndex(dynamo, chain_id=CHAIN_ID)
    return Both(index, DynamoQueries(dynamo, index, chain_id=CHAIN_ID))


@pytest.fixture
def index(both: Both) -> Index:
    return both.index


async def test_balance__when_counted__is_that_of_the_collection_up_to_the_bound(index: Index) -> None:
    assert await index.balance(OWNER, CONTRACT, most=100) == (6, False)
    assert await index.balance(OWNER, SECOND, most=100) == (1, False)
    assert (await index.balance(OWNER, CONTRACT, most=4)) == (4, True)
    assert (await index.balance(OTHER, SECOND, most=4)) == (0, False)


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_tokens_in__when_walked__come_all_by_id_over_any_gap(index: Index, limit: int) -> None:
    seen: list[int] = []
    after: int | None = None
    while True:
        page = await index.tokens_in(CONTRACT, limit=limit, after=after)
        assert len(page.tokens) <= limit
        seen += [token.token.token_id for token in page.tokens]
        if page.after is None:
            break
        after = page.after
    assert seen == [1, 2, 3, 4, 5, 250, 251, 700]


async def test_tokens_in__when_nobody_registered_the_collection__are_none(dynamo: Dynamo) -> None:
    page = await DynamoIndex(dynamo, chain_id=CHAIN_ID).tokens_in(SECOND, limit=5, after=None)
    assert (page.tokens, page.after) == ((), None)


async def test_transfers__when_a_range_is_asked_for__are_those_of_its_blocks(index: Index) -> None:
    async def blocks(*bounds: int, limit: int = 10, after: str | None = None) -> list[int]:
        page = await index.transfers(CONTRACT, 7, blocks=BlockRange(*bounds), limit=limit, after=after)
        return [transfer.block_number for _, transfer in page.items]

    assert await blocks() == [21, 20, 11, 10, 10]
    assert await blocks(10, 10) == [10, 10]
    assert await blocks(11, 20) == [20, 11]
    assert await blocks(12, 19) == []
    assert await blocks(10, 20, limit=2, after=position(20, 0)) == [11, 10]


@pytest.mark.parametrize("limit", [1, 100])
async def test_holders__when_walked__are_the_owners_with_what_they_have(both: Both, limit: int) -> None:
    holders: list[Holder] = []
    after: str | None = None
    while True:
        page = await read_holders(both.queries, CONTRACT, limit=limit, after=after)
        assert len(page.holders) <= limit
        holders += page.holders
        if (after := page.after) is None:
            break
    # In the order of the shards, which the addresses' first digits give.
    assert holders == [Holder(OTHER, 1), Holder(OWNER, 6)]


@pytest.mark.parametrize("limit", [1, 2, 100])
@pytest.mark.parametrize("of", ["collection", "sender", "recipient", "wallet"])
async def test_transfers_of_many_tokens__when_walked__come_once_newest_first(
    both: Both, limit: int, of: str
) -> None:
    sender = Partition("by_sender", scoped(CHAIN_ID, OWNER))
    recipient = Partition("by_recipient", scoped(CHAIN_ID, OTHER))
    partitions = {
        "collection": [Partition("by_contract", shard) for shard in transfer_shards(CHAIN_ID, CONTRACT)],
        "sender": [sender],
        "recipient": [recipient],
        "wallet": [sender, recipient],
    }[of]
    seen: list[Transfer] = []
    after: str | None = None
    while True:
        page = await read_transfers(
            both.queries,
            partitions,
            within=Within(BlockRange(11, 20)),
            contract=None,
            upper=LAST_MOMENT,
            after=after,
            limit=limit,
        )
        seen += page.transfers
        if (after := page.after) is None:
            break
    assert [transfer.block_number for transfer in seen] == [20, 11]
