"""The broadcaster's wiring, from settings to a running consumer."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from functools import partial

import structlog

from mintline.admin import Admin, Check, process_registry
from mintline.aws.dynamo import Dynamo
from mintline.aws.queues import Queues
from mintline.aws.session import open_client
from mintline.chain.node import Node
from mintline.clock import unix_ms
from mintline.consumer import Consumer
from mintline.resources import BROADCAST, MINTS, TRANSACTIONS
from mintline.rpc_factory import open_rpc
from mintline.tasks import cut_off
from mintline.tracer_factory import open_tracer
from mintline.tracing import with_tracing
from mintline_broadcaster.broadcaster import Adapters, Broadcaster
from mintline_broadcaster.dynamo import DynamoTransactionStore
from mintline_broadcaster.metrics import Metrics
from mintline_broadcaster.settings import BroadcasterSettings
from mintline_broadcaster.voucher_store import DynamoVoucherStore

RECEIVERS = 4

log = structlog.get_logger(__name__)


async def run(settings: BroadcasterSettings, stop: asyncio.Event) -> None:
    """Consume `broadcast.fifo` until `stop` is set."""
    async with AsyncExitStack() as stack:
        tracer = open_tracer(stack, "broadcaster", settings)
        registry = process_registry()
        metrics = Metrics(registry)
        metrics.aws.tracer = tracer
        sqs = await open_client(stack, "sqs", settings, calls=metrics.aws)
        dynamodb = await open_client(stack, "dynamodb", settings, calls=metrics.aws)
        queues = Queues(sqs, settings.resource_prefix)
        stack.push_async_callback(queues.aclose)
        dynamo = Dynamo(dynamodb, settings.resource_prefix)
        stack.push_async_callback(dynamo.aclose)
        rpc = await open_rpc(stack, settings, observer=metrics.rpc, tracer=tracer)
        broadcaster = Broadcaster(
            Adapters(
                store=DynamoTransactionStore(dynamo, chain_id=settings.chain_id, set_aside=metrics.set_aside),
                vouchers=DynamoVoucherStore(dynamo, set_aside=metrics.set_aside),
                chain=Node(rpc, endpoints=rpc),
                outbox=with_tracing(queues, tracer),
            ),
            settings.config(),
            metrics=metrics,
            now=unix_ms,
            sleep=asyncio.sleep,
            rng=random.Random(),  # noqa: S311 - jitter, not a secret
        )
        checks: dict[str, Check] = {
            "queue": partial(queues.ping, BROADCAST),
            "mints": partial(dynamo.ping, MINTS),
            "transactions": partial(dynamo.ping, TRANSACTIONS),
            "chain": rpc.check_chain,
        }
        admin = Admin(
            host=settings.admin_host,
            port=settings.admin_port,
            checks=checks,
            registry=registry,
            metrics_namespace=settings.metrics_namespace,
        )
        await stack.enter_async_context(admin)
        log.info("broadcaster_ready", admin_port=admin.port)
        consumer = Consumer(
            queues=queues,
            queue=BROADCAST,
            handle=broadcaster.handle,
            concurrency=settings.concurrency,
            receivers=RECEIVERS,
            wait=settings.receive_wait,
            metrics=metrics.consumer,
            tracer=tracer,
        )
        sweeping = asyncio.create_task(broadcaster.sweep(stop), name="sweep")
        stack.push_async_callback(cut_off, sweeping)
        await consumer.run(stop)
