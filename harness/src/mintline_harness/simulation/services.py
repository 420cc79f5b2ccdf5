"""The services as simulated processes, each over adapters of the simulated world.

What a planted bug replaces comes in through `Parts`; everything else is the services' own code.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache, partial

from prometheus_client import CollectorRegistry

from mintline.chain.rpc import RpcError
from mintline.clock import Monotonic, UnixMs, UnixSeconds
from mintline.errors import Retryable
from mintline.resources import BROADCAST, BUILD, SIGN
from mintline_broadcaster.broadcaster import Adapters as BroadcasterAdapters
from mintline_broadcaster.metrics import Metrics as BroadcasterMetrics
from mintline_builder.builder import Adapters, Builder
from mintline_builder.metrics import Metrics as BuilderMetrics
from mintline_harness.simulation.accounts import CHAIN_ID, ISSUER
from mintline_harness.simulation.enclave import SimulatedEnclave
from mintline_harness.simulation.parts import (
    BROADCASTING,
    POLL_INTERVAL,
    Environment,
    building,
    consume,
    node_over,
)
from mintline_harness.simulation.process import Process
from mintline_harness.simulation.watched import SponsoredAuthorizations
from mintline_indexer.indexer import Indexer
from mintline_indexer.metrics import Metrics as IndexerMetrics
from mintline_signer.host.service import handle as sign_message
from mintline_testkit.builder.tables import MemoryCollections
from mintline_testkit.notices import MemoryNotices

BUILDER_CONCURRENCY = 128
"""The service's own default: as many mints can wait for one batch."""


async def serve_builder(process: Process, environment: Environment) -> None:
    """Run a builder."""
    tables, metrics = environment.tables, _builder_metrics()
    builder = Builder(
        Adapters(
            accounts=environment.parts.accounts(process, tables.builder),
            operations=environment.parts.operations(process, tables),
            collections=process.port(MemoryCollections(tables.builder)),
            metadata=process.port(tables.metadata),
            chain=environment.parts.builder_chain(node_over(environment.endpoints.rpc(process), process)),
            outbox=process.port(environment.queues),
            notices=MemoryNotices(),
        ),
        building(environment.voucher_ttl),
        metrics=metrics,
        now=lambda: UnixSeconds(process.now()),
        clock=lambda: Monotonic(process.clock()),
        sleep=asyncio.sleep,
        rng=environment.rng,
    )
    await consume(process, environment, BUILD, builder.handle, concurrency=BUILDER_CONCURRENCY)


async def serve_signer(process: Process, environment: Environment) -> None:
    """Run a signer's host and its enclave, which remembers what it signed until it dies with its host."""
    enclave = SimulatedEnclave(
        environment.custody,
        environment.parts,
        now=lambda: UnixSeconds(environment.true_time()),
        signed=environment.signed,
        refused=environment.refused,
    )
    handle = partial(
        sign_message,
        queues=process.port(environment.queues),
        keys=process.port(environment.custody),
        authorizations=process.port(
            SponsoredAuthorizations(
                environment.tables.ledger.authorizations, environment.tables.builder.chunks
            )
        ),
        enclave=process.port(enclave),
        issuer=ISSUER,
    )
    await consume(process, environment, SIGN, handle)


async def serve_broadcaster(process: Process, environment: Environment) -> None:
    """Run a broadcaster, its sweep included."""
    adapters = BroadcasterAdapters(
        store=process.port(environment.tables.ledger),
        vouchers=process.port(environment.tables.vouchers),
        chain=node_over(environment.endpoints.rpc(process), process),
        outbox=process.port(environment.queues),
    )
    broadcaster = environment.parts.broadcaster(
        environment.parts.broadcasting(adapters),
        BROADCASTING,
        metrics=_broadcaster_metrics(),
        now=process.milliseconds,
        sleep=asyncio.sleep,
        rng=environment.rng,
    )
    sweeping = asyncio.create_task(broadcaster.sweep(asyncio.Event()))
    await asyncio.gather(sweeping, consume(process, environment, BROADCAST, broadcaster.handle))


async def serve_indexer(process: Process, environment: Environment) -> None:
    """Run an indexer."""
    rpc = environment.endpoints.rpc(process, seldom=True)
    indexer = Indexer(
        chain=environment.parts.indexed_chain(node_over(rpc, process), rpc),
        store=process.port(environment.tables.store, seldom=True),
        collections=environment.tables.collections,
        chain_id=CHAIN_ID,
        writer=f"{process.name}-{process.generation}",
        takeover_after=15.0,
        widest=2_000,
        whole=5_000,
        metrics=_indexer_metrics(),
        outbox=process.port(environment.queues),
        clock=lambda: Monotonic(process.clock()),
        now=lambda: UnixMs(process.milliseconds()),
        rng=environment.rng,
        rows_at_once=3,
    )
    while True:
        try:
            more = await indexer.poll()
        except (Retryable, RpcError):
            more = False
        if not more:
            await asyncio.sleep(POLL_INTERVAL)


@lru_cache(maxsize=1)
def _builder_metrics() -> BuilderMetrics:
    """Return metrics that nobody reads: making them takes as long as a whole schedule."""
    return BuilderMetrics(CollectorRegistry())


@lru_cache(maxsize=1)
def _broadcaster_metrics() -> BroadcasterMetrics:
    return BroadcasterMetrics(CollectorRegistry())


@lru_cache(maxsize=1)
def _indexer_metrics() -> IndexerMetrics:
    return IndexerMetrics(CollectorRegistry())
