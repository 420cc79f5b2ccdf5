"""The indexer, wired."""

from __future__ import annotations

import asyncio
import random
import uuid
from contextlib import AsyncExitStack, suppress
from functools import partial

import structlog

from mintline.admin import Admin, Check, process_registry
from mintline.aws.dynamo import Dynamo
from mintline.aws.queues import Queues
from mintline.aws.session import open_client
from mintline.chain.node import Node
from mintline.chain.rpc import RpcError
from mintline.clock import monotonic, unix_ms
from mintline.errors import Conflict, Retryable, Unavailable
from mintline.resources import CHECKPOINTS
from mintline.rpc_factory import listeners, open_rpc
from mintline.tasks import either
from mintline.tracer_factory import open_tracer
from mintline_indexer.dynamo_collections import DynamoCollectionRegistry, SettlingCollectionRegistry
from mintline_indexer.dynamo_store import DynamoStore
from mintline_indexer.indexer import Indexer
from mintline_indexer.metrics import Metrics
from mintline_indexer.node_chain import NodeChain
from mintline_indexer.settings import IndexerSettings

LONGEST_BACKOFF = 5.0
HALTED_INTERVAL = 10.0
"""Seconds between two tries while the index is halted: each is an alarm."""
FAREWELL = 5.0
"""Seconds, at shutdown, for the round to finish, and for the checkpoint to be handed over."""

log = structlog.get_logger(__name__)


async def run(settings: IndexerSettings, stop: asyncio.Event) -> None:
    """Follow the chain, or stand by, until `stop` is set."""
    async with AsyncExitStack() as stack:
        tracer = open_tracer(stack, "indexer", settings)
        registry = process_registry()
        metrics = Metrics(registry)
        metrics.aws.tracer = tracer
        queues = Queues(
            await open_client(stack, "sqs", settings, calls=metrics.aws), settings.resource_prefix
        )
        stack.push_async_callback(queues.aclose)
        client = await open_client(stack, "dynamodb", settings, calls=metrics.aws)
        dynamo = Dynamo(client, settings.resource_prefix)
        stack.push_async_callback(dynamo.aclose)
        rpc = await open_rpc(stack, settings, observer=metrics.rpc, tracer=tracer)
        node = Node(rpc, endpoints=rpc)
        indexer = Indexer(
            chain=NodeChain(node, rpc),
            store=DynamoStore(dynamo, chain_id=settings.chain_id, set_aside=metrics.set_aside),
            collections=SettlingCollectionRegistry(
                DynamoCollectionRegistry(
                    client,
                    prefix=settings.resource_prefix,
                    chain_id=settings.chain_id,
                    set_aside=metrics.set_aside,
                ),
                dynamo,
                set_aside=metrics.set_aside,
            ),
            chain_id=settings.chain_id,
            writer=settings.instance or uuid.uuid4().hex,
            takeover_after=settings.takeover_after,
            widest=settings.backfill_range,
            whole=settings.backfill_whole_blocks,
            metrics=metrics,
            outbox=queues,
            tracer=tracer,
            clock=monotonic,
            now=unix_ms,
            rng=random.Random(),  # noqa: S311 - jitter, not a secret
        )
        checks: dict[str, Check] = {
            "checkpoint": partial(dynamo.ping, CHECKPOINTS),
            "chain": rpc.check_chain,
            "index": partial(_check_index, indexer),
        }
        admin = Admin(
            host=settings.admin_host,
            port=settings.admin_port,
            checks=checks,
            registry=registry,
            metrics_namespace=settings.metrics_namespace,
        )
        await stack.enter_async_context(admin)
        log.info("indexer_ready", admin_port=admin.port)
        woken = asyncio.Event()
        rng = random.Random()  # noqa: S311 - jitter, not a secret

        def wake() -> None:
            metrics.heads.inc()
            woken.set()

        for heads in listeners(settings, wake=wake, rng=rng):
            stack.push_async_callback(_cancelled, asyncio.create_task(heads.listen()))
        following = asyncio.create_task(_follow(indexer, settings, stop, woken))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({following, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        await _end(following)
        with suppress(Retryable, Conflict, TimeoutError):
            async with asyncio.timeout(FAREWELL):
                await indexer.step_down()


async def _check_index(indexer: Indexer) -> None:
    if (trouble := indexer.trouble()) is not None:
        raise Unavailable(trouble)


async def _end(following: asyncio.Task[None]) -> None:
    """Let the round finish, for a while: cutting it off is safe, but leaves the checkpoint held."""
    done, _ = await asyncio.wait({following}, timeout=FAREWELL)
    if not done:
        following.cancel()
        await asyncio.wait({following})
    elif (error := following.exception()) is not None:
        raise error


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})


async def _follow(
    indexer: Indexer, settings: IndexerSettings, stop: asyncio.Event, woken: asyncio.Event
) -> None:
    """Poll at once while there is more, else at the interval, or when a new head is announced."""
    failures = 0
    while not stop.is_set():
        try:
            woken.clear()
            more = await indexer.poll()
        except (Retryable, RpcError) as error:
            failures += 1
            pause = min(LONGEST_BACKOFF, settings.poll_interval * 2 ** min(failures, 8))
            log.warning("round_failed", error=type(error).__name__, reason=str(error), retry_in=pause)
        else:
            failures = 0
            pause = 0.0 if more else HALTED_INTERVAL if indexer.halted else settings.poll_interval
        # Only a round that went well may be followed early: news of heads must not cut a backoff short.
        waiting = stop.wait() if failures or indexer.halted else either(stop, woken)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await waiting
