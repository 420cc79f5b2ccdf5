"""Steps that bring an earlier version's index to the form that this version reads."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from mintline.aws.dynamo import Clause, ConditionFailed, Delete, Dynamo, Item, Put, Update
from mintline.aws.records import IN_BLOCK, row_place
from mintline.errors import Unavailable
from mintline.records.keys import block_shard, row_shards
from mintline.resources import BLOCKS, CHECKPOINTS, FOLLOWED, MINTS, TOKENS, TOKENS_BY_COLLECTION
from mintline_indexer.dynamo_items import place_item
from mintline_ops.migration_tables import PAGE, MigratedTables


async def give_contracts_items(tables: MigratedTables) -> int:
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


async def key_tokens_by_token(tables: MigratedTables) -> int:
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


async def spread_undo_records(tables: MigratedTables) -> int:
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


async def spread_mints_of_blocks(tables: MigratedTables) -> int:
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
        await asyncio.gather(*(key(*parts) for parts in due))
        return len(due)

    return await tables.pages(MINTS, move)


async def give_layout(tables: MigratedTables) -> int:
    """Let an indexer of that version write; this version's refuses the tables until the last of its steps."""

    async def move(items: Sequence[Item]) -> int:
        chains = [item["chain"] for item in items if item.get("layout") == 1]
        old = Clause("of_the_version_before", "layout", "eq", (1,))
        for chain in chains:
            await tables.dynamo.write(Update(CHECKPOINTS, {"chain": chain}, set={"layout": 2}, where=(old,)))
        return len(chains)

    return await tables.pages(CHECKPOINTS, move)


async def link_undo_records(tables: MigratedTables) -> int:
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
    items: list[Item] = []
    for shard in row_shards(int(chain)):
        start: Item | None = None
        while True:
            page = await dynamo.query(BLOCKS, partition=shard, limit=PAGE, start=start)
            items += [item for item in page.items if not item.get("backfilled")]
            if page.next is None:
                break
            start = page.next
    items.sort(key=lambda item: str(item["position"]))
    partial = checkpoint.get("partial")
    number = partial.get("number") if isinstance(partial, dict) else None
    tail = last = ""
    for item in items:
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
    return len(items) + 1


_STILL_THERE = Clause("still_there", "number", "exists")
