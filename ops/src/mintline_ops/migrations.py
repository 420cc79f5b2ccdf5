"""Brings the tables of an earlier version to the form that this version reads, by numbered steps.

Which steps are done, and how far one has come, is an item of CHECKPOINTS; a step that is interrupted goes on
from there, and may repeat what it did last. No service may run meanwhile. An indexer that does is stopped by
the first step, which makes the checkpoint unreadable to the version before; this version's indexer refuses
the tables until the step that gives the checkpoint its layout.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from mintline.aws.dynamo import Clause, ConditionFailed, Delete, Dynamo, Item, Put, Update
from mintline.aws.records import IN_BLOCK, from_item, row_place
from mintline.errors import Unavailable, Unreadable
from mintline.messages.parts import KeyRef
from mintline.query_keys import token_query_keys, transfer_query_keys
from mintline.records.index import Token, Transfer
from mintline.records.keys import block_shard, row_shards
from mintline.resource_types import Table
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
from mintline_indexer.dynamo_items import place_item
from mintline_ops.transaction_migration import move_mint, record_attempt, record_top_up

PAGE = 500
"""Items that are read, and written, between two notes of how far a step has come."""

_RECORD: Item = {"chain": "migrations"}


@dataclass(frozen=True, slots=True)
class Migrated:
    """A step that was carried out, and how many items it wrote."""

    number: int
    name: str
    items: int


class _Tables:
    """The tables, and the record of the step in hand."""

    def __init__(self, dynamo: Dynamo, record: Item, treasury: KeyRef) -> None:
        self.dynamo = dynamo
        self.treasury = treasury
        self._record = record

    async def pages(self, table: Table, move: Callable[[Sequence[Item]], Awaitable[int]]) -> int:
        """Hand a table to `move` by pages, from where an interrupted step stood; return how many it moved."""
        moved = 0
        while True:
            start = self._record.get("after")
            page = await self.dynamo.scan(table, limit=PAGE, start=start if isinstance(start, dict) else None)
            moved += await move(page.items)
            if page.next is None:
                return moved
            await self.note({**self._record, "after": page.next})

    async def note(self, record: Item) -> None:
        """Record how far the steps have come."""
        self._record = record
        await self.dynamo.write(Put(CHECKPOINTS, _RECORD | record))


Step = Callable[[_Tables], Awaitable[int]]


async def migrate(dynamo: Dynamo, *, treasury: KeyRef) -> list[Migrated]:
    """Carry out the steps that are not done yet, in their order, and return them.

    `treasury` is the key that signs top-ups: earlier versions noted no more of it than its address.
    Raises Unavailable when an indexer writes meanwhile.
    """
    found = await dynamo.get(CHECKPOINTS, _RECORD) or {}
    record = {name: value for name, value in found.items() if name not in _RECORD}
    done = record.get("done", 0)
    assert isinstance(done, int)
    tables = _Tables(dynamo, record, treasury)
    migrated = []
    for number, (name, step) in enumerate(STEPS, start=1):
        if number > done:
            migrated.append(Migrated(number, name, await step(tables)))
            await tables.note({"done": number})
    return migrated


async def _give_contracts_items(tables: _Tables) -> int:
    """Take the contracts out of each chain's checkpoint; who wrote it before cannot read it any more."""

    async def move(items: Sequence[Item]) -> int:
        moved = 0
        for item in items:
            chain, revision = str(item["chain"]), item.get("revision")
            followed, backfills = item.get("collections"), item.get("backfills")
            if not isinstance(revision, int) or not isinstance(followed, list):
                continue
            waiting = backfills if isinstance(backfills, dict) else {}
            places = [place_item(chain, str(contract), None, index="") for contract in followed]
            places += [
                place_item(chain, name, n, index="") for name, n in waiting.items() if isinstance(n, int)
            ]
            await asyncio.gather(*(tables.dynamo.write(Put(FOLLOWED, place)) for place in places))
            await _take_contracts_out(tables.dynamo, chain, revision)
            moved += len(places)
        return moved

    return await tables.pages(CHECKPOINTS, move)


async def _take_contracts_out(dynamo: Dynamo, chain: str, revision: int) -> None:
    unmoved = Clause("last_revision", "revision", "eq", (revision,))
    update = Update(
        CHECKPOINTS,
        {"chain": chain},
        set={"revision": revision + 1, "layout": 1},
        remove=("collections", "backfills"),
        where=(unmoved,),
    )
    try:
        await dynamo.write(update)
    except ConditionFailed:
        raise Unavailable(f"the index of chain {chain} is being written: stop its indexers first") from None


