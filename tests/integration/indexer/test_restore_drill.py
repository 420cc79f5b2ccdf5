"""Tables lose records, and `mintline restore` brings them back: with a real chain, and an indexer.

The emulator keeps no history. It copies a table as it is when it is asked to, so the copies are made at the
moment to which the test restores, and not afterwards.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from mintline.aws.dynamo import Delete, Item, Update
from mintline.clock import unix_ms
from mintline.errors import Misconfigured
from mintline.records.keys import scoped
from mintline.resources import COLLECTIONS, MINTS, TRANSACTIONS
from mintline.states import MintStatus
from mintline_indexer.reconciler.findings import Kind
from mintline_ops.deployments import Records, Target, settings_of
from mintline_ops.restore import apply as restoring
from mintline_ops.restore import verdict
from mintline_ops.restore.filling import Filled
from mintline_ops.restore.guards import Stillness
from mintline_ops.restore.reopening import Reopened, reopen
from mintline_ops.restore.rules import chosen
from mintline_testkit.constants import CHAIN_ID
from mintline_testkit.indexer.polling import catch_up

if TYPE_CHECKING:
    from tests.integration.indexer.conftest import Harness

pytestmark = pytest.mark.integration


def target(harness: Harness, node_url: str) -> Target:
    settings = settings_of(harness.prefix, "us-east-1", harness.client.meta.endpoint_url)
    return Target(settings, (node_url,), None)


async def put_back(
    target: Target, at: datetime, *replace: str, dry_run: bool = False, watch: float = 0
) -> dict[str, Filled]:
    """Return how tables differed from their copies, if they did."""
    done = await restoring.put_back(
        target, at=at, tables=(), replace=replace, skip_ids=0, watch=watch, dry_run=dry_run
    )
    return {each.table.name: each for each in done.tables if each.missing or each.differing}


async def keep_history(harness: Harness) -> None:
    for table in chosen(()):
        await harness.client.update_continuous_backups(
            TableName=table.table_name(harness.prefix),
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        )


async def copied(target: Target) -> datetime:
    """Have the copies made; the emulator's window is the second in which it is asked."""
    for _ in range(5):
        with suppress(Misconfigured):
            return (await restoring.make_copies(target, to="latest", tables=())).at
    raise AssertionError("the emulator's clock never stood still")


async def drop_copies(harness: Harness) -> None:
    names = (await harness.client.list_tables())["TableNames"]
    for name in names:
        if name.startswith(f"{harness.prefix}-") and ".at-" in name:
            await harness.client.delete_table(TableName=name)


async def minted(harness: Harness, *token_ids: int) -> None:
    for token_id in token_ids:
        await harness.submitted(await harness.mint([token_id], harness.accounts[1]), f"mint_{token_id}")
    await harness.mine()


async def test_tables__when_records_are_lost_and_restored__then_all_agrees_and_nothing_newer_is_removed(
    harness: Harness, anvil_automine: str
) -> None:
    deployment = target(harness, anvil_automine)
    await harness.register()
    indexer = harness.indexer()
    await minted(harness, 1, 2, 3)
    await catch_up(indexer)
    await keep_history(harness)
    at = await copied(deployment)
    await minted(harness, 4, 5)
    await catch_up(indexer)

    for mint_id in ("mint_1", "mint_2", "mint_4"):
        await harness.dynamo.write(Delete(MINTS, {"mint_id": mint_id}))
    for nonce in (0, 1):
        place: Item = {"sender_id": scoped(CHAIN_ID, harness.accounts[0]), "nonce": nonce}
        await harness.dynamo.write(Delete(TRANSACTIONS, place))
    collection: Item = {"collection_id": scoped(CHAIN_ID, harness.contract)}
    await harness.dynamo.write(Update(COLLECTIONS, collection, set={"next_token_id": 6, "name": "damaged"}))
    planned = await put_back(deployment, at, "collections", dry_run=True)
    assert await harness.dynamo.get(MINTS, {"mint_id": "mint_1"}) is None
    written = await put_back(deployment, at, "collections")
    again = await put_back(deployment, at, "collections")
    await drop_copies(harness)

    assert planned == written
    assert {name: each.missing for name, each in written.items()} == {
        "mints": 2,
        "collections": 0,
        "transactions": 2,
    }
    assert written["mints"].newer == 1
    assert again == {}
    row = await harness.dynamo.get(COLLECTIONS, collection)
    assert row is not None
    assert (row["name"], row["next_token_id"]) == ("Test", 6)
    for mint_id in ("mint_1", "mint_2", "mint_3", "mint_5"):
        assert await harness.status_of(mint_id) is MintStatus.MINED

    judged = await verdict.check(deployment, whole=1_000, patience=900)

    assert judged.in_order
    foreign = [finding for finding in judged.reconciliation.findings if finding.kind is Kind.FOREIGN]
    assert [finding.token_id for finding in foreign] == [4]


async def test_check__when_a_record_is_damaged__then_it_is_not_in_order(
    harness: Harness, anvil_automine: str
) -> None:
    await harness.register()
    await minted(harness, 1, 2)
    await catch_up(harness.indexer())
    await harness.dynamo.write(Update(MINTS, {"mint_id": "mint_2"}, set={"token_id": "7"}))

    assert not (await verdict.check(target(harness, anvil_automine), whole=1_000, patience=900)).in_order


