"""The tables of the version before, over DynamoDB, brought to this version's form."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mintline.aws.dynamo import Delete, Dynamo, Item, Put
from mintline.aws.records import from_item, row_place, token_place
from mintline.aws.session import AwsCalls, open_client
from mintline.clock import unix_ms
from mintline.errors import Unavailable
from mintline.eth import to_checksum_address
from mintline.messages.parts import KeyRef
from mintline.query_keys import token_query_keys, transfer_query_keys
from mintline.records.index import Token, Transfer
from mintline.records.keys import block_shard, token_key, token_ref
from mintline.resources import (
    ACCOUNTS,
    ATTEMPTS,
    BLOCKS,
    CHECKPOINTS,
    FOLLOWED,
    MINTS,
    TOKENS,
    TOKENS_BY_COLLECTION,
    TRANSFERS,
)
from mintline.settings import ServiceSettings
from mintline_indexer.dynamo_items import token_item, transfer_item
from mintline_indexer.dynamo_store import DynamoStore
from mintline_indexer.index_writer import IndexWriter
from mintline_indexer.metrics import Metrics
from mintline_indexer.store_port import Damaged, Mixed, PriorToken, TokenKey, UndoRecord
from mintline_indexer.undo_records import linked
from mintline_ops import index_migrations, migration_tables
from mintline_ops.migrations import STEPS, migrate
from mintline_testkit.constants import CHAIN_ID

pytestmark = pytest.mark.integration

CONTRACT, OTHER = (to_checksum_address(bytes([n]) * 20) for n in (0xC0, 0xC1))
OWNER = to_checksum_address(b"\x11" * 20)
HASH = b"\x07" * 32
RECORD: Item = {"chain": "migrations"}
TREASURY = KeyRef(
    address=to_checksum_address(b"\x22" * 20),
    subject="platform:treasury",
    chain_id=CHAIN_ID,
    secret_id="treasury",
)


@dataclass
class OldState:
    """A deployment's tables as the version before left them."""

    dynamo: Dynamo

    async def checkpoint(self, **changes: Any) -> Item:
        """Write the checkpoint, with the contracts in it."""
        item: Item = {
            "chain": str(CHAIN_ID),
            "head_number": 9,
            "head_hash": "0x" + HASH.hex(),
            "head_timestamp": 9,
            "finalized_number": 5,
            "finalized_hash": "0x" + HASH.hex(),
            "finalized_timestamp": 5,
            "updated_at": 1,
            "revision": 40,
            "writer": "w",
            "collections": [CONTRACT],
            "backfills": {OTHER: 3},
            **changes,
        }
        await self.dynamo.write(Put(CHECKPOINTS, item))
        return item

    async def token(self, token_id: int, owner: str | None = OWNER) -> Token:
        """Write a token under its collection."""
        token = Token(
            chain_id=CHAIN_ID,
            contract=CONTRACT,
            token_id=token_id,
            owner=owner,
            metadata_digest=HASH,
            mint_id=None,
            minted_block=5,
            block_number=5,
            tx_hash=HASH,
        )
        later = ("token_ref", *token_query_keys(token))
        item = {name: value for name, value in token_item(token).items() if name not in later}
        key: Item = {"collection_id": f"{CHAIN_ID}#{CONTRACT}", "token_key": token_key(token_id)}
        await self.dynamo.write(Put(TOKENS_BY_COLLECTION, item | key))
        return token

    async def transfer(self, token_id: int) -> Transfer:
        """Write a transfer without the keys of the indexes that came later."""
        transfer = Transfer(
            chain_id=CHAIN_ID,
            contract=CONTRACT,
            token_id=token_id,
            sender=None,
            recipient=OWNER,
            block_number=5,
            block_hash=HASH,
            log_index=token_id,
            tx_hash=HASH,
            timestamp=1_000,
        )
        later = transfer_query_keys(transfer)
        item = {name: value for name, value in transfer_item(transfer).items() if name not in later}
        await self.dynamo.write(Put(TRANSFERS, item))
        return transfer

    async def undo_record(self, number: int) -> UndoRecord:
        """Write a block's undo record into the chain's one partition."""
        fields: dict[str, Any] = {"number": number, "timestamp": 1, "parent": (number - 1, HASH, 1)}
        undo_record = UndoRecord(
            position=f"{number:012d}#000000", hash=HASH, first=0, complete=True, **fields
        )
        item: Item = undo_record.model_dump(mode="json")
        await self.dynamo.write(Put(BLOCKS, item | {"chain": str(CHAIN_ID)}))
        return undo_record


