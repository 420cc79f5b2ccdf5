"""The notifier, wired."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import AsyncExitStack, suppress
from functools import partial

import structlog

from mintline.admin import Admin, Check, process_registry
from mintline.aws.dynamo import Dynamo
from mintline.aws.event_log import DynamoEventLog
from mintline.aws.session import open_client
from mintline.clock import unix_ms
from mintline.errors import Retryable
from mintline.resources import EVENTS
from mintline.tracer_factory import open_tracer
from mintline_notifier.cursors import DynamoCursors
from mintline_notifier.dynamo_streams import DynamoStreams
from mintline_notifier.expander import Expander
from mintline_notifier.follower import Follower
from mintline_notifier.late import LateEvents
from mintline_notifier.metrics import Metrics
from mintline_notifier.records import DynamoRecords
from mintline_notifier.settings import NotifierSettings
from mintline_notifier.webhooks.run import deliver_webhooks

LONGEST_BACKOFF = 5.0
IDLE_FACTOR = 2
FAREWELL = 5.0
"""Seconds, at shutdown, for the round to finish, and for the lease to be handed over."""

log = structlog.get_logger(__name__)


async def run(settings: NotifierSettings, stop: asyncio.Event) -> None:
    """Read the change streams, or stand by, and deliver webhooks, until `stop` is set."""
    async with AsyncExitStack() as stack:
        tracer = open_tracer(stack, "notifier", settings)
        registry = process_registry()
        metrics = Metrics(registry)
        metrics.aws.tracer = tracer
        prefix = settings.resource_prefix
        owner = settings.instance or uuid.uuid4().hex
        tables = await open_client(stack, "dynamodb", settings, calls=metrics.aws)
        dynamo = Dynamo(tables, prefix)
        stack.push_async_callback(dynamo.aclose)
        streams = await open_client(stack, "dynamodbstreams", settings, calls=metrics.aws)
        kms = await open_client(
            stack, "kms", settings, calls=metrics.aws, endpoint_url=settings.kms_endpoint_url
        )
        events = DynamoEventLog(dynamo, now=unix_ms)
        records = DynamoRecords(dynamo, set_aside=metrics.set_aside)

        def expander() -> Expander:
            return Expander(records, public_url=settings.public_url, set_aside=metrics.set_aside)

        def late(expands: Expander) -> LateEvents:
            return LateEvents(records=records, expander=expands, events=events, set_aside=metrics.set_aside)

        follower = Follower(
            streams=DynamoStreams(streams, tables, prefix),
            cursors=DynamoCursors(dynamo),
            events=events,
            expander=expander,
            late=late,
            owner=owner,
            metrics=metrics,
            now=unix_ms,
        )
        checks: dict[str, Check] = {"events": partial(dynamo.ping, EVENTS)}
        admin = Admin(
            host=settings.admin_host,
            port=settings.admin_port,
            checks=checks,
            registry=registry,
            metrics_namespace=settings.metrics_namespace,
        )
        await stack.enter_async_context(admin)
        await deliver_webhooks(
            stack,
            stop,
            owner=owner,
            dynamo=dynamo,
            events=events,
            kms=kms,
            prefix=prefix,
            allow_loopback=settings.webhook_allow_loopback,
            metrics=metrics.webhooks,
            set_aside=metrics.set_aside,
            now=unix_ms,
        )
        log.info("notifier_ready", admin_port=admin.port)
        following = asyncio.create_task(_follow(follower, settings, stop))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({following, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        await _end(following)
        with suppress(Retryable, TimeoutError):
            async with asyncio.timeout(FAREWELL):
                await follower.step_down()


async def _end(following: asyncio.Task[None]) -> None:
    """Let the round finish, for a while: cutting it off is safe, but leaves the lease held."""
    done, _ = await asyncio.wait({following}, timeout=FAREWELL)
    if not done:
        following.cancel()
        await asyncio.wait({following})
    elif (error := following.exception()) is not None:
        raise error


async def _follow(follower: Follower, settings: NotifierSettings, stop: asyncio.Event) -> None:
    """Poll at the interval while there is something, and more slowly while there is nothing."""
    failures, pause = 0, settings.event_poll_interval
    longest = settings.event_poll_interval * IDLE_FACTOR
    while not stop.is_set():
        try:
            busy = await follower.poll()
        except Retryable as error:
            failures += 1
            pause = min(LONGEST_BACKOFF, settings.event_poll_interval * 2 ** min(failures, 8))
            log.warning("round_failed", error=type(error).__name__, reason=str(error), retry_in=pause)
        else:
            failures = 0
            pause = settings.event_poll_interval if busy else min(longest, pause * 1.1)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await stop.wait()
