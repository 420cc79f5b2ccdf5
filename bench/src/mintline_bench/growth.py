"""Does anything grow with what is stored? Pages of lists, and passes of the sweep, over few and many records.

`python -m mintline_bench.growth` starts a local stack of its own and writes records straight into its tables.
What is counted is what the services' own stores do: requests to DynamoDB, and CPU of the process that asks.
Latencies are not: they would be the emulator's.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from mintline.admin import process_registry
from mintline.aws.dynamo import Dynamo, Item
from mintline.aws.items import encode_item
from mintline.aws.records import OPEN, operation_item, to_item, token_place
from mintline.aws.session import AwsCalls
from mintline.clock import unix_ms
from mintline.query_keys import token_query_keys
from mintline.records.collections import Collection
from mintline.records.index import Token
from mintline.records.keys import created_key, open_shard, scoped, token_key
from mintline.records.operations import Mint
from mintline.resource_types import Table
from mintline.resources import COLLECTIONS, MINTS, TOKENS
from mintline.states import MintStatus
from mintline_api.features.collections.store import DynamoCollections
from mintline_api.features.mints.store import DynamoMints
from mintline_api.features.tokens.store import DynamoIndex
from mintline_bench.machine import describe
from mintline_broadcaster.config import Patience
from mintline_broadcaster.dynamo import DynamoTransactionStore
from mintline_broadcaster.metrics import Metrics
from mintline_broadcaster.sweep import Sweeper
from mintline_broadcaster.sweep_operations import RESTING_SECONDS
from mintline_devstack.running_stack import running_stack
from mintline_ops.aws_clients import operator_client

PAGE = 100
BATCH = 25
WRITERS = 8
HOUR = 3_600_000
"""Milliseconds."""
CREATOR = "growth"
CONTRACT = "0x" + "c0" * 20


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call came to: requests to DynamoDB, milliseconds of this process's CPU, and items."""

    name: str
    requests: int
    cpu_ms: float
    items: int


@dataclass(slots=True)
class Meter:
    """Counts what calls cost."""

    calls: AwsCalls

    async def cost(self, name: str, call: Callable[[], Awaitable[int]]) -> Cost:
        """Make a call that returns how many items it gave; it is made once before, so that all is warm."""
        await call()
        before, started = sum(self.calls.counts().values()), time.process_time()
        items = await call()
        spent = (time.process_time() - started) * 1000
        return Cost(name, sum(self.calls.counts().values()) - before, round(spent, 1), items)


async def write(client: Any, prefix: str, table: Table, items: Iterable[Item]) -> None:
    """Write items, a few batches at once."""
    places = asyncio.Semaphore(WRITERS)

    async def batch(some: Sequence[Item]) -> None:
        async with places:
            left: Any = {
                table.table_name(prefix): [{"PutRequest": {"Item": encode_item(item)}} for item in some]
            }
            while left:
                left = (await client.batch_write_item(RequestItems=left)).get("UnprocessedItems")

    every = list(items)
    await asyncio.gather(*(batch(every[start : start + BATCH]) for start in range(0, len(every), BATCH)))


def tokens(owner: str, count: int, *, chain_id: int) -> Iterable[Item]:
    """Yield the items of an owner's tokens."""
    for token_id in range(1, count + 1):
        token = Token(
            chain_id=chain_id,
            contract=CONTRACT,
            token_id=token_id,
            owner=owner,
            metadata_digest=bytes(32),
            mint_id=None,
            minted_block=1,
            block_number=1,
            tx_hash=bytes(32),
        )
        owned: Item = {"owner_id": scoped(chain_id, owner), "owned_key": f"{CONTRACT}#{token_key(token_id)}"}
        # Each owner's tokens are of an id of their own: the table's key is the token.
        place = token_place(chain_id, CONTRACT, token_id + int(owner[2:6], 16) * 10**7)
        yield {**to_item(token), **place, **owned, **token_query_keys(token)}


def collections(creator: str, count: int, *, chain_id: int) -> Iterable[Item]:
    """Yield the items of a client's collections."""
    for number in range(count):
        contract = f"0x{number:08x}{creator.encode().hex():0>32}"[:42]
        record = Collection(
            collection_id=scoped(chain_id, contract),
            chain_id=chain_id,
            contract=contract,
            name="Growth",
            symbol="GROW",
            deployed_block=1,
            created_at=number,
            read_only=True,
            next_token_id=1,
        )
        yield {
            **to_item(record),
            "created_by": scoped(chain_id, creator),
            "created_key": created_key(number, record.collection_id),
        }


def vouchers(sub: str, count: int, *, chain_id: int, now: int, age: int) -> Iterable[Item]:
    """Yield the items of mints whose voucher their user has not redeemed for `age` milliseconds."""
    for number in range(count):
        mint = Mint(
            mint_id=f"mint_{sub}_{number:06d}",
            sub=sub,
            status=MintStatus.ISSUED,
            custody="self",
            chain_id=chain_id,
            contract=CONTRACT,
            to="0x" + "0e" * 20,
            token_id=number + 1,
            metadata_digest=bytes(32),
            request_digest="",
            deadline=(now + 720 * HOUR) // 1000,
            created_at=now - age,
            updated_at=now - age,
        )
        yield {**operation_item(mint), OPEN: open_shard(mint.mint_id)}


