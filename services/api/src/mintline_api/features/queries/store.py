"""The indexes of holders and transfers in DynamoDB."""

from __future__ import annotations

from mintline.aws.dynamo import Dynamo, Item
from mintline.aws.records import balance_place, readable
from mintline.query_keys import AFTER_KEY, AFTER_OWNERS, holder_shards, item_shards
from mintline.records.index import Balance, Checkpoint, Token, Transfer
from mintline.resources import BALANCES, TOKENS, TRANSFERS
from mintline.set_aside import SetAside
from mintline_api.features.pages import text_of
from mintline_api.features.queries.ports import (
    Checkpoints,
    HoldersPart,
    OwnersPart,
    Partition,
    TransfersPart,
)

_BY_ITEM = BALANCES.index("by_item")


class DynamoQueries:
    """One chain's lists of holders and transfers; they lag behind the tables by moments."""

    def __init__(
        self,
        dynamo: Dynamo,
        index: Checkpoints,
        *,
        chain_id: int,
        set_aside: SetAside | None = None,
    ) -> None:
        self._dynamo = dynamo
        self._index = index
        self._chain_id = chain_id
        self._set_aside = set_aside or SetAside()

    async def checkpoint(self) -> Checkpoint | None:
        return await self._index.checkpoint()

    async def token(self, contract: str, token_id: int) -> Token | None:
        return await self._index.token(contract, token_id)

    async def owners_in(
        self, contract: str, shard: int, *, items: bool, after: str, limit: int
    ) -> OwnersPart:
        table = BALANCES if items else TOKENS
        page = await self._dynamo.query(
            table,
            index=table.index("by_holder"),
            partition=holder_shards(self._chain_id, contract)[shard],
            sort_between=(after, AFTER_OWNERS),
            limit=limit,
        )
        keys = [text_of(item, "holder_key") for item in page.items]
        owners = tuple(key.partition("#")[0] for key in keys)
        return OwnersPart(owners, keys[-1] + AFTER_KEY if page.next is not None and keys else None)

    async def holders_in(
        self, contract: str, token_id: int, shard: int, *, after: str | None, limit: int
    ) -> HoldersPart:
        partition = item_shards(self._chain_id, contract, token_id)[shard]
        start: Item | None = None
        if after is not None:
            place = balance_place(self._chain_id, contract, token_id, after)
            start = {"item_shard": partition, "holder": after, **place}
        page = await self._dynamo.query(
            BALANCES, index=_BY_ITEM, partition=partition, limit=limit, start=start
        )
        balances = (balance for _, balance in readable(Balance, BALANCES, page.items, self._set_aside))
        holders = tuple(
            (balance.holder, balance.quantity) for balance in balances if balance.holder is not None
        )
        more = page.next is not None and page.items
        return HoldersPart(holders, text_of(page.items[-1], "holder") if more else None)

    async def transfers_in(self, partition: Partition, *, first: str, last: str, limit: int) -> TransfersPart:
        if last < first:
            return TransfersPart((), None)
        page = await self._dynamo.query(
            TRANSFERS,
            index=TRANSFERS.index(partition.index),
            partition=partition.key,
            sort_between=(first, last),
            forward=False,
            limit=limit,
        )
        items = tuple(
            (text_of(item, "moment"), transfer)
            for item, transfer in readable(Transfer, TRANSFERS, page.items, self._set_aside)
        )
        more = page.next is not None and page.items
        return TransfersPart(items, text_of(page.items[-1], "moment") if more else None)
