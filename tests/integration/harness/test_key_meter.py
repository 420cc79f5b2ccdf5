"""Write units of each partition key, counted on their way to the emulator."""

from __future__ import annotations

import asyncio
from typing import Any

from mintline.aws.provision import open_clients
from mintline.resources import TRANSACTIONS
from mintline.settings import ServiceSettings
from mintline_harness.hot_keys.meter import HotKey, KeyMeter

SENDER, OTHER = "31337#0xaaa", "31337#0xbbb"


def transaction(sender: str, nonce: int, **attributes: Any) -> dict[str, Any]:
    assert TRANSACTIONS.sort is not None
    value = {"N": str(nonce)} if TRANSACTIONS.sort.type == "N" else {"S": str(nonce)}
    return {TRANSACTIONS.partition.name: {"S": sender}, TRANSACTIONS.sort.name: value, **attributes}


async def test_meter__when_many_write_at_once__then_each_keys_units_are_counted_and_written(
    aws_settings: ServiceSettings, aws_prefix: str
) -> None:
    name = TRANSACTIONS.table_name(aws_prefix)
    large = {"note": {"S": "x" * 1500}}
    async with KeyMeter(str(aws_settings.aws_endpoint_url), prefix=aws_prefix, clock=lambda: 7.0) as meter:
        through = aws_settings.model_copy(update={"aws_endpoint_url": meter.url})
        async with open_clients(through) as clients:
            await asyncio.gather(
                *(clients.dynamodb.put_item(TableName=name, Item=transaction(SENDER, n)) for n in range(5)),
                clients.dynamodb.put_item(TableName=name, Item=transaction(OTHER, 0)),
            )
            writes: Any = [
                {"Put": {"TableName": name, "Item": transaction(SENDER, n, **large)}} for n in (0, 9)
            ]
            await clients.dynamodb.transact_write_items(TransactItems=writes)
            written = await clients.dynamodb.query(
                TableName=name,
                KeyConditionExpression="#p = :p",
                ExpressionAttributeNames={"#p": TRANSACTIONS.partition.name},
                ExpressionAttributeValues={":p": {"S": SENDER}},
            )

    assert written["Count"] == 6
    # Five items of a unit each; then two of two kilobytes in a transaction, which doubles them.
    assert meter.keys.hottest(9) == [
        HotKey("transactions", SENDER, units=5 + 2 * 2 * 2, peak=13),
        HotKey("transactions", OTHER, units=1, peak=1),
    ]
