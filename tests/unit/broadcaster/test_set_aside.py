"""One record that cannot be used stops neither the sweep nor its user's other mints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from mintline.aws.dynamo import Item
from mintline.aws.records import to_item
from mintline.errors import Unavailable, Unreadable, Unwritable
from mintline.records.index import Transfer
from mintline.records.operations import Mint, Operation
from mintline.records.transactions import Transaction
from mintline.resources import BUILD, MINTS, SIGN
from mintline.set_aside import SetAside
from mintline.states import MintStatus
from mintline_broadcaster.dynamo import DynamoTransactionStore
from mintline_broadcaster.ports import Final
from mintline_broadcaster.sweep_operations import RESTING_SECONDS
from mintline_testkit.broadcaster.harness import Harness
from mintline_testkit.broadcaster.intents import mint_intent
from mintline_testkit.broadcaster.store import MemoryTransactionStore


class Items:
    """As much of DynamoDB as reading takes."""

    def __init__(self, items: Iterable[Item]) -> None:
        self.items = {str(item["mint_id"]): item for item in items}

    async def get(self, table: Any, key: Item) -> Item | None:
        return self.items.get(str(key["mint_id"])) if table is MINTS else None

    async def get_each(self, table: Any, keys: Sequence[Item]) -> list[Item | None]:
        return [await self.get(table, key) for key in keys]


class Spoiled(MemoryTransactionStore):
    """A store of which some mints can be read and not written, or not be ended by their token."""

    error: Exception = Unwritable("UpdateItem: Item size to update has exceeded the maximum allowed size")
    spoiled: str = ""

    async def mark_swept(self, operation: Operation, *, at: int) -> None:
        if operation.operation_id == self.spoiled:
            raise self.error
        await super().mark_swept(operation, at=at)

    async def mark(self, transaction: Transaction, *, at: int) -> None:
        if self.spoiled in transaction.operations:
            raise self.error
        await super().mark(transaction, at=at)

    async def minting(self, mint: Mint) -> Transfer | None:
        if mint.mint_id == self.spoiled:
            raise Unreadable("Transfer: timestamp: int_type")
        return await super().minting(mint)


def spoiled(item: Item) -> Item:
    return item | {"authorization": "0x" + "ab" * 10_000}


async def test_read_mints__when_one_record_is_unreadable__then_it_alone_is_missing(harness: Harness) -> None:
    mints = [harness.built(mint_intent(nonce)) for nonce in range(4)]
    items = [to_item(mint) for mint in mints]
    items[1] = spoiled(items[1])
    dynamo: Any = Items(items)
    store = DynamoTransactionStore(dynamo, chain_id=31337, set_aside=SetAside())
    with capture_logs() as lines:
        operations = await store.operations(mint.mint_id for mint in mints)
    assert set(operations) == {mints[n].mint_id for n in (0, 2, 3)}
    [line] = [line for line in lines if line["event"] == "record_set_aside"]
    assert (line["table"], line["key"]) == ("mints", mints[1].mint_id)
    assert line["reason"] == "Mint: authorization: too_long"
    with pytest.raises(Unreadable):
        await store.get(mints[1].mint_id)


async def test_sweep__when_one_mint_cannot_be_written__then_the_others_are_sent_on(harness: Harness) -> None:
    harness.store = store = Spoiled()
    for nonce in range(3):
        harness.built(
            mint_intent(nonce), status=MintStatus.ACCEPTED, created_at=harness.now, updated_at=harness.now
        )
    store.spoiled = "mint_0_1"
    with capture_logs() as lines:
        await harness.sweep(after=60)
    mint_ids = {message.mint_id for message in await harness.sent_to(BUILD)}
    assert mint_ids == {"mint_0_0", "mint_0_2"}
    assert [line["key"] for line in lines if line["event"] == "record_set_aside"] == ["mint_0_1"]
    labels = {"table": "mints"}
    assert harness.registry.get_sample_value("mintline_records_set_aside_total", labels) == 1


async def test_sweep__when_the_table_is_unwell__then_no_record_is_to_blame(harness: Harness) -> None:
    harness.store = store = Spoiled()
    store.spoiled, store.error = "mint_0_0", Unavailable("dynamodb")
    harness.built(mint_intent(), status=MintStatus.ACCEPTED, created_at=harness.now, updated_at=harness.now)
    with capture_logs() as lines, pytest.raises(Unavailable):
        await harness.sweep(after=60)
    assert not [line for line in lines if line["event"] == "record_set_aside"]


async def test_sweep__when_one_left_mint_needs_what_is_unreadable__then_the_others_end_by_their_tokens(
    harness: Harness,
) -> None:
    harness.store = store = Spoiled()
    for sender in range(3):
        intent = mint_intent(0, sender=sender)
        intent = intent.evolve(voucher=intent.voucher.evolve(token_id=sender + 1))
        transfer = harness.redeemed(intent, block=1)
        harness.built(
            intent,
            custody="self",
            sender=None,
            nonce=None,
            status=MintStatus.MINED,
            tx_hash=transfer.tx_hash,
            block_number=1,
            block_hash=transfer.block_hash,
        )
        harness.chain.mine()
        store.mintings[transfer.contract, transfer.token_id] = transfer
    store.spoiled = "mint_1_0"
    harness.finalize()
    await harness.sweep(after=600)
    ended = {mint_id for mint_id, mint in store.mints.items() if mint.status is MintStatus.FINALIZED}
    assert ended == {"mint_0_0", "mint_2_0"}


async def test_sweep__when_one_mint_of_a_sender_cannot_be_written__then_the_senders_others_are_looked_after(
    harness: Harness,
) -> None:
    harness.store = store = Spoiled()
    for nonce in range(3):
        intent = mint_intent(nonce)
        harness.built(intent)
        await harness.broadcast(intent)
    store.spoiled = "mint_0_0"
    store.signed.clear()
    with capture_logs() as lines:
        await harness.sweep(after=60)
    assert {message.nonce for message in await harness.sent_to(SIGN)} == {1, 2}
    unusable = f"31337#{mint_intent(0).signer.address}/0"
    assert [line["key"] for line in lines if line["event"] == "record_set_aside"] == [unusable]
    assert not [line for line in lines if line["event"] == "sender_not_watched"]


class OneItem:
    """A table with one item, whatever it is asked for."""

    def __init__(self, item: Item) -> None:
        self.item = item

    async def get(self, _table: Any, _key: Item) -> Item | None:
        return self.item


@pytest.mark.parametrize("spoiled", ["finalized_number", "finalized_timestamp", "finalized_hash"])
@pytest.mark.parametrize("value", ["elsewhere", None])
async def test_final__when_the_checkpoint_is_not_valid__then_unavailable_and_it_is_named(
    spoiled: str, value: str | None
) -> None:
    item: Item = {
        "finalized_number": 7,
        "finalized_timestamp": 9,
        "finalized_hash": "0x" + "0a" * 32,
    }
    table: Any = OneItem(item)
    store = DynamoTransactionStore(table, chain_id=31337)
    assert await store.final() == Final(7, 9, b"\x0a" * 32)
    item[spoiled] = value
    with pytest.raises(Unavailable, match=f"checkpoints 31337 is not valid: .*{spoiled}"):
        await store.final()


class UnreadableMints(MemoryTransactionStore):
    """A store of which some mints cannot be read."""

    unreadable: frozenset[str] = frozenset()

    async def operations(self, ids: Iterable[str]) -> dict[str, Operation]:
        operations = await super().operations(ids)
        return {mint_id: mint for mint_id, mint in operations.items() if mint_id not in self.unreadable}


@pytest.mark.parametrize("repaired_after", [0, 90, 299, 301, 5_000])
async def test_mined__when_it_was_unreadable_while_its_block_became_final__then_it_heals_after_the_repair(
    harness: Harness, repaired_after: int
) -> None:
    harness.store = store = UnreadableMints()
    transfer = harness.redeemed(mint_intent(), block=8)
    place = {"tx_hash": transfer.tx_hash, "block_number": 8, "block_hash": transfer.block_hash}
    # Of a custodial mint its transaction is made final, whatever its own record is like.
    place |= {"custody": "self", "sender": None, "nonce": None}
    mint = harness.built(
        mint_intent(), status=MintStatus.MINED, created_at=harness.now, updated_at=harness.now, **place
    )
    store.indexed = Final(8, 8)
    store.unreadable = frozenset({mint.mint_id})
    sweeper, start = harness.sweeper(), harness.now
    while harness.mint(mint_intent()).status is MintStatus.MINED:
        seconds = (harness.now - start) // 1000
        assert seconds <= max(repaired_after, RESTING_SECONDS) + RESTING_SECONDS
        if seconds >= repaired_after:
            store.unreadable = frozenset()
        await sweeper.sweep()
        harness.now += 5_000
    assert harness.mint(mint_intent()).status is MintStatus.FINALIZED
