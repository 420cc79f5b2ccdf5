"""The registered contracts, in DynamoDB."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from mintline.aws.collections import OPEN_CHANGES, same_changes
from mintline.aws.dynamo import Clause, Dynamo, Item, Update, decode_item
from mintline.aws.errors import translated
from mintline.aws.operations import read_operations
from mintline.aws.records import readable, to_item
from mintline.records.collections import RegisteredContract
from mintline.records.operations import Operation
from mintline.resources import COLLECTIONS
from mintline.set_aside import SetAside
from mintline_indexer.clones import followed, settle

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

_MOVED = ("status", "deployed_block", "deployment_final", "state", "pending", "pausing")
"""The fields of a clone's record that its operations decide."""


class DynamoCollectionRegistry:
    """The contracts that are registered for one chain."""

    def __init__(
        self, client: DynamoDBClient, *, prefix: str, chain_id: int, set_aside: SetAside | None = None
    ) -> None:
        self._client = client
        self._table = COLLECTIONS.table_name(prefix)
        self._chain_id = chain_id
        self._set_aside = set_aside or SetAside()

    async def known(self, *, finalized: int) -> Mapping[str, int]:
        """Return each contract with the block it was deployed in, or one before; write nothing."""
        del finalized
        return followed(await self.all())

    async def all(self) -> list[RegisteredContract]:
        """Return all that are readable, by a scan of a table with an item for each contract.

        No index says which were changed: its writes would cost more than scans that become rarer as the table
        grows (`mintline_indexer.indexer`).
        """
        collections: list[RegisteredContract] = []
        with translated():
            async for page in self._client.get_paginator("scan").paginate(TableName=self._table):
                items = [decode_item(attributes) for attributes in page["Items"]]
                for _, collection in readable(RegisteredContract, COLLECTIONS, items, self._set_aside):
                    if collection.chain_id == self._chain_id:
                        collections.append(collection)
        return collections


class SettlingCollectionRegistry:
    """The same, with the records of clones moved on by their operations."""

    def __init__(
        self, registry: DynamoCollectionRegistry, dynamo: Dynamo, *, set_aside: SetAside | None = None
    ) -> None:
        self._registry = registry
        self._dynamo = dynamo
        self._set_aside = set_aside or SetAside()

    async def known(self, *, finalized: int) -> Mapping[str, int]:
        """Return each contract with the block it was deployed in, or one before."""
        return followed(await settle(await self._registry.all(), self, finalized=finalized))

    async def operations(self, ids: Iterable[str]) -> Mapping[str, Operation]:
        return await read_operations(self._dynamo, ids, self._set_aside)

    async def move(self, before: RegisteredContract, after: RegisteredContract) -> None:
        written = to_item(after)
        changed: Item = {name: written[name] for name in _MOVED if name in written}
        await self._dynamo.write(
            Update(
                COLLECTIONS,
                {"collection_id": before.collection_id},
                set=changed,
                remove=tuple(name for name in OPEN_CHANGES if name not in changed),
                where=(Clause("same_status", "status", "eq", (before.status,)), *same_changes(before)),
            )
        )
