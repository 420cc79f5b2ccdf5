"""What a mint costs DynamoDB's bill, from the items that the whole pipeline writes."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from mintline.resources import TABLES
from mintline_bench.users import sign_in_new
from mintline_devstack.ports import Ports
from mintline_devstack.running_stack import Stack, running_stack
from mintline_harness.chaos.proxy import Reached
from mintline_harness.write_units import WriteMeter
from tests.e2e.conftest import User

pytestmark = pytest.mark.e2e

STATED = Path(__file__).resolve().parents[2] / "infra/src/mintline_infra/write_units.json"
"""What the cost table of docs/aws-costs.md counts with."""
MINTS = 8
MOST = 20
"""Write units of a mint alone in its block, whose user has a wallet with gas: all that a mint may cost."""
SPONSORED = 50
MOST_SPONSORED = 16
"""Write units of a mint that shares its transaction with many."""
OPTIONAL = {f"{table.name}/{index.name}" for table in TABLES for index in table.indexes if index.optional}
"""The indexes that a deployment may do without."""
A_BLOCK = ("blocks", "checkpoints")
"""Tables that are written once a block, whether anything was minted in it or not."""
EVENTS = ("events", "event-cursors")
"""Tables of the notifier: a mint has four events at most, and those that are found together are one write."""
REPEATED = 3
"""Write units for events whose write is repeated: its answer was late, or another event came between."""
WEBHOOKS = ("webhook-progress",)
"""The leases of those who deliver webhooks are written twice a minute, whatever is minted."""
A_COLLECTION = ("followed", "collections")
"""Tables that are written once for each contract that is registered; `collections` also for each lease of
token ids, which is for many mints if there are several a minute."""


@dataclass(frozen=True, slots=True)
class Metered:
    """A pipeline whose writes are counted, and one of its users."""

    meter: WriteMeter
    user: User
    stack: Stack

    def of_mints(self) -> Counter[str]:
        """Return the write units so far that are not the blocks' and collections' own."""
        others = (*A_BLOCK, *A_COLLECTION, *EVENTS, *WEBHOOKS)
        return Counter({name: units for name, units in self.meter.units.items() if name not in others})

    async def of_a_block(self) -> dict[str, float]:
        """Return the write units of a block, by all blocks so far, of which the last are deleted later."""
        request = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}
        async with self.user.session.post(self.stack.info["rpc_url"], json=request) as response:
            blocks = int((await response.json())["result"], 16)
        return {name: round(self.meter.units[name] / blocks, 2) for name in A_BLOCK}

    async def finalized(self, *names: str, apart: float = 0) -> None:
        """Mint, with some seconds between two mints, and wait until all of it is final."""
        minted = []
        for name in names:
            minted.append(await self.user.mint(name))
            await asyncio.sleep(apart)
        for mint in minted:
            await self.user.until(mint["mint_id"], "finalized")


@pytest.fixture
async def metered(tmp_path: Path) -> AsyncIterator[Metered]:
    async with AsyncExitStack() as stack:
        meters: list[WriteMeter] = []

        async def through(ports: Ports) -> Reached:
            meter = WriteMeter(ports.url("ministack"), prefix="mintline")
            meters.append(await stack.enter_async_context(meter))
            return Reached(ports, {"ministack": meter})

        line = await stack.enter_async_context(running_stack(tmp_path, ports="free", through=through))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        (token,) = await sign_in_new(line.info, count=1)
        yield Metered(meters[0], User(session, line.info["api_url"], token), line)


async def test_mint__when_all_its_writes_are_measured__then_it_costs_what_the_cost_table_says(
    metered: Metered,
) -> None:
    await metered.finalized("the wallet's first")
    first = metered.of_mints()
    registered = metered.meter.units["collections"]
    await metered.finalized(*(f"alone {number}" for number in range(MINTS)), apart=1.2)

    everything, block = metered.of_mints(), await metered.of_a_block()
    mint = {name: each for name, units in (everything - first).items() if (each := round(units / MINTS))}
    # What is left of all the mints is the user's, whenever it was written; that the top-up is final may be
    # yet to come.
    user = everything - Counter({name: each * (MINTS + 1) for name, each in mint.items()})
    stated = json.loads(STATED.read_text())
    units = {name: Counter(units) for name, units in stated.items()}
    events = metered.meter.units["events"]
    assert 0 < events <= units["mint"].pop("events") * (MINTS + 1) + units["user"].pop("events") + REPEATED
    queries = {name: mint.pop(name) for name in OPTIONAL & mint.keys()}
    assert mint == units["mint"]
    assert queries == stated["queries"], "each index that a deployment may do without"
    assert user <= units["user"], user
    assert block["blocks"] <= stated["block"]["blocks"]
    assert block["checkpoints"] <= stated["block"]["checkpoints"]
    assert sum(mint.values()) <= MOST
    assert metered.meter.units["collections"] - registered <= MINTS / 2, "leases of token ids"


async def test_sponsored_mints__when_many_share_a_transaction__then_each_costs_fewer(
    metered: Metered,
) -> None:
    user = metered.user

    async def mint(name: str) -> str:
        mint_id: str = (await user.mint(name, custody="sponsored"))["mint_id"]
        return mint_id

    await user.until(await mint("the wallet's first"), "finalized")
    before = metered.of_mints()
    ids = await asyncio.gather(*(mint(f"sponsored {number}") for number in range(SPONSORED)))
    senders = {(await user.until(mint_id, "finalized"))["tx_hash"] for mint_id in ids}

    assert len(senders) <= SPONSORED // 5, senders
    units_by_name = metered.of_mints() - before
    each = {name: units / SPONSORED for name, units in units_by_name.items() if name not in OPTIONAL}
    assert sum(each.values()) <= MOST_SPONSORED, each
