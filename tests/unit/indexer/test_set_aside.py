"""One item that cannot be written, or read, stops neither its block nor the index."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from mintline.aws.dynamo import ConditionFailed, Item, Value, encode_item
from mintline.aws.records import to_item
from mintline.chain.rpc import RpcError
from mintline.errors import Unavailable, Unwritable
from mintline.records.collections import Collection
from mintline.records.index import Token
from mintline.records.transactions import TransactionKey
from mintline.resources import TOKENS
from mintline.set_aside import SetAside
from mintline.states import MintStatus
from mintline_indexer.dynamo_collections import DynamoCollectionRegistry
from mintline_indexer.dynamo_store import DynamoStore
from mintline_indexer.node_chain import NodeChain
from mintline_indexer.store_port import Refused, TokenKey, Write
from mintline_indexer.writes import Name
from mintline_testkit.chain import Move, Sent
from mintline_testkit.constants import CONTRACT
from mintline_testkit.indexer.harness import Harness
from mintline_testkit.indexer.store import MemoryStore

ALICE, BOB = "0x" + "2" * 40, "0x" + "3" * 40
REASON = "UpdateItem: Item size to update has exceeded the maximum allowed size"


@dataclass(slots=True)
class PoisonedStore(MemoryStore):
    """Refuses whatever changes some mint's outcome or token."""

    bad_mint: str | None = None
    """Also the transaction that carries it is bad."""
    bad_token: int | None = None
    unreadable: bool = False
    """Whether the bad token cannot even be read."""
    writes: list[Write] = field(default_factory=list)

    async def write(self, write: Write, *, fence: int, at: int) -> Refused:
        unusable: dict[Name, str] = {}
        for name in write.names():
            carried = self.transaction_table[name].operations if isinstance(name, TransactionKey) else ()
            bad_token = isinstance(name, TokenKey) and name.token_id == self.bad_token
            if name == self.bad_mint or self.bad_mint in carried or bad_token:
                unusable[name] = REASON
        left = write.only(set(write.names()) - unusable.keys())
        refused = await super(PoisonedStore, self).write(left, fence=fence, at=at)
        self.writes.append(left)
        return Refused(refused.assumed, unusable)

    async def tokens(self, keys: Sequence[TokenKey]) -> dict[TokenKey, Token | None]:
        tokens = await super(PoisonedStore, self).tokens(keys)
        if self.unreadable:
            tokens = {key: token for key, token in tokens.items() if key.token_id != self.bad_token}
        return tokens


async def follow(harness: Harness, store: MemoryStore) -> None:
    harness.store = store
    indexer = harness.start("writer")
    while await indexer.poll():
        pass


def poisoned(harness: Harness, **options: Any) -> PoisonedStore:
    store = PoisonedStore(**options)
    harness.store = store
    for number in range(1, 4):
        harness.record(f"mint_{number}", MintStatus.SUBMITTED)
    return store


def statuses(harness: Harness) -> dict[str, MintStatus]:
    return {mint_id: harness.stands(mint_id).status for mint_id in harness.store.mint_table}


@pytest.mark.parametrize(
    ("custody", "table", "key"),
    [("custodial", "transactions", f"1#{ALICE}/1"), ("self", "mints", "mint_2")],
)
async def test_block__when_one_mints_outcome_cannot_be_written__then_all_else_is(
    harness: Harness, custody: str, table: str, key: str
) -> None:
    store = poisoned(harness, bad_mint="mint_2")
    if custody == "self":
        own = {"custody": "self", "sender": None, "nonce": None, "status": MintStatus.SUBMITTED}
        store.mint_table = {mint_id: mint.evolve(**own) for mint_id, mint in store.mint_table.items()}
    harness.chain.mine([harness.mint(number, mint_id=f"mint_{number}") for number in range(1, 4)])
    harness.chain.mine([harness.mint(9)])
    with capture_logs() as lines:
        await follow(harness, store)
    assert store.progress is not None
    assert store.progress.head.number == 2
    assert harness.token_ids() == {1, 2, 3, 9}
    assert len(store.transfer_table) == 4
    assert statuses(harness) == {
        "mint_1": MintStatus.MINED,
        "mint_2": MintStatus.SUBMITTED,
        "mint_3": MintStatus.MINED,
    }
    [aside] = store.aside_table.values()
    assert (aside.table, aside.key, aside.block_number) == (table, key, 1)
    assert aside.reason == REASON
    entries = [line for line in lines if line["event"] == "record_set_aside"]
    assert [(line["table"], line["key"]) for line in entries] == [(table, key)]


async def test_block__when_one_token_cannot_be_written__then_all_else_is(harness: Harness) -> None:
    store = poisoned(harness, bad_token=2)
    harness.chain.mine([harness.mint(number, mint_id=f"mint_{number}") for number in range(1, 4)])
    await follow(harness, store)
    assert harness.token_ids() == {1, 3}
    assert {status for key, status in statuses(harness).items() if key != "mint_2"} == {MintStatus.MINED}
    assert {aside.table for aside in store.aside_table.values()} == {"tokens"}
    assert len(store.transfer_table) == 3


