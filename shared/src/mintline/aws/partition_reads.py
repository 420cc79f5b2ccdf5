"""Reads many small partitions of an index by few requests.

A query reads one partition, and DynamoDB has no batch read of an index. A PartiQL statement names up to 50
partitions, but its answer comes in pages of ten (AWS's developer guide, "PartiQL operators", `IN`). So it is
for partitions that are mostly empty; those that turn out to hold more are queried, each by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mintline.aws.errors import translated
from mintline.aws.items import Item, Value, decode_item, encode_value
from mintline.resource_types import Index, Table

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

PARTITIONS = 50
"""Partitions that one statement may name."""
PAGES = 10
"""Pages of one statement that are read: one for each ten partitions, and for as many items again."""
QUERIES_AT_ONCE = 8
"""Partitions of one index that are queried at once, each by itself."""


async def read_partitions(
    client: DynamoDBClient, prefix: str, table: Table, *, index: Index, partitions: Sequence[Value]
) -> list[Item] | None:
    """Return the items of up to `PARTITIONS` partitions of an index, in no order; None if they are many."""
    places = ", ".join("?" for _ in partitions)
    source = f'"{table.table_name(prefix)}"."{index.name}"'
    arguments: dict[str, Any] = {
        "Statement": f'SELECT * FROM {source} WHERE "{index.partition.name}" IN [{places}]',  # noqa: S608 - names of ours
        "Parameters": [encode_value(partition) for partition in partitions],
    }
    items: list[Item] = []
    for _ in range(PAGES):
        with translated():
            response = await client.execute_statement(**arguments)
        items += map(decode_item, response["Items"])
        if not (token := response.get("NextToken")):
            return items
        arguments["NextToken"] = token
    return None
