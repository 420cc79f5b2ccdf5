"""What a table is compared with and becomes, and what a dry run keeps and writes: nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from mintline.errors import Misconfigured
from mintline.resource_types import Table
from mintline.resources import MINTS
from mintline_ops.restore.copies import copy_name
from mintline_ops.restore.filling import BATCH, Filler

AT = datetime(2026, 11, 30, 16, 5, tzinfo=UTC)
HEAD = 100
COPY = copy_name(MINTS, "acme", AT)
PAGE = 10


class Raw(dict[str, Any]):
    """An item that counts how many of its kind are kept."""

    kept = 0
    most = 0

    def __init__(self, number: int) -> None:
        super().__init__(mint_id={"S": f"mint_{number}"})
        Raw.kept += 1
        Raw.most = max(Raw.most, Raw.kept)

    def __del__(self) -> None:
        Raw.kept -= 1


class Client:
    """DynamoDB with a table of mints and its copy; `restored` makes the copy's items when they are read."""

    def __init__(self, stored: Iterable[Any], restored: Iterable[Any]) -> None:
        self._tables = {"acme-mints": stored, COPY: restored}
        self.written: list[Any] = []

    def get_paginator(self, operation: str) -> Client:
        assert operation == "scan"
        return self

    async def paginate(self, **parameters: Any) -> AsyncIterator[Any]:
        assert parameters.pop("ConsistentRead")
        items = self._tables[parameters.pop("TableName")]
        if only := bool(parameters):
            assert parameters.pop("FilterExpression") == "block_number > :head"
            assert parameters == {"ExpressionAttributeValues": {":head": {"N": str(HEAD)}}}
        page: list[Any] = []
        for item in items:
            if not only or int(item.get("block_number", {"N": "0"})["N"]) > HEAD:
                page.append(item)
            if len(page) == PAGE:
                yield {"Items": page}
                page = []
        yield {"Items": page}

    async def batch_write_item(self, **parameters: Any) -> Any:
        self.written += [put["PutRequest"]["Item"] for put in parameters["RequestItems"]["acme-mints"]]
        return {}


def filler(client: Client, *, replacing: Collection[Table] = ()) -> Filler:
    return Filler(client, "acme", at=AT, replacing=replacing, head=HEAD, skip_ids=0, now=0)


def mint(name: str, status: str) -> dict[str, Any]:
    return {"mint_id": {"S": name}, "status": {"S": status}}


async def test_dry_run__when_very_many_items_are_missing__then_it_keeps_and_writes_none() -> None:
    client = Client([], (Raw(number) for number in range(20 * BATCH)))

    filled = await filler(client).fill(MINTS, dry_run=True)

    assert filled.missing == 20 * BATCH
    assert client.written == []
    assert Raw.most <= 3 * PAGE


async def test_fill__when_items_are_missing__then_they_are_written_in_batches() -> None:
    client = Client([], [mint(str(number), "built") for number in range(BATCH + 1)])

    assert (await filler(client).fill(MINTS, dry_run=False)).due == BATCH + 1
    assert len(client.written) == BATCH + 1


async def test_blocks__when_the_chain_does_not_have_one_of_a_copy__then_it_says_which() -> None:
    newest, later = (mint("b", "mined") | {"block_number": {"N": str(HEAD + more)}} for more in (0, 1))

    await filler(Client([], [mint("a", "built"), newest])).check_blocks([MINTS])
    with pytest.raises(Misconfigured, match="mints has a record of block 101, and the chain's newest is 100"):
        await filler(Client([], [newest, later])).check_blocks([MINTS])


@pytest.mark.parametrize(("replacing", "status"), [((), "mined"), ((MINTS,), "built")])
async def test_after__when_a_table_is_to_be_filled__then_it_yields_what_it_will_have(
    replacing: Collection[Table], status: str
) -> None:
    stored = [mint("new", "accepted"), mint("both", "mined")]
    client = Client(stored, [mint("both", "built"), mint("lost", "built")])

    statuses = {
        item["mint_id"]: item["status"] async for item in filler(client, replacing=replacing).after(MINTS)
    }

    assert statuses == {"new": "accepted", "both": status, "lost": "built"}