async def test_block__when_a_token_is_unreadable__then_it_is_left_and_its_transfer_is_written(
    harness: Harness,
) -> None:
    store = poisoned(harness)
    harness.chain.mine([harness.mint(1), harness.mint(2)])
    await follow(harness, store)
    before = store.token_table[TokenKey(CONTRACT, 2)]
    store.bad_token, store.unreadable = 2, True
    moves = tuple(Move(CONTRACT, number, ALICE, BOB) for number in (1, 2))
    harness.chain.mine([Sent(b"\x0f" * 32, CONTRACT, moves)])
    await follow(harness, store)
    assert store.token_table[TokenKey(CONTRACT, 1)].owner == BOB
    assert store.token_table[TokenKey(CONTRACT, 2)] == before
    assert len(store.transfer_table) == 4
    [aside] = store.aside_table.values()
    assert (aside.table, aside.key) == ("tokens", f"{CONTRACT}/2")


async def test_reorg__when_something_of_its_block_was_set_aside__then_that_is_undone_too(
    harness: Harness,
) -> None:
    store = poisoned(harness, bad_mint="mint_2")
    harness.chain.mine()
    harness.chain.mine([harness.mint(number, mint_id=f"mint_{number}") for number in range(1, 4)])
    await follow(harness, store)
    assert len(store.aside_table) == 1
    harness.chain.drop(1)
    harness.chain.mine()
    harness.chain.mine()
    await follow(harness, store)
    assert store.aside_table == {}
    assert harness.token_ids() == set()
    assert set(statuses(harness).values()) == {MintStatus.SUBMITTED}


async def test_writers__when_they_meet_the_same_item__then_they_set_the_same_aside(harness: Harness) -> None:
    asides: list[Any] = []
    for harness.rows_at_once in (1, 100):
        store = poisoned(harness, bad_mint="mint_2")
        sent = [harness.mint(number, mint_id=f"mint_{number}") for number in range(1, 4)]
        if not asides:
            harness.chain.mine(sent)
        await follow(harness, store)
        asides.append((store.aside_table, store.token_table, store.transfer_table))
    assert asides[0] == asides[1]


async def test_block__when_its_undo_record_cannot_be_written__then_nothing_of_it_is(
    harness: Harness,
) -> None:
    class Broken(MemoryStore):
        async def keep_undo(self, *_: Any, **__: Any) -> None:
            raise Unwritable(REASON)

    store = Broken()
    harness.chain.mine([harness.mint(1)])
    with pytest.raises(Unwritable):
        await follow(harness, store)
    assert store.token_table == {}
    assert store.aside_table == {}


async def test_block__when_the_table_is_unwell__then_nothing_is_set_aside(harness: Harness) -> None:
    class Unwell(MemoryStore):
        async def write(self, write: Write, *, fence: int, at: int) -> Refused:
            if write.tokens:
                raise Unavailable("dynamodb")
            return await super().write(write, fence=fence, at=at)

    store = Unwell()
    harness.chain.mine([harness.mint(1)])
    with pytest.raises(Unavailable):
        await follow(harness, store)
    assert store.aside_table == {}


class Tables:
    """As much of DynamoDB as the store takes: items by key, of which some cannot be written."""

    def __init__(self, items: dict[str, Item], bad: str = "", moved: str = "") -> None:
        self.items = items
        self.bad = bad
        self.moved = moved
        """The mint whose condition fails."""
        self.written: list[str] = []

    async def get(self, _table: Any, key: Item) -> Item | None:
        return self.items.get(str(key.get("nonce", next(iter(key.values())))))

    async def get_each(self, table: Any, keys: Sequence[Item]) -> list[Item | None]:
        return [await self.get(table, key) for key in keys]

    async def write(self, update: Any) -> None:
        mint_id = str(update.key.get("mint_id", update.key.get("nonce")))
        if mint_id == self.bad:
            raise Unwritable(REASON)
        if mint_id == self.moved:
            raise ConditionFailed(update, self.items[mint_id])
        self.written.append(mint_id)

    async def write_each(self, changes: Sequence[Any]) -> list[Any]:
        return [Unwritable(REASON) if change.table is TOKENS else None for change in changes]


async def test_finalize__when_one_mint_cannot_be_written__then_the_others_are_finalized() -> None:
    tables: Any = Tables({}, bad="mint_2")
    store = DynamoStore(tables, chain_id=1, set_aside=SetAside())
    with capture_logs() as lines:
        refused = await store.finalize(["mint_1", "mint_2", "mint_3"], at=1)
    assert refused == {"mint_2": None}
    assert tables.written == ["mint_1", "mint_3"]
    assert [line["key"] for line in lines if line["event"] == "record_set_aside"] == ["mint_2"]


@pytest.mark.parametrize("status", ["elsewhere", 7, None])
async def test_finalize__when_one_mint_has_no_readable_status__then_the_others_are_finalized(
    status: Value,
) -> None:
    tables: Any = Tables({"mint_2": {"mint_id": "mint_2", "status": status}}, moved="mint_2")
    store = DynamoStore(tables, chain_id=1, set_aside=SetAside())
    with capture_logs() as lines:
        refused = await store.finalize(["mint_1", "mint_2", "mint_3"], at=1)
    assert refused == {"mint_2": None}
    assert tables.written == ["mint_1", "mint_3"]
    assert [line["key"] for line in lines if line["event"] == "record_set_aside"] == ["mint_2"]


