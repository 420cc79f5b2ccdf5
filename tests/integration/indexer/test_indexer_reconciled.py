"""What the index and a real chain say, reconciled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mintline.aws.dynamo import Delete, Item, Put, Update
from mintline.aws.records import to_item, token_place
from mintline.records.keys import scoped
from mintline.resources import COLLECTIONS, MINTS, TOKENS
from mintline_indexer.reconciler.comparison import Reconciliation, reconcile
from mintline_indexer.reconciler.findings import Kind
from mintline_indexer.reconciler.reading import events_between
from mintline_ops.deployments import Records
from mintline_ops.reconcile import read
from mintline_testkit.indexer.polling import catch_up

if TYPE_CHECKING:
    from tests.integration.indexer.conftest import Harness

pytestmark = pytest.mark.integration


async def reconciled(harness: Harness) -> Reconciliation:
    records = Records(harness.client, harness.dynamo, harness.prefix)
    return reconcile(await read(records, harness.rpc, harness.node, patience=10**12))


async def test_reconcile__when_tokens_were_minted_moved_and_burned__then_there_is_no_difference(
    harness: Harness,
) -> None:
    await harness.register()
    indexer = harness.indexer()
    owner, other = harness.accounts[1], harness.accounts[2]
    await harness.mint([1, 2, 3], owner)
    await harness.mine()
    await harness.transfer(1, owner, other)
    await harness.burn(2, owner)
    await harness.mine(3)
    await catch_up(indexer)
    reconciliation = await reconciled(harness)
    assert reconciliation.differences == []
    assert (
        reconciliation.counts["minted"],
        reconciliation.counts["indexed"],
        reconciliation.counts["burned"],
    ) == (3, 3, 1)
    assert reconciliation.counts["foreign"] == 3


async def test_reconcile__when_a_record_was_lost_or_made_up__then_each_is_named(harness: Harness) -> None:
    await harness.register()
    indexer = harness.indexer()
    await harness.submitted(await harness.mint([1], harness.accounts[1]), "mint_a")
    await harness.mine(4)
    await catch_up(indexer)
    mint = await harness.mint_record("mint_a")
    mint = mint.model_copy(update={"token_id": 1, "metadata_digest": (1).to_bytes(32, "big")})
    made_up = mint.model_copy(update={"mint_id": "mint_b", "token_id": 9})
    for record in (mint, made_up):
        await harness.dynamo.write(Put(MINTS, to_item(record)))
    damaged = to_item(mint.evolve(mint_id="mint_c")) | {"status": "nonsense"}
    await harness.dynamo.write(Put(MINTS, damaged))
    await harness.dynamo.write(Delete(TOKENS, token_place(31337, harness.contract, 1)))
    reconciliation = await reconciled(harness)
    assert {(difference.kind, difference.token_id) for difference in reconciliation.differences} == {
        (Kind.NOT_INDEXED, 1),
        (Kind.LOST, 9),
        (Kind.UNREADABLE, None),
    }


@pytest.mark.parametrize("damaged", [{"deployed_block": "early"}, {"chain_id": "x"}, {"next_token_id": "y"}])
async def test_reconcile__when_a_collection_cannot_be_read__then_that_is_all_and_its_tokens_are_compared(
    harness: Harness, damaged: Item
) -> None:
    await harness.register()
    indexer = harness.indexer()
    await harness.mint([1, 2], harness.accounts[1])
    await harness.mine(4)
    await catch_up(indexer)
    name = scoped(31337, harness.contract)
    await harness.dynamo.write(Update(COLLECTIONS, {"collection_id": name}, set=damaged))
    await harness.dynamo.write(Put(COLLECTIONS, {"collection_id": "31337#nowhere"}))
    reconciliation = await reconciled(harness)
    assert [
        (difference.kind, difference.detail.split(":")[0]) for difference in reconciliation.differences
    ] == [
        (Kind.UNREADABLE, f"collections {name}"),
        (Kind.UNREADABLE, "collections 31337#nowhere"),
    ]
    assert (reconciliation.counts["minted"], reconciliation.counts["indexed"]) == (2, 2)


async def test_events__when_the_node_takes_narrow_ranges_only__then_the_range_is_split(
    harness: Harness,
) -> None:
    from mintline_testkit.chain import FakeChain, Move, Sent

    chain = FakeChain(widest=3)
    for number in range(1, 20):
        move = Move(harness.contract, number, None, harness.accounts[1], bytes(32))
        chain.mine([Sent(number.to_bytes(32, "big"), harness.contract, (move,))])
    events = await events_between(chain, 1, 19, [harness.contract])
    assert [event.block_number for event in events] == [n for n in range(1, 20) for _ in range(2)]
