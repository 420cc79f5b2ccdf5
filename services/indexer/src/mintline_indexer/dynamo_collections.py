"""The registered contracts, in DynamoDB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mintline.aws.dynamo import decode_item
from mintline.aws.records import readable
from mintline.aws.session import translated
from mintline.records import RegisteredContract
from mintline.resources import COLLECTIONS
from mintline.set_aside import SetAside

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient


class DynamoCollectionRegistry:
    """The contracts that are registered for one chain."""

    def __init__(
        self, client: DynamoDBClient, *, prefix: str, chain_id: int, set_aside: SetAside | None = None
    ) -> None:
        self._client = client
        self._table = COLLECTIONS.table_name(prefix)
        self._chain_id = chain_id
        self._set_aside = set_aside or SetAside()

    async def known(self) -> Mapping[str, int]:
        """Return each contract with the block it was deployed in: a scan, of a table with a few items."""
        known: dict[str, int] = {}
        with translated():
            async for page in self._client.get_paginator("scan").paginate(TableName=self._table):
                items = [decode_item(attributes) for attributes in page["Items"]]
                for _, collection in readable(RegisteredContract, COLLECTIONS, items, self._set_aside):
                    if collection.chain_id == self._chain_id:
                        known[collection.contract] = collection.deployed_block
        return known