async def pages(dynamo: Dynamo, meter: Meter, size: int, names: dict[str, str], chain_id: int) -> list[Cost]:
    """Return what the first and a late page of each list cost."""
    index = DynamoIndex(dynamo, chain_id=chain_id)
    mints = DynamoMints(dynamo)
    collections = DynamoCollections(dynamo, index, chain_id=chain_id)

    async def owned(after: int) -> int:
        key = f"{CONTRACT}#{token_key(after)}" if after else None
        page = await index.tokens_of(names["owner"], contract=None, limit=PAGE, after=key)
        return len(page.items)

    async def listed() -> int:
        return len((await mints.ids_of(names["sub"], limit=PAGE, after=None)).items)

    async def created() -> int:
        return len((await collections.made_by(names["creator"], limit=PAGE, after=None)).items)

    async def highest() -> int:
        await mints.highest_token_id(CONTRACT, range(1, 1_000_000))
        return 0

    return [
        await meter.cost("an owner's tokens, first page", lambda: owned(0)),
        await meter.cost("an owner's tokens, at 90 %", lambda: owned(size * 9 // 10)),
        await meter.cost("a user's mints, first page", listed),
        await meter.cost("a client's collections, first page", created),
        await meter.cost("the newest open mints (token ids)", highest),
    ]


class _NoMonitor:
    """There are no transactions to check."""

    async def check(self, *_: object, **__: object) -> None:
        raise AssertionError("no transaction is open")


async def sweeps(dynamo: Dynamo, meter: Meter, chain_id: int, hours: float) -> list[Cost]:
    """Return what the sweep costs on its first pass, and in the hours that follow, by the hour."""
    clock = [int(unix_ms())]
    sweeper = Sweeper(
        store=DynamoTransactionStore(dynamo, chain_id=chain_id),
        chain=cast("Any", None),
        monitor=cast("Any", _NoMonitor()),
        outbox=cast("Any", None),
        chain_id=chain_id,
        patience=Patience(check_after=60, replace_after=3, stage_deadline=60),
        metrics=Metrics(process_registry()),
        now=lambda: clock[0],
    )

    async def swept(passes: int, apart: float) -> int:
        for _ in range(passes):
            await sweeper.sweep()
            clock[0] += int(apart * 1000)
        return passes

    requests, started = sum(meter.calls.counts().values()), time.process_time()
    first = await swept(1, RESTING_SECONDS)
    before = sum(meter.calls.counts().values())
    cpu = time.process_time()
    costs = [Cost("the sweep, first pass", before - requests, round((cpu - started) * 1000, 1), first)]
    await swept(int(hours * 3600 / RESTING_SECONDS), RESTING_SECONDS)
    spent = (time.process_time() - cpu) * 1000 / hours
    by_hour = (sum(meter.calls.counts().values()) - before) / hours
    costs.append(Cost("the sweep, an hour after that", round(by_hour), round(spent, 1), 0))
    return costs


async def measure(sizes: Sequence[int], state: Path, hours: float) -> dict[int, list[Cost]]:
    """Return the costs by how many records there are."""
    costs_by_size: dict[int, list[Cost]] = {}
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(running_stack(state, ports="free"))
        # What the services do by themselves must not touch these records.
        chain_id = running.info["chain_id"] + 1
        client = await stack.enter_async_context(operator_client("dynamodb", running.info))
        calls = AwsCalls()
        calls.attach(client)
        prefix = running.info["prefix"]
        dynamo = Dynamo(client, prefix)
        stack.push_async_callback(dynamo.aclose)
        meter = Meter(calls)
        for number, size in enumerate(sorted(sizes), start=1):
            names = {"owner": f"0x{number:04x}" + "0a" * 18, "sub": f"g{number}", "creator": f"c{number}"}
            now = unix_ms()
            await write(client, prefix, TOKENS, tokens(names["owner"], size, chain_id=chain_id))
            some = collections(names["creator"], max(1, size // 100), chain_id=chain_id)
            await write(client, prefix, COLLECTIONS, some)
            open_ones = vouchers(names["sub"], size, chain_id=chain_id, now=now, age=24 * HOUR)
            await write(client, prefix, MINTS, open_ones)
            costs_by_size[size] = await pages(dynamo, meter, size, names, chain_id)
            costs_by_size[size] += await sweeps(dynamo, meter, chain_id, hours)
    return costs_by_size


def table(costs_by_size: dict[int, list[Cost]]) -> str:
    """Return the costs as aligned lines: a call each, requests and CPU by the number of records."""
    sizes = sorted(costs_by_size)
    head = "".join(f"{f'{size:,} requests':>20}{'CPU ms':>10}" for size in sizes)
    lines = [f"{'':<36}{head}"]
    for costs in zip(*(costs_by_size[size] for size in sizes), strict=True):
        cells = "".join(f"{cost.requests:>20,}{cost.cpu_ms:>10,}" for cost in costs)
        lines.append(f"{costs[0].name:<36}{cells}")
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m mintline_bench.growth", description="Does it grow?")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000], help="records of each kind")
    parser.add_argument("--hours", type=float, default=2.0, help="hours of the sweep, whole ones")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        costs_by_size = asyncio.run(measure(options.sizes, Path(folder), options.hours))
    about = describe()
    print(f"{about['commit']}, {about['date']}, Python {about['python']}, {about['processor']}")  # noqa: T201
    print(table(costs_by_size))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