PLACES = [TransactionKey(f"1#{ALICE}", nonce) for nonce in range(3)]


@pytest.mark.parametrize("state", ["elsewhere", 7, None])
async def test_finality__when_one_transaction_cannot_be_written_or_read__then_the_others_are_final(
    state: Value,
) -> None:
    broken: Any = Tables({}, bad="1")
    damaged: Any = Tables({"1": {"sender_id": PLACES[1].sender_id, "nonce": 1, "state": state}}, moved="1")
    for tables in (broken, damaged):
        store = DynamoStore(tables, chain_id=1, set_aside=SetAside())
        with capture_logs() as lines:
            refused = await store.finalize_transactions(PLACES, at=1)
        assert refused == {PLACES[1]: None}
        assert tables.written == ["0", "2"]
        entries = [(line["table"], line["key"]) for line in lines if line["event"] == "record_set_aside"]
        assert entries == [("transactions", f"1#{ALICE}/1")]


async def test_transactions__when_one_is_unreadable__then_it_alone_is_missing(harness: Harness) -> None:
    for number in range(3):
        harness.record(f"mint_{number}", MintStatus.SUBMITTED)
    items = {
        str(place.nonce): to_item(transaction)
        for place, transaction in harness.store.transaction_table.items()
    }
    items["1"]["state"] = "elsewhere"
    tables: Any = Tables(items)
    store = DynamoStore(tables, chain_id=1, set_aside=SetAside())
    assert set(await store.transactions(PLACES)) == {PLACES[0], PLACES[2]}


async def test_mints__when_one_is_unreadable__then_it_alone_is_missing(harness: Harness) -> None:
    for number in range(3):
        harness.record(f"mint_{number}", MintStatus.SUBMITTED)
    items = {mint_id: to_item(mint) for mint_id, mint in harness.store.mint_table.items()}
    items["mint_1"]["status"] = "elsewhere"
    tables: Any = Tables(items)
    store = DynamoStore(tables, chain_id=1, set_aside=SetAside())
    assert set(await store.operations(["mint_0", "mint_1", "mint_2"])) == {"mint_0", "mint_2"}


async def test_write__when_dynamodb_refuses_an_item__then_it_is_named(harness: Harness) -> None:
    harness.record("mint_1", MintStatus.SUBMITTED)
    harness.chain.mine([harness.mint(1, mint_id="mint_1")])
    seen = poisoned(harness)
    harness.sign((1).to_bytes(32, "big"), "mint_1")
    await follow(harness, seen)
    [write] = [write for write in seen.writes if write.tokens]
    tables: Any = Tables({})
    refused = await DynamoStore(tables, chain_id=1).write(write, fence=1, at=1)
    assert refused == Refused(unusable={TokenKey(CONTRACT, 1): REASON})


class Node:
    """A node that has one failed transaction, whose call reverts with 300 kB."""

    async def call(self, method: str, _params: Sequence[Any], **_: Any) -> Any:
        if method == "eth_getTransactionReceipt":
            return {
                "transactionHash": "0x" + "01" * 32,
                "status": "0x0",
                "blockNumber": "0x1",
                "blockHash": "0x" + "02" * 32,
                "gasUsed": "0x1",
            }
        if method == "eth_getTransactionByHash":
            return {"gas": "0x100", "from": ALICE, "to": BOB, "input": "0x"}
        raise RpcError(3, "execution reverted", "0x" + "ff" * 300_000)


async def test_outcome__when_the_contract_reverts_with_much__then_its_reason_is_bounded() -> None:
    from mintline.chain.node import Node as ChainNode

    rpc: Any = Node()
    outcome = await NodeChain(ChainNode(rpc), rpc).outcome(b"\x01" * 32)
    assert outcome is not None
    assert outcome.problem is not None
    assert outcome.problem.code == "reverted"
    assert len(outcome.problem.reason) <= 1000


class ScannedOnce:
    """A DynamoDB client whose scan has one page."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.page = {"Items": [encode_item(item) for item in items]}

    def get_paginator(self, _operation: str) -> ScannedOnce:
        return self

    async def paginate(self, **_arguments: object) -> AsyncIterator[dict[str, Any]]:
        yield self.page


async def test_collections__when_a_counter_is_damaged__then_its_contract_is_indexed_all_the_same() -> None:
    item = to_item(
        Collection(
            collection_id="c",
            chain_id=1,
            contract=CONTRACT,
            name="n",
            symbol="s",
            deployed_block=7,
            next_token_id=3,
        )
    )
    client: Any = ScannedOnce([item | {"next_token_id": "three"}, item | {"contract": "nowhere"}])
    with capture_logs() as lines:
        known = await DynamoCollectionRegistry(client, prefix="p", chain_id=1, set_aside=SetAside()).known(
            finalized=0
        )
    assert known == {item["contract"]: 7}
    assert [line["table"] for line in lines] == ["collections"]
