"""The broadcaster, wired."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
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
from mintline.messages import (
    AnyMessage,
    Broadcast,
    ReviewMint,
    SelfRedeem,
    SigningRefused,
    VoucherIssued,
)
from mintline.nodes import open_rpc
from mintline.queueing import SendingPort
from mintline.resources import BROADCAST, MINTS
from mintline.tasks import cut_off
from mintline.tracing import carrying, open_tracer
from mintline_broadcaster.carried import check_carried, check_issued
from mintline_broadcaster.counted import CountedChain, CountedLedger, CountedOutbox, CountedVouchers
from mintline_broadcaster.dynamo import DynamoLedger
from mintline_broadcaster.fees import FeeCaps
from mintline_broadcaster.handlers import broadcast, refuse, review
from mintline_broadcaster.metrics import Metrics
from mintline_broadcaster.ports import Chain, Ledger, Vouchers
from mintline_broadcaster.settings import BroadcasterSettings
from mintline_broadcaster.sweep import Sweeper
from mintline_broadcaster.voucher_store import DynamoVouchers
from mintline_broadcaster.vouchers import issue, relay
from mintline_broadcaster.watch import Watch

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
        node = Node(rpc, witnesses=rpc)

        ledger = CountedLedger(DynamoLedger(dynamo, chain_id=settings.chain_id), metrics)
        chain, outbox = CountedChain(node, metrics), CountedOutbox(carrying(queues, tracer), metrics)
        caps = FeeCaps(settings.fee_cap, settings.priority_fee_cap)
        watch = Watch(
            ledger=ledger,
            chain=chain,
            outbox=outbox,
            caps=caps,
            patience=settings.patience(),
            metrics=metrics,
        )
        sweeper = Sweeper(
            ledger=ledger,
            watch=watch,
            outbox=outbox,
            chain_id=settings.chain_id,
            stage_deadline=settings.stage_deadline,
            look_after=settings.look_after,
            metrics=metrics,
            now=_now,
        )

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
            handle=_handler(
                ledger=ledger,
                vouchers=CountedVouchers(DynamoVouchers(dynamo), metrics),
                chain=chain,
                outbox=outbox,
                watch=watch,
                caps=caps,
                issuer=settings.issuer.address,
            ),
            concurrency=settings.concurrency,
            receivers=RECEIVERS,
            wait=settings.receive_wait,
            metrics=metrics.consumer,
            tracer=tracer,
        )
        _start(stack, sweeper, settings, stop)
        await consumer.run(stop)


def _handler(
    *,
    ledger: Ledger,
    vouchers: Vouchers,
    chain: Chain,
    outbox: SendingPort,
    watch: Watch,
    caps: FeeCaps,
    issuer: str,
) -> Callable[[AnyMessage], Awaitable[None]]:
    async def handle(message: AnyMessage) -> None:
        now = _now()
        match message:
            case Broadcast():
                check_carried(message)
                await broadcast(message, ledger=ledger, chain=chain, outbox=outbox, caps=caps, now=now)
            case VoucherIssued():
                check_issued(message, issuer=issuer)
                await issue(message, vouchers=vouchers, now=now)
            case SelfRedeem():
                await relay(message, ledger=ledger, vouchers=vouchers, chain=chain, now=now)
            case SigningRefused():
                await refuse(message, ledger=ledger, outbox=outbox, caps=caps, now=now)
            case ReviewMint():
                await review(
                    message, ledger=ledger, chain=chain, outbox=outbox, watch=watch, caps=caps, now=now
                )
            case _:
                raise Rejected("misrouted", f"{message.type} does not belong on {BROADCAST.name}")

    return handle


def _start(
    stack: AsyncExitStack, sweeper: Sweeper, settings: BroadcasterSettings, stop: asyncio.Event
) -> None:
    """Sweep until `stop`; a pass that is cut off is no loss, as the next one, anywhere, starts over."""
    sweeping = asyncio.create_task(
        sweeper.run(
            stop,
            interval=settings.sweep_interval,
            sleep=asyncio.sleep,
            rng=random.Random(),  # noqa: S311 - jitter, not a secret
        ),
        name="sweep",
    )
    stack.push_async_callback(cut_off, sweeping)


def _now() -> int:
    return time.time_ns() // 1_000_000
