"""The broadcaster, wired."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from functools import partial

import structlog

from mintline.admin import Admin, Check, process_registry
from mintline.aws.dynamo import Dynamo
from mintline.aws.queues import Queues
from mintline.aws.session import open_client
from mintline.chain.node import Node
from mintline.consumer import Consumer
from mintline.errors import Rejected
from mintline.messages import AnyMessage, Broadcast, SigningRefused
from mintline.nodes import open_rpc
from mintline.resources import BROADCAST, MINTS
from mintline.tracing import carrying, open_tracer
from mintline_broadcaster.counted import CountedChain, CountedLedger, CountedOutbox
from mintline_broadcaster.dynamo import DynamoLedger
from mintline_broadcaster.fees import FeeCaps
from mintline_broadcaster.handlers import broadcast, refuse
from mintline_broadcaster.metrics import Metrics
from mintline_broadcaster.settings import BroadcasterSettings

RECEIVERS = 4

log = structlog.get_logger(__name__)


async def run(settings: BroadcasterSettings, stop: asyncio.Event) -> None:
    """Consume `broadcast.fifo` until `stop` is set."""
    async with AsyncExitStack() as stack:
        tracer = open_tracer(stack, "broadcaster", settings)
        registry = process_registry()
        metrics = Metrics(registry)
        sqs = await open_client(stack, "sqs", settings, calls=metrics.aws)
        dynamodb = await open_client(stack, "dynamodb", settings, calls=metrics.aws)
        queues = Queues(sqs, settings.resource_prefix)
        stack.push_async_callback(queues.aclose)
        dynamo = Dynamo(dynamodb, settings.resource_prefix)
        stack.push_async_callback(dynamo.aclose)
        rpc = await open_rpc(stack, settings, observer=metrics.rpc)
        node = Node(rpc, witnesses=rpc)

        ledger = CountedLedger(DynamoLedger(dynamo), metrics)
        chain, outbox = CountedChain(node, metrics), CountedOutbox(carrying(queues, tracer), metrics)
        caps = FeeCaps(settings.fee_cap, settings.priority_fee_cap)

        async def handle(message: AnyMessage) -> None:
            now = time.time_ns() // 1_000_000
            match message:
                case Broadcast():
                    await broadcast(message, ledger=ledger, chain=chain, outbox=outbox, caps=caps, now=now)
                case SigningRefused():
                    await refuse(message, ledger=ledger, outbox=outbox, caps=caps, now=now)
                case _:
                    raise Rejected("misrouted", f"{message.type} does not belong on {BROADCAST.name}")

        checks: dict[str, Check] = {
            "queue": partial(queues.ping, BROADCAST),
            "mints": partial(dynamo.ping, MINTS),
            "chain": rpc.check_chain,
        }
        admin = Admin(host=settings.admin_host, port=settings.admin_port, checks=checks, registry=registry)
        await stack.enter_async_context(admin)
        log.info("broadcaster_ready", admin_port=admin.port)
        consumer = Consumer(
            queues=queues,
            queue=BROADCAST,
            handle=handle,
            concurrency=settings.concurrency,
            receivers=RECEIVERS,
            wait=settings.receive_wait,
            metrics=metrics.consumer,
            tracer=tracer,
        )
        await consumer.run(stop)