async def test_tables__when_an_indexer_writes_meanwhile__then_nothing_is_written(
    harness: Harness, anvil_automine: str
) -> None:
    deployment = target(harness, anvil_automine)
    await harness.register()
    await minted(harness, 1)
    await keep_history(harness)
    at = await copied(deployment)
    await harness.dynamo.write(Delete(MINTS, {"mint_id": "mint_1"}))
    indexer = harness.indexer()

    async def index(_: float) -> None:
        await catch_up(indexer)

    records = Records(harness.client, harness.dynamo, harness.prefix)
    with pytest.raises(Misconfigured, match="stop all services"):
        await Stillness.watch(records, 30.0, sleep=index)
    stillness = await Stillness.watch(records, 30.0, sleep=lambda _: asyncio.sleep(0))
    await stillness.check()
    await harness.mine()
    await catch_up(indexer)
    with pytest.raises(Misconfigured, match="stop all services"):
        await stillness.check()
    await drop_copies(harness)
    with pytest.raises(Misconfigured, match="run mintline restore tables first"):
        await put_back(deployment, at)


async def test_tables__when_the_node_is_behind_their_records__then_nothing_is_written(
    harness: Harness, anvil_automine: str
) -> None:
    deployment = target(harness, anvil_automine)
    await harness.register()
    await minted(harness, 1)
    await catch_up(harness.indexer())
    await keep_history(harness)
    at = await copied(deployment)
    await harness.dynamo.write(Delete(MINTS, {"mint_id": "mint_1"}))
    await harness.rpc.call("anvil_rollback", [1])

    with pytest.raises(Misconfigured, match="pass a node that is in step"):
        await put_back(deployment, at)

    await drop_copies(harness)
    assert await harness.dynamo.get(MINTS, {"mint_id": "mint_1"}) is None


async def test_tables__when_a_copy_has_a_block_that_the_chain_has_not__then_nothing_is_written(
    harness: Harness, anvil_automine: str
) -> None:
    deployment = target(harness, anvil_automine)
    await harness.register()
    await minted(harness, 1)
    place: Item = {"sender_id": scoped(CHAIN_ID, harness.accounts[0]), "nonce": 0}
    await harness.dynamo.write(Update(TRANSACTIONS, place, set={"block_number": 10**9}))
    await keep_history(harness)
    at = await copied(deployment)
    await harness.dynamo.write(Delete(MINTS, {"mint_id": "mint_1"}))

    for dry_run in (True, False):
        with pytest.raises(Misconfigured, match="transactions has a record of block 1000000000"):
            await put_back(deployment, at, dry_run=dry_run)

    await drop_copies(harness)
    assert await harness.dynamo.get(MINTS, {"mint_id": "mint_1"}) is None


async def test_mints__when_their_transactions_are_lost_too__then_they_are_left_until_these_are_restored(
    harness: Harness, anvil_automine: str
) -> None:
    deployment = target(harness, anvil_automine)
    await harness.register()
    await minted(harness, 1, 2)
    await catch_up(harness.indexer())
    now = unix_ms()
    for mint_id in ("mint_1", "mint_2"):
        await harness.dynamo.write(Update(MINTS, {"mint_id": mint_id}, set={"created_at": now}))
    lost: list[Item] = [
        {"sender_id": scoped(CHAIN_ID, harness.accounts[0]), "nonce": nonce} for nonce in (0, 1)
    ]
    await harness.dynamo.write(Delete(TRANSACTIONS, lost[1]))
    await keep_history(harness)
    at = await copied(deployment)
    await harness.dynamo.write(Delete(MINTS, {"mint_id": "mint_1"}))
    await harness.dynamo.write(Delete(TRANSACTIONS, lost[0]))

    async def reopened(*tables: str, dry_run: bool) -> Reopened:
        return (
            await restoring.put_back(
                deployment, at=at, tables=tables, replace=(), skip_ids=0, watch=0, dry_run=dry_run
            )
        ).reopened

    alone = [await reopened("mints", dry_run=dry_run) for dry_run in (True, False)]
    both = [await reopened(dry_run=dry_run) for dry_run in (True, False)]
    await drop_copies(harness)

    assert [(each.mints, each.left, set(each.left_ids)) for each in alone] == [
        (0, 2, {"mint_1", "mint_2"})
    ] * 2
    assert both == [Reopened(mints=1)] * 2
    assert [await harness.status_of(f"mint_{number}") for number in (1, 2)] == [
        MintStatus.MINED,
        MintStatus.ACCEPTED,
    ]


async def test_mints__when_older_records_say_a_closed_batch_or_none_on_record_carries_them__then_they_go_on(
    harness: Harness,
) -> None:
    await harness.register()
    batch = harness.sponsored([1, 2], harness.accounts[1])
    place = await harness.carried("0x" + "11" * 32, "batch", *batch)
    failed: Item = {"state": "final", "outcome": "failed", "finalized_at": 7}
    key: Item = {"sender_id": place.sender_id, "nonce": place.nonce}
    await harness.dynamo.write(Update(TRANSACTIONS, key, set=failed, remove=("open_shard", "open_key")))
    lost = harness.sponsored([3], harness.accounts[1])
    gone = await harness.carried("0x" + "33" * 32, "batch", *lost)
    await harness.dynamo.write(Delete(TRANSACTIONS, {"sender_id": gone.sender_id, "nonce": gone.nonce}))
    records = Records(harness.client, harness.dynamo, harness.prefix)

    async def reopening() -> Reopened:
        return await reopen(records.every, harness.dynamo.write, CHAIN_ID, at=9, rebuild=True)

    reopenings = [await reopening() for _ in range(2)]

    assert reopenings == [Reopened(transactions=1, mints=1), Reopened(transactions=0, mints=0)]
    opened = await harness.dynamo.get(TRANSACTIONS, key)
    assert opened is not None
    assert (opened["state"], opened["outcome"], "finalized_at" in opened) == ("mined", "failed", False)
    assert await harness.open_mints() == {"mint_1", "mint_2", "mint_3"}
    again = await harness.mint_record("mint_3")
    assert (again.status, again.sender, again.nonce) == (MintStatus.ACCEPTED, None, None)
