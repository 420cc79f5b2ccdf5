"""Write units of each partition key, counted on their way to the emulator."""

from __future__ import annotations

import asyncio
from typing import Any

from botocore.exceptions import ClientError

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


async def test_meter__when_a_key_has_had_its_units_of_a_second__then_its_writes_are_throttled_until_the_next(
    aws_settings: ServiceSettings, aws_prefix: str
) -> None:
    name, now = TRANSACTIONS.table_name(aws_prefix), [7.0]
    endpoint = str(aws_settings.aws_endpoint_url)
    async with KeyMeter(endpoint, prefix=aws_prefix, clock=lambda: now[0], limit=2) as meter:
        through = aws_settings.model_copy(update={"aws_endpoint_url": meter.url})
        async with open_clients(through) as clients:

            async def written(sender: str, nonce: int) -> str:
                # The SDK would repeat it with the same answer: the clock stands still.
                put: Any = {"Put": {"TableName": name, "Item": transaction(sender, nonce)}}
                try:
                    await clients.dynamodb.transact_write_items(TransactItems=[put])
                except ClientError as error:
                    return str(error.response["Error"]["Code"])
                return "written"

            outcomes = [await written(SENDER, 0), await written(SENDER, 1), await written(OTHER, 0)]
            now[0] = 8.0
            outcomes.append(await written(SENDER, 1))

    assert outcomes == ["written", "ProvisionedThroughputExceededException", "written", "written"]
    hottest = {key.partition: key.refused for key in meter.keys.hottest(9)}
    assert hottest[SENDER] >= 1
    assert hottest[OTHER] == 0
