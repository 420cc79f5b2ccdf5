"""The builder's wiring, from settings to a running consumer."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import structlog

from mintline.admin import Admin, Check, process_registry
from mintline.aws.dynamo import Dynamo
from mintline.aws.notices import DynamoNotices
from mintline.aws.queues import Queues
from mintline.aws.session import open_client
from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.clock import monotonic, unix_seconds
from mintline.consumer import Consumer
from mintline.resources import ACCOUNTS, BUILD
from mintline.rpc_factory import open_rpc
from mintline.tracer_factory import open_tracer
from mintline.tracing import Tracer, with_tracing
from mintline_builder.builder import Adapters, Builder
from mintline_builder.dynamo_accounts import DynamoAccounts
from mintline_builder.dynamo_operations import DynamoCollections, DynamoOperations
from mintline_builder.metadata_publisher import S3MetadataPublisher
from mintline_builder.metrics import Metrics
from mintline_builder.settings import Settings

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _World:
    """The adapters that everything else is made of."""

    queues: Queues
    dynamo: Dynamo
    metadata: S3MetadataPublisher
    rpc: Rpc
    node: Node


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Build mints until `stop` is set."""
    async with AsyncExitStack() as stack:
        tracer = open_tracer(stack, "builder", settings)
        registry = process_registry()
        metrics = Metrics(registry)
        metrics.aws.tracer = tracer
        world = await _open(stack, settings, metrics)
        builder = _assemble(settings, world, metrics, tracer)
        stack.push_async_callback(builder.aclose)
        checks: dict[str, Check] = {
            "sqs": partial(world.queues.ping, BUILD),
            "dynamodb": partial(world.dynamo.ping, ACCOUNTS),
            "chain": world.rpc.check_chain,
        }
        await stack.enter_async_context(
            Admin(
                host=settings.admin_host,
                port=settings.admin_port,
                checks=checks,
                registry=registry,
                metrics_namespace=settings.metrics_namespace,
            )
        )
        consumer = Consumer(
            queues=world.queues,
            queue=BUILD,
            handle=builder.handle,
            concurrency=settings.concurrency,
            wait=settings.receive_wait,
            metrics=metrics.consumer,
            tracer=tracer,
        )
        await consumer.run(stop)


async def _open(stack: AsyncExitStack, settings: Settings, metrics: Metrics) -> _World:
    prefix, calls = settings.resource_prefix, metrics.aws
    queues = Queues(await open_client(stack, "sqs", settings, calls=calls), prefix)
    stack.push_async_callback(queues.aclose)
    dynamo = Dynamo(await open_client(stack, "dynamodb", settings, calls=calls), prefix)
    stack.push_async_callback(dynamo.aclose)
    s3 = await open_client(stack, "s3", settings, calls=calls)
    rpc = await open_rpc(stack, settings, observer=metrics.rpc, tracer=calls.tracer)
    metadata = S3MetadataPublisher(s3, prefix, settings.chain_id, conflicts=metrics.metadata_conflicts.inc)
    return _World(queues, dynamo, metadata, rpc, Node(rpc, endpoints=rpc))


def _assemble(settings: Settings, world: _World, metrics: Metrics, tracer: Tracer) -> Builder:
    adapters = Adapters(
        accounts=DynamoAccounts(world.dynamo, settings.chain_id, set_aside=metrics.set_aside),
        operations=DynamoOperations(world.dynamo, set_aside=metrics.set_aside),
        collections=DynamoCollections(world.dynamo, settings.chain_id, set_aside=metrics.set_aside),
        metadata=world.metadata,
        chain=world.node,
        outbox=with_tracing(world.queues, tracer),
        notices=DynamoNotices(world.dynamo),
    )
    return Builder(
        adapters,
        settings.config(),
        metrics=metrics,
        now=unix_seconds,
        clock=monotonic,
        sleep=asyncio.sleep,
        rng=random.Random(),  # noqa: S311 - jitter, not a secret
        tracer=tracer,
    )
