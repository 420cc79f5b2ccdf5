"""Write units of each partition key, counted on their way to the emulator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mintline.aws.dynamo import Dynamo, Put, decode_item
from mintline.aws.provision import open_clients
from mintline.errors import Throttled
from mintline.resources import TRANSACTIONS
from mintline.settings import ServiceSettings
from mintline_harness.hot_keys.meter import HotKey, KeyMeter

SENDER, OTHER = "31337#0xaaa", "31337#0xbbb"
THROTTLED = "ProvisionedThroughputExceededException"


def transaction(sender: str, nonce: int, **attributes: Any) -> dict[str, Any]:
    assert TRANSACTIONS.sort is not None
    value = {"N": str(nonce)} if TRANSACTIONS.sort.type == "N" else {"S": str(nonce)}
    return {TRANSACTIONS.partition.name: {"S": sender}, TRANSACTIONS.sort.name: value, **attributes}


@asynccontextmanager
async def limited(
    settings: ServiceSettings, prefix: str, *, clock: Callable[[], float]
) -> AsyncIterator[tuple[KeyMeter, Any]]:
    """Yield a meter that lets a key have two units a second, and clients whose requests pass it."""
    async with KeyMeter(str(settings.aws_endpoint_url), prefix=prefix, clock=clock, limit=2) as meter:
        through = settings.model_copy(update={"aws_endpoint_url": meter.url})
        async with open_clients(through) as clients:
            yield meter, clients


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
    async with limited(aws_settings, aws_prefix, clock=lambda: now[0]) as (meter, clients):

        async def written(sender: str, nonce: int) -> str:
            try:
                await clients.dynamodb.put_item(TableName=name, Item=transaction(sender, nonce))
            except ClientError as error:
                return str(error.response["Error"]["Code"])
            return "written"

        # The SDK repeats a refused write, with the same answer: the clock stands still.
        outcomes = [await written(SENDER, n) for n in (0, 1, 2)] + [await written(OTHER, 0)]
        now[0] = 8.0
        outcomes.append(await written(SENDER, 2))

    assert outcomes == ["written", "written", THROTTLED, "written", "written"]
    hottest = {key.partition: key.refused for key in meter.keys.hottest(9)}
    assert hottest[SENDER] >= 1
    assert hottest[OTHER] == 0


async def test_meter__when_one_item_of_a_transaction_is_throttled__then_a_reason_names_it(
    aws_settings: ServiceSettings, aws_prefix: str
) -> None:
    name, now = TRANSACTIONS.table_name(aws_prefix), [7.0]
    async with limited(aws_settings, aws_prefix, clock=lambda: now[0]) as (_, clients):

        async def transact(*items: Any) -> None:
            puts: Any = [{"Put": {"TableName": name, "Item": item}} for item in items]
            await clients.dynamodb.transact_write_items(TransactItems=puts)

        await transact(transaction(SENDER, 0))
        with pytest.raises(ClientError) as refused:
            await transact(transaction(OTHER, 0), transaction(SENDER, 1))
        # What the services read from it.
        dynamo = Dynamo(clients.dynamodb, aws_prefix, sleep=lambda _: asyncio.sleep(0))
        with pytest.raises(Throttled, match=r"^TransactWriteItems: ThrottlingError$"):
            await dynamo.transact([Put(TRANSACTIONS, decode_item(transaction(SENDER, 1)))])
        scanned = await clients.dynamodb.scan(TableName=name)
        now[0] = 8.0
        await transact(transaction(OTHER, 0), transaction(SENDER, 1))

    response: Any = refused.value.response
    assert response["Error"]["Code"] == "TransactionCanceledException"
    assert [reason["Code"] for reason in response["CancellationReasons"]] == ["None", "ThrottlingError"]
    assert scanned["Count"] == 1