async def _chains_before(dynamo: Dynamo) -> set[str]:
    """Return the chains whose index is in the form before; one without a checkpoint is built again."""
    chains: set[str] = set()
    start: Item | None = None
    while True:
        page = await dynamo.scan(CHECKPOINTS, limit=PAGE, start=start)
        chains |= {str(item["chain"]) for item in page.items if item.get("layout") == 1}
        if page.next is None:
            return chains
        start = page.next


async def _key_tokens_by_token(tables: _Tables) -> int:
    """Copy the tokens to the table that has a partition for each; the one before stays as it is."""
    chains = await _chains_before(tables.dynamo)

    async def copy(items: Sequence[Item]) -> int:
        puts = []
        for item in items:
            if str(item["collection_id"]).partition("#")[0] not in chains:
                continue
            collection_id, token_id = str(item["collection_id"]), int(str(item["token_key"]))
            kept = {name: value for name, value in item.items() if name not in ("collection_id", "token_key")}
            puts.append(Put(TOKENS, kept | {"token_ref": f"{collection_id}#{token_id}"}))
        await asyncio.gather(*map(tables.dynamo.write, puts))
        return len(puts)

    if not await tables.dynamo.exists(TOKENS_BY_COLLECTION):
        return 0
    return await tables.pages(TOKENS_BY_COLLECTION, copy)


async def _spread_undo_records(tables: _Tables) -> int:
    """Move each chain's undo records from its one partition to the shards."""
    chains = await _chains_before(tables.dynamo)

    async def move(items: Sequence[Item]) -> int:
        old = [item for item in items if item["chain"] in chains]
        moved = [item | row_place(int(str(item["chain"])), str(item["position"])) for item in old]
        await asyncio.gather(*(tables.dynamo.write(Put(BLOCKS, item)) for item in moved))
        await asyncio.gather(
            *(
                tables.dynamo.write(Delete(BLOCKS, {"chain": item["chain"], "position": item["position"]}))
                for item in old
            )
        )
        return len(old)

    return await tables.pages(BLOCKS, move)


async def _spread_mints_of_blocks(tables: _Tables) -> int:
    """Give each mint that has a block its key in the sharded index of mints by block."""

    async def key(mint_id: str, number: int) -> None:
        here = Clause("still_in_the_block", "block_number", "eq", (number,))
        keyed: Item = {IN_BLOCK: block_shard(number, mint_id)}
        with suppress(ConditionFailed):
            await tables.dynamo.write(Update(MINTS, {"mint_id": mint_id}, set=keyed, where=(here,)))

    async def move(items: Sequence[Item]) -> int:
        due = [
            (str(item["mint_id"]), number)
            for item in items
            if isinstance(number := item.get("block_number"), int) and IN_BLOCK not in item
        ]
        await asyncio.gather(*(key(*one) for one in due))
        return len(due)

    return await tables.pages(MINTS, move)


async def _give_layout(tables: _Tables) -> int:
    """Let an indexer of that version write; this version's refuses the tables until the last of its steps."""

    async def move(items: Sequence[Item]) -> int:
        chains = [item["chain"] for item in items if item.get("layout") == 1]
        old = Clause("of_the_version_before", "layout", "eq", (1,))
        for chain in chains:
            await tables.dynamo.write(Update(CHECKPOINTS, {"chain": chain}, set={"layout": 2}, where=(old,)))
        return len(chains)

    return await tables.pages(CHECKPOINTS, move)


async def _link_undo_records(tables: _Tables) -> int:
    """Have each undo record name the one before it, and the checkpoint the newest of them.

    A block that was written in part is mixed from now on: the indexer takes it back and writes it again.
    """

    async def move(items: Sequence[Item]) -> int:
        moved = 0
        for item in items:
            if item.get("layout") == 2:
                moved += await _link_chain(tables.dynamo, item)
        return moved

    return await tables.pages(CHECKPOINTS, move)


