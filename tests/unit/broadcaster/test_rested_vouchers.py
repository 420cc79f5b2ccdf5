"""A voucher that rests, as nobody redeems it, is read again once it is redeemed through the broadcaster."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from mintline.records.operations import Operation
from mintline.states import MintStatus
from mintline_broadcaster.broadcaster import Adapters, Broadcaster
from mintline_broadcaster.config import BroadcasterConfig
from mintline_broadcaster.fees import FeeCaps
from mintline_broadcaster.metrics import Metrics
from mintline_testkit.broadcaster.harness import GAS, PATIENCE
from mintline_testkit.broadcaster.store import MemoryTransactionStore
from mintline_testkit.queues import MemoryQueues
from tests.unit.broadcaster.test_vouchers import NOW, OTHER, Harness, transaction

REDEEM = transaction()
DAY = 86_400_000


@dataclass
class SlowStore(MemoryTransactionStore):
    """A store that counts what was read, and may be slow to hand it over."""

    read: int = 0
    reading: asyncio.Event = field(default_factory=asyncio.Event)
    handed_over: asyncio.Event | None = None

    async def operations(self, ids: Iterable[str]) -> dict[str, Operation]:
        operations = await super().operations(ids)
        self.read += len(operations)
        self.reading.set()
        if self.handed_over is not None:
            await self.handed_over.wait()
        return operations


class Copy:
    """A copy of the broadcaster over a mint whose voucher was issued a day ago."""

    def __init__(self) -> None:
        self.store = SlowStore()
        self.line = Harness(store=self.store)
        self.line.put(MintStatus.ISSUED, created_at=NOW - DAY, updated_at=NOW - DAY)
        self.registry = CollectorRegistry()
        self.broadcaster = Broadcaster(
            Adapters(
                store=self.store, vouchers=self.line.vouchers, chain=self.line.chain, outbox=MemoryQueues()
            ),
            BroadcasterConfig(
                chain_id=31337,
                issuer=OTHER,
                caps=FeeCaps(1, 1),
                transfer_gas=GAS,
                patience=PATIENCE,
                sweep_interval=15,
            ),
            metrics=Metrics(self.registry),
            now=lambda: self.line.now,
            sleep=asyncio.sleep,
            rng=random.Random(1),
        )

    async def sweep(self) -> int:
        """Sweep a little later; return how many mints that read."""
        before, self.line.now = self.store.read, self.line.now + 15_000
        await self.broadcaster._sweeper.sweep()
        return self.store.read - before

    @property
    def oldest_open(self) -> float | None:
        return self.registry.get_sample_value("mintline_broadcaster_oldest_open_seconds")


async def test_voucher__when_it_is_redeemed_while_it_rests__then_the_next_pass_knows_it() -> None:
    copy = Copy()

    resting = [await copy.sweep(), await copy.sweep()]
    await copy.broadcaster.handle(REDEEM)
    redeemed = await copy.sweep()

    assert (resting, redeemed) == ([1, 0], 1)
    assert copy.line.mint.status is MintStatus.SUBMITTED
    assert copy.oldest_open == DAY / 1000 + 3 * 15


async def test_voucher__when_it_is_redeemed_while_it_is_read__then_the_next_pass_reads_it_too() -> None:
    copy = Copy()
    copy.store.handed_over = asyncio.Event()

    sweeping = asyncio.create_task(copy.sweep())
    await copy.store.reading.wait()
    await copy.broadcaster.handle(REDEEM)
    copy.store.handed_over.set()

    assert await sweeping == 1
    assert await copy.sweep() == 1
