"""Partitions of an index that are read by one statement, in pages as DynamoDB has them."""

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from mintline.aws.dynamo import Dynamo
from mintline.aws.outcomes import Page
from mintline.aws.partition_reads import QUERIES_AT_ONCE
from mintline.records.keys import block_shards
from mintline.resources import MINTS

if TYPE_CHECKING:
    from tests.unit.aws.conftest import Scripted

IN_BLOCK = MINTS.index("in_block")
PARTITIONS = [shard for number in range(6) for shard in block_shards(number)]
BY_STATEMENT = {"mint_id": {"S": "by statement"}}


@pytest.fixture
def dynamo(client: "Scripted") -> Dynamo:
    adapter: Any = client
    return Dynamo(adapter, "p")


async def test_query_sparse__when_there_are_pages__then_all_are_read(
    client: "Scripted", dynamo: Dynamo
) -> None:
    def answer(arguments: dict[str, Any]) -> Any:
        page = int(arguments.get("NextToken", "0"))
        items = [{"mint_id": {"S": f"m{page}"}}] if page % 2 else []
        return {"Items": items} if page == 4 else {"Items": items, "NextToken": str(page + 1)}

    client.on("execute_statement", answer)

    items = await dynamo.query_sparse(MINTS, index=IN_BLOCK, partitions=PARTITIONS, limit=100)

    assert [item["mint_id"] for item in items] == ["m1", "m3"]
    statements = [arguments for _, arguments in client.requested]
    assert {len(arguments["Parameters"]) for arguments in statements} == {48}
    assert {arguments["Statement"] for arguments in statements} == {
        f'SELECT * FROM "p-mints"."in_block" WHERE "block_shard" IN [{", ".join("?" * 48)}]'
    }


async def test_query_sparse__when_pages_have_no_end__then_each_partition_is_queried_to_its_own(
    client: "Scripted", dynamo: Dynamo
) -> None:
    def query(arguments: dict[str, Any]) -> Any:
        partition = arguments["ExpressionAttributeValues"][":p"]["S"]
        if partition != "3#0":
            return {"Items": []}
        if "ExclusiveStartKey" in arguments:
            return {"Items": [{"mint_id": {"S": "second"}}]}
        first = {"mint_id": {"S": "first"}}
        return {"Items": [first], "LastEvaluatedKey": first}

    client.on("execute_statement", lambda _: {"Items": [BY_STATEMENT] * 10, "NextToken": "more"})
    client.on("query", query)

    items = await dynamo.query_sparse(MINTS, index=IN_BLOCK, partitions=PARTITIONS, limit=100)

    assert [item["mint_id"] for item in items] == ["first", "second"]
    assert (client.count("execute_statement"), client.count("query")) == (10, 49)


async def test_query_sparse__when_partitions_hold_more_than_statements_read__then_some_are_queried_at_once(
    client: "Scripted", dynamo: Dynamo, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way = most = 0

    async def query(*_: Any, partition: str, **__: Any) -> Page:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return Page([{"mint_id": partition}], None)

    client.on("execute_statement", lambda _: {"Items": [], "NextToken": "more"})
    monkeypatch.setattr(dynamo, "query", query)
    partitions = [shard for number in range(25) for shard in block_shards(number)]

    items = await dynamo.query_sparse(MINTS, index=IN_BLOCK, partitions=partitions, limit=100)

    assert [item["mint_id"] for item in items] == partitions
    assert most == QUERIES_AT_ONCE