async def _link_chain(dynamo: Dynamo, checkpoint: Item) -> int:
    chain, revision = str(checkpoint["chain"]), checkpoint["revision"]
    assert isinstance(revision, int)
    found: list[Item] = []
    for shard in row_shards(int(chain)):
        start: Item | None = None
        while True:
            page = await dynamo.query(BLOCKS, partition=shard, limit=PAGE, start=start)
            found += [item for item in page.items if not item.get("backfilled")]
            if page.next is None:
                break
            start = page.next
    found.sort(key=lambda item: str(item["position"]))
    partial = checkpoint.get("partial")
    number = partial.get("number") if isinstance(partial, dict) else None
    tail = last = ""
    for item in found:
        key: Item = {name: item[name] for name in ("chain", "position")}
        await dynamo.write(Update(BLOCKS, key, set={"previous": last}, where=(_STILL_THERE,)))
        last = str(item["position"])
        tail = tail if item.get("number") == number else last
    written: Item = {"layout": 3, "tail": tail, "revision": revision + 1}
    if isinstance(partial, dict):
        written["mixed"] = {"number": number, "hash": partial.get("hash"), "tail": last}
    unmoved = Clause("last_revision", "revision", "eq", (revision,))
    try:
        await dynamo.write(
            Update(CHECKPOINTS, {"chain": chain}, set=written, remove=("partial",), where=(unmoved,))
        )
    except ConditionFailed:
        raise Unavailable(f"the index of chain {chain} is being written: stop its indexers first") from None
    return len(found) + 1


_STILL_THERE = Clause("still_there", "number", "exists")


async def _move_mints(tables: _Tables) -> int:
    return await _each(tables, MINTS, lambda item: move_mint(tables.dynamo, item))


async def _record_top_ups(tables: _Tables) -> int:
    return await _each(tables, ACCOUNTS, lambda item: record_top_up(tables.dynamo, item, tables.treasury))


async def _record_attempts(tables: _Tables) -> int:
    return await _each(tables, ATTEMPTS, lambda item: record_attempt(tables.dynamo, item))


async def _each(tables: _Tables, table: Table, move: Callable[[Item], Awaitable[int]]) -> int:
    """Move the items of a table one by one: several may be about one nonce."""

    async def moved(items: Sequence[Item]) -> int:
        return sum([await move(item) for item in items])

    return await tables.pages(table, moved)


async def _key_tokens_for_queries(tables: _Tables) -> int:
    """Give each token the attributes by which its collection's holders are found."""

    async def key(item: Item) -> int:
        keys = token_query_keys(from_item(Token, item))
        return await _keyed(tables.dynamo, TOKENS, item, keys, same=("owner", "block_number"))

    return await _readable(tables, TOKENS, key)


async def _key_transfers_for_queries(tables: _Tables) -> int:
    """Give each transfer the attributes by which its collection's and its wallets' are found."""

    async def key(item: Item) -> int:
        keys = transfer_query_keys(from_item(Transfer, item))
        return await _keyed(tables.dynamo, TRANSFERS, item, keys, same=("block_hash",))

    return await _readable(tables, TRANSFERS, key)


async def _keyed(
    dynamo: Dynamo, table: Table, item: Item, keys: Mapping[str, str], *, same: Sequence[str]
) -> int:
    """Write those attributes that an item lacks, if it is as it was read; return how many items that was."""
    lacking: Item = {name: value for name, value in keys.items() if item.get(name) != value}
    if not lacking:
        return 0
    names = [key.name for key in (table.partition, table.sort) if key is not None]
    where = tuple(Clause(f"same_{name}", name, "eq", (item[name],)) for name in same if name in item)
    with suppress(ConditionFailed):
        await dynamo.write(Update(table, {name: item[name] for name in names}, set=lacking, where=where))
        return 1
    return 0


async def _readable(tables: _Tables, table: Table, move: Callable[[Item], Awaitable[int]]) -> int:
    """Move the items of a table, those of a page at once; one that cannot be read stays."""

    async def one(item: Item) -> int:
        with suppress(Unreadable):
            return await move(item)
        return 0

    async def moved(items: Sequence[Item]) -> int:
        return sum(await asyncio.gather(*map(one, items)))

    return await tables.pages(table, moved)


STEPS: tuple[tuple[str, Step], ...] = (
    ("contracts", _give_contracts_items),
    ("tokens", _key_tokens_by_token),
    ("blocks", _spread_undo_records),
    ("mints", _spread_mints_of_blocks),
    ("layout", _give_layout),
    ("open mints", _move_mints),
    ("top-ups", _record_top_ups),
    ("attempts", _record_attempts),
    ("undo records", _link_undo_records),
    ("queries of tokens", _key_tokens_for_queries),
    ("queries of transfers", _key_transfers_for_queries),
)
"""In the order of their numbers, from 1: steps are added at the end, and none is ever changed."""
