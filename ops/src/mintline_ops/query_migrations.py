"""Steps that give tokens and transfers the attributes by which queries find them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from mintline.aws.dynamo import Clause, ConditionFailed, Dynamo, Item, Update
from mintline.aws.records import from_item
from mintline.query_keys import token_query_keys, transfer_query_keys
from mintline.records.index import Token, Transfer
from mintline.resource_types import Table
from mintline.resources import TOKENS, TRANSFERS
from mintline_ops.migration_tables import MigratedTables, move_readable


async def key_tokens_for_queries(tables: MigratedTables) -> int:
    """Give each token the attributes by which its collection's holders are found."""

    async def key(item: Item) -> int:
        keys = token_query_keys(from_item(Token, item))
        return await _keyed(tables.dynamo, TOKENS, item, keys, same=("owner", "block_number"))

    return await move_readable(tables, TOKENS, key)


async def key_transfers_for_queries(tables: MigratedTables) -> int:
    """Give each transfer the attributes by which its collection's and its wallets' are found."""

    async def key(item: Item) -> int:
        keys = transfer_query_keys(from_item(Transfer, item))
        return await _keyed(tables.dynamo, TRANSFERS, item, keys, same=("block_hash",))

    return await move_readable(tables, TRANSFERS, key)


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