@pytest.fixture
async def before(aws_settings: ServiceSettings, aws_prefix: str) -> AsyncIterator[OldState]:
    async with AsyncExitStack() as stack:
        client = await open_client(stack, "dynamodb", aws_settings, calls=AwsCalls())
        name = TOKENS_BY_COLLECTION.table_name(aws_prefix)
        await client.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "collection_id", "AttributeType": "S"},
                {"AttributeName": "token_key", "AttributeType": "S"},
            ],
            KeySchema=[
                {"AttributeName": "collection_id", "KeyType": "HASH"},
                {"AttributeName": "token_key", "KeyType": "RANGE"},
            ],
        )
        dynamo = Dynamo(client, aws_prefix)
        stack.push_async_callback(dynamo.aclose)
        yield OldState(dynamo)
        await client.delete_table(TableName=name)


async def test_migrate__when_the_tables_are_of_the_version_before__then_the_index_reads_as_it_was(
    before: OldState,
) -> None:
    await before.checkpoint()
    tokens = [await before.token(1), await before.token(2**200), await before.token(3, owner=None)]
    undo_records = [await before.undo_record(number) for number in range(6, 10)]
    aside: Item = {"chain": f"{CHAIN_ID}#set-aside", "position": "p", "table": "mints"}
    await before.dynamo.write(Put(BLOCKS, aside))
    await before.dynamo.write(Put(MINTS, {"mint_id": "m1", "block_number": 5}))
    await before.dynamo.write(Put(MINTS, {"mint_id": "m2", "status": "accepted"}))
    transfers = [await before.transfer(token_id) for token_id in (1, 3)]
    damaged = Put(TRANSFERS, {"token_ref": "damaged", "position": "p", "sender": "0x"})
    await before.dynamo.write(damaged)

    done = await migrate(before.dynamo, treasury=TREASURY)
    assert [step.items for step in done] == [2, 3, 4, 1, 1, 0, 0, 0, 5, 2, 2]
    store = DynamoStore(before.dynamo, chain_id=CHAIN_ID)
    progress = await store.load()
    assert progress is not None
    assert (progress.revision, progress.head.number, progress.writer) == (42, 9, "w")
    assert (progress.collections, progress.backfills) == ((CONTRACT,), {OTHER: 3})
    keys = [TokenKey(token.contract, token.token_id) for token in tokens]
    assert await store.tokens(keys) == dict(zip(keys, tokens, strict=True))
    owned = await before.dynamo.query(
        TOKENS, index=TOKENS.index("by_owner"), partition=f"{CHAIN_ID}#{OWNER}", limit=9
    )
    assert [item["token_id"] for item in owned.items] == ["1", str(2**200)]
    stored = await store.undo_records()
    assert stored == linked_to(undo_records)
    assert linked(stored, progress.tail, above=progress.finalized.number) == stored
    assert (
        await before.dynamo.get(BLOCKS, {"chain": str(CHAIN_ID), "position": undo_records[0].position})
        is None
    )
    assert await before.dynamo.get(BLOCKS, {"chain": f"{CHAIN_ID}#set-aside", "position": "p"}) == aside
    in_block = await before.dynamo.query(
        MINTS, index=MINTS.index("in_block"), partition=block_shard(5, "m1"), limit=9
    )
    assert [item["mint_id"] for item in in_block.items] == ["m1"]
    for shard in {token_query_keys(token)["holder_shard"] for token in tokens if token.owner}:
        held = await before.dynamo.query(TOKENS, index=TOKENS.index("by_holder"), partition=shard, limit=9)
        assert [item["token_ref"] for item in held.items] == [
            token_ref(CHAIN_ID, CONTRACT, token_id) for token_id in (1, 2**200)
        ]
    got = await before.dynamo.query(
        TRANSFERS, index=TRANSFERS.index("by_recipient"), partition=f"{CHAIN_ID}#{OWNER}", limit=9
    )
    assert [from_item(Transfer, item) for item in got.items] == transfers


