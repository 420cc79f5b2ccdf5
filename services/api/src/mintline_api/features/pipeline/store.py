"""What is under way, in DynamoDB: the indexes of open operations and transactions."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterable
from contextlib import suppress

from mintline.aws.dynamo import Dynamo, Item
from mintline.aws.records import read_operation_item, readable
from mintline.errors import Unreadable
from mintline.records.keys import OPEN_SHARDS, scoped
from mintline.records.operations import Operation
from mintline.records.transactions import Transaction
from mintline.resource_types import Index, Table
from mintline.resources import MINTS, TRANSACTIONS
from mintline.set_aside import SetAside
from mintline.states import MintStatus, TransactionState
from mintline_api.features.pages import text_of

_FEW, _MOST = 100, 1_000
"""Open operations that are read at first, and at most: many may wait for their users' wallets alone."""
OURS = frozenset({MintStatus.ACCEPTED, MintStatus.BUILT})
"""The statuses of operations that wait for this service."""


class DynamoPipeline:
    """The tables of operations and of transactions, as one chain's pipeline."""

    def __init__(self, dynamo: Dynamo, *, chain_id: int, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._chain_id = chain_id
        self._set_aside = set_aside or SetAside()

    async def oldest_operations(self, limit: int) -> list[Operation]:
        operations: dict[str, Operation] = {}
        read: set[str] = set()
        for most in (max(limit, _FEW), max(limit, _MOST)):
            names = [text_of(key, "mint_id") for key in await self._open(MINTS, most=most)]
            items = await self._dynamo.get_each(
                MINTS, [{"mint_id": name} for name in names if name not in read]
            )
            operations |= {
                operation.operation_id: operation
                for operation in self._operations(items)
                if operation.status in OURS
            }
            if len(operations) >= limit or len(names) < most:
                break
            read.update(names)
        return sorted(operations.values(), key=lambda operation: operation.created_at)[:limit]

    async def oldest_transactions(self, limit: int) -> list[Transaction]:
        keys = await self._open(TRANSACTIONS, most=limit)
        names: list[Item] = [{"sender_id": key["sender_id"], "nonce": key["nonce"]} for key in keys]
        items = [item for item in await self._dynamo.get_each(TRANSACTIONS, names) if item is not None]
        transactions = self._transactions(items)
        return sorted(
            (transaction for transaction in transactions if transaction.state is not TransactionState.FINAL),
            key=lambda transaction: transaction.reserved_at,
        )

    async def newest_transactions(self, address: str, limit: int) -> list[Transaction]:
        sender = scoped(self._chain_id, address)
        page = await self._dynamo.query(TRANSACTIONS, partition=sender, forward=False, limit=limit)
        return self._transactions(page.items)

    async def transaction_from(self, address: str, nonce: int) -> Transaction | None:
        sender = scoped(self._chain_id, address)
        page = await self._dynamo.query(TRANSACTIONS, partition=sender, sort_from=nonce, limit=1)
        return next(iter(self._transactions(page.items)), None)

    async def _open(self, table: Table, *, most: int) -> list[Item]:
        """Return the keys of what is open longest."""
        index = table.index("open")
        shards = await asyncio.gather(
            *(self._shard(table, index, str(shard), most=most) for shard in range(OPEN_SHARDS))
        )
        assert index.sort is not None
        name = index.sort.name
        keys = (key for shard in shards for key in shard)
        return heapq.nsmallest(most, keys, key=lambda key: text_of(key, name))

    async def _shard(self, table: Table, index: Index, shard: str, *, most: int) -> list[Item]:
        page = await self._dynamo.query(table, index=index, partition=shard, limit=most)
        return page.items

    def _operations(self, items: Iterable[Item | None]) -> Iterable[Operation]:
        for item in items:
            with suppress(Unreadable):
                if item is not None:
                    yield read_operation_item(item, self._set_aside)

    def _transactions(self, items: Iterable[Item]) -> list[Transaction]:
        return [transaction for _, transaction in readable(Transaction, TRANSACTIONS, items, self._set_aside)]
