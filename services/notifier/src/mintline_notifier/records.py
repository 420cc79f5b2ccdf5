"""What the notifier reads of records in addition to their changes: the port, and DynamoDB."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Protocol

from mintline.aws.dynamo import Dynamo, Item
from mintline.aws.records import RecordT, read, read_operation_item
from mintline.errors import Unreadable
from mintline.records.collections import RegisteredContract
from mintline.records.index import Token
from mintline.records.operations import Operation
from mintline.records.transactions import Transaction, TransactionKey
from mintline.records.wallets import Link
from mintline.resource_types import Table
from mintline.resources import COLLECTIONS, LINKS, MINTS, TOKENS, TRANSACTIONS
from mintline.set_aside import SetAside

SCANNED = 100


class Records(Protocol):
    """Records as they are now; what is missing or unreadable is left out."""

    async def operations(self, ids: Iterable[str]) -> Mapping[str, Operation]:
        """Return operations by their ids."""

    async def transaction(self, place: TransactionKey) -> Transaction | None:
        """Return a transaction."""

    async def token(self, ref: str) -> Token | None:
        """Return a token by `{chain_id}#{contract}#{token_id}`."""

    async def link(self, link_id: str) -> Link | None:
        """Return the link of an address, `{chain_id}#{address}`."""

    async def collection(self, collection_id: str) -> RegisteredContract | None:
        """Return a collection, `{chain_id}#{address}`."""

    def every(self, table: Table) -> AsyncIterator[Item]:
        """Yield all items of a table, in no order."""


class DynamoRecords:
    """Records in DynamoDB, by consistent reads."""

    def __init__(self, dynamo: Dynamo, *, set_aside: SetAside) -> None:
        self._dynamo = dynamo
        self._set_aside = set_aside

    async def operations(self, ids: Iterable[str]) -> Mapping[str, Operation]:
        wanted = tuple(dict.fromkeys(ids))
        items = await asyncio.gather(
            *(self._dynamo.get(MINTS, {"mint_id": operation_id}) for operation_id in wanted)
        )
        operations: dict[str, Operation] = {}
        for name, item in zip(wanted, items, strict=True):
            if item is not None:
                try:
                    operations[name] = read_operation_item(item, self._set_aside)
                except Unreadable:
                    continue
        return operations

    async def transaction(self, place: TransactionKey) -> Transaction | None:
        item = await self._dynamo.get(TRANSACTIONS, place._asdict())
        return None if item is None else self._read(Transaction, TRANSACTIONS, item)

    async def token(self, ref: str) -> Token | None:
        item = await self._dynamo.get(TOKENS, {"token_ref": ref})
        return None if item is None else self._read(Token, TOKENS, item)

    async def link(self, link_id: str) -> Link | None:
        item = await self._dynamo.get(LINKS, {"link_id": link_id})
        return None if item is None else self._read(Link, LINKS, item)

    async def collection(self, collection_id: str) -> RegisteredContract | None:
        item = await self._dynamo.get(COLLECTIONS, {"collection_id": collection_id})
        return None if item is None else self._read(RegisteredContract, COLLECTIONS, item)

    async def every(self, table: Table) -> AsyncIterator[Item]:
        start: Item | None = None
        while True:
            page = await self._dynamo.scan(table, limit=SCANNED, start=start)
            for item in page.items:
                yield item
            if (start := page.next) is None:
                return

    def _read(self, model: type[RecordT], table: Table, item: Item) -> RecordT | None:
        try:
            return read(model, table, item, self._set_aside)
        except Unreadable:
            return None