def linked_to(undo_records: list[UndoRecord]) -> list[UndoRecord]:
    """Return undo records as they are once each names the one before."""
    before = ["", *(undo_record.position for undo_record in undo_records[:-1])]
    pairs = zip(undo_records, before, strict=True)
    return [undo_record.evolve(previous=position) for undo_record, position in pairs]


async def test_migrate__when_a_block_was_written_in_part__then_that_part_is_taken_back(
    before: OldState,
) -> None:
    """As version 2 of the tables has it: what is before effect 90 of block 10 is written."""
    partial: Item = {"number": 10, "hash": "0x" + HASH.hex(), "next": 90}
    await before.checkpoint(layout=2, partial=partial)
    undo_records = [await before.undo_record(number) for number in (8, 9)]
    for undo_record in undo_records:
        item: Item = undo_record.model_dump(mode="json")
        await before.dynamo.write(Put(BLOCKS, item | row_place(CHAIN_ID, undo_record.position)))
        await before.dynamo.write(Delete(BLOCKS, {"chain": str(CHAIN_ID), "position": undo_record.position}))
    part = undo_records[0].evolve(
        position="000000000010#000000",
        number=10,
        complete=False,
        tokens=(PriorToken(contract=CONTRACT, token_id=1, token=None),),
    )
    await before.dynamo.write(Put(BLOCKS, part.model_dump(mode="json") | row_place(CHAIN_ID, part.position)))
    token = (await before.token(1)).evolve(minted_block=10)
    await before.dynamo.write(Put(TOKENS, token_item(token)))
    await before.dynamo.write(Put(CHECKPOINTS, RECORD | {"done": 8}))

    done, *_ = await migrate(before.dynamo, treasury=TREASURY)
    assert (done.number, done.items) == (9, 4)
    store = DynamoStore(before.dynamo, chain_id=CHAIN_ID)
    progress = await store.load()
    assert progress is not None
    assert progress.mixed == Mixed(10, HASH, part.position)
    assert progress.tail == undo_records[1].position
    index_writer = await IndexWriter.open(
        store=store, progress=progress, metrics=Metrics(CollectorRegistry()), now=unix_ms
    )
    await index_writer.take_back_mixed()
    assert (index_writer.progress.mixed, index_writer.head.number) == (None, 9)
    assert await store.tokens([TokenKey(CONTRACT, 1)]) == {TokenKey(CONTRACT, 1): None}
    assert [undo_record.number for undo_record in await store.undo_records()] == [8, 9]


async def test_migrate__when_it_is_repeated__then_nothing_is_written_again(before: OldState) -> None:
    await before.checkpoint()
    token = await before.token(1)
    await migrate(before.dynamo, treasury=TREASURY)
    moved = token.evolve(owner=None)
    await before.dynamo.write(Put(TOKENS, token_item(moved)))
    assert await migrate(before.dynamo, treasury=TREASURY) == []
    assert await DynamoStore(before.dynamo, chain_id=CHAIN_ID).tokens([TokenKey(CONTRACT, 1)]) == {
        TokenKey(CONTRACT, 1): moved
    }


