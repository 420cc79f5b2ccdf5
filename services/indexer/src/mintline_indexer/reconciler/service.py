"""The reconciler, wired."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from functools import partial

import structlog

from mintline.admin import Admin, Check, process_registry
from mintline.aws.dynamo import Dynamo
from mintline.aws.session import open_client
from mintline.chain.node import Node
from mintline.chain.rpc import RpcError
from mintline.clock import monotonic, unix_seconds
from mintline.errors import Retryable
from mintline.resources import CHECKPOINTS
from mintline.rpc_factory import open_rpc
from mintline_indexer.node_chain import NodeChain
from mintline_indexer.reconciler.metrics import Metrics
from mintline_indexer.reconciler.passes import Reconciler
from mintline_indexer.reconciler.reading import Reader
from mintline_indexer.reconciler.settings import ReconcilerSettings

log = structlog.get_logger(__name__)


async def run(settings: ReconcilerSettings, stop: asyncio.Event) -> None:
    """Make one pass, or one every so many seconds until `stop` is set."""
    async with AsyncExitStack() as stack:
        registry = process_registry()
        metrics = Metrics(registry)
        client = await open_client(stack, "dynamodb", settings, calls=metrics.aws)
        dynamo = Dynamo(client, settings.resource_prefix)
        stack.push_async_callback(dynamo.aclose)
        rpc = await open_rpc(stack, settings, observer=metrics.rpc)
        reader = Reader(
            dynamo=dynamo,
            chain=NodeChain(Node(rpc, endpoints=rpc), rpc),
            chain_id=settings.chain_id,
            patience=settings.reconcile_patience,
        )
        reconciler = Reconciler(
            reader,
            blocks=settings.reconcile_blocks,
            metrics=metrics,
            now=unix_seconds,
            clock=monotonic,
        )
        if not settings.reconcile_every:
            await reconciler.newest()
            return
        checks: dict[str, Check] = {
            "dynamodb": partial(dynamo.ping, CHECKPOINTS),
            "chain": rpc.check_chain,
            "passes": partial(reconciler.check_age, 3 * settings.reconcile_every),
        }
        admin = Admin(
            host=settings.admin_host,
            port=settings.admin_port,
            checks=checks,
            registry=registry,
            metrics_namespace=settings.metrics_namespace,
        )
        await stack.enter_async_context(admin)
        log.info("reconciler_ready", admin_port=admin.port)
        await repeat(reconciler, stop, every=settings.reconcile_every)


async def repeat(reconciler: Reconciler, stop: asyncio.Event, *, every: float) -> None:
    """Make passes until `stop` is set; what fails is logged, counted, and tried again with the next."""
    while not stop.is_set():
        try:
            await reconciler.newest()
        except (Retryable, RpcError) as error:
            log.warning("reconcile_failed", error=type(error).__name__, reason=str(error))
        with suppress(TimeoutError):
            async with asyncio.timeout(every):
                await stop.wait()
