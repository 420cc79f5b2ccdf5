"""The builder's wiring, from settings to a running consumer."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import structlog

from mintline.admin import Admin, Check, process_registry
from mintline.aws.dynamo import Dynamo
from mintline.aws.queues import Queues
from mintline.aws.session import open_client
from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.consumer import Consumer
from mintline.errors import Rejected
from mintline.messages import AnyMessage, BuildMint, Fees, FundWallet, RenewNonce
from mintline.nodes import open_rpc
from mintline.resources import ACCOUNTS, BUILD
from mintline.tasks import cut_off, repeatedly
from mintline.tracing import Tracer, carrying, open_tracer
from mintline_builder import handlers
from mintline_builder.dynamo import DynamoAccounts, DynamoCollections, DynamoMints
from mintline_builder.fees import offer
from mintline_builder.funds import Funds
from mintline_builder.metrics import Metrics
from mintline_builder.published import PublishedMetadata
from mintline_builder.reserver import Reserver
from mintline_builder.settings import Settings
from mintline_builder.simulation import Simulator
from mintline_builder.token_ids import TokenIds

TEND_SECONDS = 30.0
"""Seconds between two looks at the top-ups that are not settled."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _World:
    """The adapters that everything else is made of."""

    queues: Queues
    dynamo: Dynamo
    metadata: PublishedMetadata
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
        handle = _handler(stack, settings, world, metrics, tracer, stop=stop)
        checks: dict[str, Check] = {
            "sqs": partial(world.queues.ping, BUILD),
            "dynamodb": partial(world.dynamo.ping, ACCOUNTS),
            "chain": world.rpc.check_chain,
        }
        await stack.enter_async_context(
            Admin(host=settings.admin_host, port=settings.admin_port, checks=checks, registry=registry)
        )
        consumer = Consumer(
            queues=world.queues,
            queue=BUILD,
            handle=handle,
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
    metadata = PublishedMetadata(s3, prefix, settings.chain_id)
    return _World(queues, dynamo, metadata, rpc, Node(rpc, witnesses=rpc))


def _tend(stack: AsyncExitStack, funds: Funds, stop: asyncio.Event) -> None:
    """Look after top-ups until `stop`; a round that is cut off then is no loss."""

    async def once() -> float:
        await funds.tend()
        return TEND_SECONDS

    tending = asyncio.create_task(
        repeatedly(
            once,
            stop,
            every=TEND_SECONDS,
            sleep=asyncio.sleep,
            rng=random.Random(),  # noqa: S311 - jitter, not a secret
        ),
        name="tend top-ups",
    )
    stack.push_async_callback(cut_off, tending)


def _handler(
    stack: AsyncExitStack,
    settings: Settings,
    world: _World,
    metrics: Metrics,
    tracer: Tracer,
    *,
    stop: asyncio.Event,
) -> Callable[[AnyMessage], Awaitable[None]]:
    accounts = DynamoAccounts(world.dynamo, settings.chain_id)
    outbox = carrying(world.queues, tracer)
    reserver = Reserver(
        accounts=accounts,
        chain_nonce=world.node.transaction_count,
        sleep=asyncio.sleep,
        rng=random.Random(),  # noqa: S311 - jitter, not a secret
        conflicts=metrics.conflicts.inc,
        jumps=metrics.jumps.inc,
        tracer=tracer,
    )
    stack.push_async_callback(reserver.aclose)
    token_ids = TokenIds(DynamoCollections(world.dynamo, settings.chain_id))
    stack.push_async_callback(token_ids.aclose)
    fees = partial(_fees, world.node, settings)
    funds = Funds(
        treasury=settings.treasury,
        policy=settings.top_up_policy(),
        accounts=accounts,
        reserver=reserver,
        chain=world.node,
        fees=fees,
        outbox=outbox,
        metrics=metrics,
        clock=time.time,
    )
    _tend(stack, funds, stop)
    simulator = Simulator(
        world.node,
        chain_id=settings.chain_id,
        clock=time.monotonic,
        margin=settings.gas_margin,
        max_gas=settings.max_gas,
    )
    build, renew = (
        partial(
            handler,
            terms=handlers.Terms(
                chain_id=settings.chain_id, issuer=settings.issuer, voucher_ttl=settings.voucher_ttl
            ),
            mints=DynamoMints(world.dynamo),
            preparation=handlers.Preparation(
                fees=fees, simulator=simulator, funds=funds, token_ids=token_ids, metadata=world.metadata
            ),
            reserver=reserver,
            outbox=outbox,
            metrics=metrics,
            clock=time.time,
        )
        for handler in (handlers.build, handlers.renew)
    )

    async def handle(message: AnyMessage) -> None:
        match message:
            case BuildMint():
                await build(message)
            case RenewNonce():
                await renew(message)
            case FundWallet():
                await handlers.fund(message, funds=funds)
            case _:
                raise Rejected("message_misrouted", f"{message.type} is not for the builder.")

    return handle


async def _fees(node: Node, settings: Settings) -> Fees:
    return offer(await node.fees(), settings.fee_policy())