@pytest.mark.parametrize("broken", range(len(STEPS)))
async def test_migrate__when_a_step_is_interrupted__then_the_next_run_goes_on_from_there(
    before: OldState, monkeypatch: pytest.MonkeyPatch, broken: int
) -> None:
    for module in (index_migrations, migration_tables):
        monkeypatch.setattr(module, "PAGE", 1)
    await before.checkpoint()
    tokens = [await before.token(token_id) for token_id in range(4)]
    undo_records = [await before.undo_record(number) for number in range(6, 10)]
    for number in range(3):
        await before.dynamo.write(Put(MINTS, {"mint_id": f"m{number}", "block_number": 5}))
        await before.dynamo.write(Put(ACCOUNTS, {"account_id": f"{CHAIN_ID}#{number}"}))
        await before.dynamo.write(Put(ATTEMPTS, {"tx_hash": f"0x{number}"}))
        await before.transfer(number)
    writes = 0
    write = before.dynamo.write

    async def failing(change: Any) -> None:
        nonlocal writes
        record = await before.dynamo.get(CHECKPOINTS, RECORD) or {}
        if record.get("done", 0) == broken:
            writes += 1
            if writes == 2:
                raise Unavailable("interrupted")
        await write(change)

    store = DynamoStore(before.dynamo, chain_id=CHAIN_ID)
    with monkeypatch.context() as patched:
        patched.setattr(before.dynamo, "write", failing)
        with pytest.raises(Unavailable):
            await migrate(before.dynamo, treasury=TREASURY)
    if broken < [name for name, _ in STEPS].index("undo records"):
        with pytest.raises(Damaged, match="operator migrate"):
            await store.load()

    assert [step.number for step in await migrate(before.dynamo, treasury=TREASURY)] == [
        *range(broken + 1, len(STEPS) + 1)
    ]
    progress = await store.load()
    assert progress is not None
    assert (progress.collections, progress.backfills) == ((CONTRACT,), {OTHER: 3})
    assert list((await store.tokens([TokenKey(CONTRACT, n) for n in range(4)])).values()) == tokens
    assert await store.undo_records() == linked_to(undo_records)


async def test_migrate__when_an_indexer_writes_meanwhile__then_it_stops_before_it_changed_anything(
    before: OldState, monkeypatch: pytest.MonkeyPatch
) -> None:
    await before.checkpoint()
    await before.token(1)
    scan = before.dynamo.scan

    async def overtaken(*arguments: Any, **options: Any) -> Any:
        page = await scan(*arguments, **options)
        await before.checkpoint(revision=41)
        return page

    with monkeypatch.context() as patched:
        patched.setattr(before.dynamo, "scan", overtaken)
        with pytest.raises(Unavailable, match=f"the index of chain {CHAIN_ID} is being written"):
            await migrate(before.dynamo, treasury=TREASURY)
    assert await before.dynamo.get(TOKENS, token_place(CHAIN_ID, CONTRACT, 1)) is None
    assert len(await migrate(before.dynamo, treasury=TREASURY)) == len(STEPS)


async def test_migrate__when_the_deployment_is_new__then_there_is_nothing_to_move(
    aws_settings: ServiceSettings, aws_prefix: str
) -> None:
    async with AsyncExitStack() as stack:
        dynamo = Dynamo(await open_client(stack, "dynamodb", aws_settings, calls=AwsCalls()), aws_prefix)
        stack.push_async_callback(dynamo.aclose)
        assert [step.items for step in await migrate(dynamo, treasury=TREASURY)] == [0] * len(STEPS)
        assert (await dynamo.query(FOLLOWED, partition=str(CHAIN_ID), limit=9)).items == []
        place = row_place(CHAIN_ID, "000000000005#000000")
        assert await dynamo.get(BLOCKS, place) is None


async def test_migrate__when_the_checkpoint_is_gone__then_no_old_token_or_undo_record_comes_back(
    before: OldState,
) -> None:
    await before.checkpoint()
    await before.token(1)
    undo_record = await before.undo_record(6)
    for chain in (str(CHAIN_ID), "migrations"):
        await before.dynamo.write(Delete(CHECKPOINTS, {"chain": chain}))
    assert [step.items for step in await migrate(before.dynamo, treasury=TREASURY)] == [0] * len(STEPS)
    assert await before.dynamo.get(TOKENS, token_place(CHAIN_ID, CONTRACT, 1)) is None
    assert await before.dynamo.get(BLOCKS, row_place(CHAIN_ID, undo_record.position)) is None


def test_steps__when_counted__then_none_is_missing_or_changed() -> None:
    names = [name for name, _ in STEPS]
    assert names[:5] == ["contracts", "tokens", "blocks", "mints", "layout"]
    assert names[5:9] == ["open mints", "top-ups", "attempts", "undo records"]
