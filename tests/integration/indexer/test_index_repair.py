"""A damaged index is made what the chain says, while its indexer goes on and whatever process dies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

from mintline.aws.dynamo import Dynamo, Item, Put, Update
from mintline.aws.records import row_place, token_place
from mintline.errors import Misconfigured, Unavailable, Unreadable
from mintline.records.keys import row_shard, scoped
from mintline.resources import BLOCKS, COLLECTIONS, TOKENS
from mintline_indexer.dynamo_collections import DynamoCollectionRegistry
from mintline_indexer.indexer import Indexer
from mintline_indexer.node_chain import NodeChain
from mintline_ops.deployments import Records
from mintline_ops.index.rebuild import Rebuild
from mintline_ops.index.repair import repair_index
from mintline_testkit.constants import CHAIN_ID
from mintline_testkit.indexer.polling import catch_up

if TYPE_CHECKING:
    from tests.integration.indexer.conftest import Harness

pytestmark = pytest.mark.integration

INDEX = ("tokens", "transfers")
LIARS = "0x" + "66" * 20


class Interposed:
    """The tables, where `before` happens before each transaction."""

    def __init__(self, dynamo: Dynamo, before: Callable[[int], Awaitable[None]]) -> None:
        self._dynamo = dynamo
        self._before = before
        self.transactions = 0

    async def transact(self, batch: Any) -> None:
        await self._before(self.transactions)
        self.transactions += 1
        await self._dynamo.transact(batch)


def rebuild(harness: Harness) -> Rebuild:
    return Rebuild(
        records=Records(harness.client, harness.dynamo, harness.prefix),
        chain=NodeChain(harness.node, harness.rpc),
        collections=DynamoCollectionRegistry(harness.client, prefix=harness.prefix, chain_id=CHAIN_ID),
        chain_id=CHAIN_ID,
        whole=1_000,
    )


async def followed(harness: Harness) -> Indexer:
    """Mint five tokens, move one, and have it all indexed."""
    await harness.register()
    indexer = harness.indexer()
    await harness.mint([1, 2, 3, 4, 5], harness.accounts[1])
    await harness.mine(4)
    await harness.transfer(1, harness.accounts[1], harness.accounts[2])
    await harness.mine()
    await catch_up(indexer)
    return indexer


def key_of(harness: Harness, token_id: int) -> Item:
    return token_place(CHAIN_ID, harness.contract, token_id)


async def owner_of(harness: Harness, token_id: int) -> object:
    token = await harness.dynamo.get(TOKENS, key_of(harness, token_id))
    assert token is not None
    return token["owner"]


async def spoil(harness: Harness) -> None:
    """Give four tokens another owner, and make up a fifth."""
    for token_id in (1, 2, 3, 4):
        await harness.dynamo.write(Update(TOKENS, key_of(harness, token_id), set={"owner": LIARS}))
    token = await harness.dynamo.get(TOKENS, key_of(harness, 1))
    assert token is not None
    await harness.dynamo.write(Put(TOKENS, token | key_of(harness, 9)))


async def index(harness: Harness) -> list[list[Item]]:
    return [await harness.every(table) for table in INDEX]


async def test_repair__when_items_were_changed_and_made_up__then_the_tables_are_what_they_were(
    harness: Harness,
) -> None:
    indexer = await followed(harness)
    true = await index(harness)
    await spoil(harness)
    repaired = await repair_index(rebuild(harness), harness.dynamo, chain_id=CHAIN_ID)
    assert (len(repaired.repaired), repaired.left) == (5, [])
    assert await index(harness) == true
    await harness.mint([6], harness.accounts[1])
    await harness.mine()
    await indexer.poll()
    await catch_up(indexer)
    assert await rebuild(harness).differences() == []
    assert len(await harness.every("tokens")) == 6


async def test_repair__when_the_indexer_moves_on_before_a_write__then_nothing_it_wrote_is_undone(
    harness: Harness,
) -> None:
    indexer = await followed(harness)
    await spoil(harness)

    async def move(transaction: int) -> None:
        if transaction < 2:
            await harness.transfer(2 + transaction, harness.accounts[1], harness.accounts[3])
            await harness.mine()
            await catch_up(indexer)

    tables: Any = Interposed(harness.dynamo, move)
    repaired = await repair_index(rebuild(harness), tables, chain_id=CHAIN_ID)
    assert repaired.left == []
    assert tables.transactions == 3, "two lost to the indexer"
    owners = {token_id: await owner_of(harness, token_id) for token_id in (2, 3)}
    assert owners == {2: harness.accounts[3], 3: harness.accounts[3]}
    assert await rebuild(harness).differences() == []


async def test_repair__when_it_dies_in_the_middle__then_doing_it_again_finishes(harness: Harness) -> None:
    await followed(harness)
    true = await index(harness)
    await spoil(harness)

    async def die(transaction: int) -> None:
        if transaction == 2:
            raise Unavailable("killed")

    tables: Any = Interposed(harness.dynamo, die)
    with pytest.raises(Unavailable, match="killed"):
        await repair_index(rebuild(harness), tables, chain_id=CHAIN_ID, batch=1)
    assert len(await rebuild(harness).differences()) == 3
    assert len((await repair_index(rebuild(harness), harness.dynamo, chain_id=CHAIN_ID)).repaired) == 3
    assert await index(harness) == true


async def test_repair__when_an_undo_record_holds_the_wrong_owner__then_a_reorg_brings_back_the_right_one(
    harness: Harness,
) -> None:
    indexer = await followed(harness)
    await harness.dynamo.write(Update(TOKENS, key_of(harness, 2), set={"owner": LIARS}))
    await harness.transfer(2, harness.accounts[1], harness.accounts[3])
    await harness.mine()
    await catch_up(indexer)
    assert LIARS in repr(await harness.every("blocks"))
    repaired = await repair_index(rebuild(harness), harness.dynamo, chain_id=CHAIN_ID)
    assert [difference.key[0] for difference in repaired.repaired] == [BLOCKS.name]
    assert LIARS not in repr(await harness.every("blocks"))
    await harness.rpc.call("anvil_reorg", [1, []])
    await indexer.poll()
    await catch_up(indexer)
    assert await owner_of(harness, 2) == harness.accounts[1]
    assert await rebuild(harness).differences() == []


async def test_index__when_an_undo_record_was_spoiled__then_a_restart_halts_until_it_is_repaired(
    harness: Harness,
) -> None:
    await (await followed(harness)).step_down()
    undo_record = (await harness.store.undo_records())[-1]
    key = row_place(CHAIN_ID, undo_record.position)
    await harness.dynamo.write(Update(BLOCKS, key, set={"number": "three"}))
    indexer = harness.indexer()
    assert not await indexer.poll()
    assert f"blocks {row_shard(CHAIN_ID, undo_record.position)}/{undo_record.position} is not valid" in str(
        indexer.trouble()
    )
    with pytest.raises(Unreadable, match="blocks"):
        await repair_index(rebuild(harness), harness.dynamo, chain_id=CHAIN_ID)
    await harness.dynamo.write(Update(BLOCKS, key, set={"number": undo_record.number}))
    await catch_up(indexer)
    assert indexer.trouble() is None
    assert await rebuild(harness).differences() == []


async def test_repair__when_a_collection_cannot_be_read__then_its_tokens_stay_and_the_record_is_named(
    harness: Harness,
) -> None:
    await followed(harness)
    true = await index(harness)
    name = scoped(CHAIN_ID, harness.contract)
    await harness.dynamo.write(Update(COLLECTIONS, {"collection_id": name}, set={"deployed_block": "early"}))
    with pytest.raises(Misconfigured, match=f"collections {name} is missing or not valid"):
        await repair_index(rebuild(harness), harness.dynamo, chain_id=CHAIN_ID)
    assert await index(harness) == true


async def test_repair__when_a_token_lacks_its_chain__then_it_is_made_whole(harness: Harness) -> None:
    await followed(harness)
    true = await index(harness)
    await harness.dynamo.write(Update(TOKENS, key_of(harness, 1), remove=("chain_id", "owner")))
    repaired = await repair_index(rebuild(harness), harness.dynamo, chain_id=CHAIN_ID)
    assert (len(repaired.repaired), repaired.left) == (1, [])
    assert await index(harness) == true
