"""The wiring of the delivery of webhooks."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from mintline.aws.dynamo import Dynamo
from mintline.events import EventLog
from mintline.set_aside import SetAside
from mintline.tasks import cut_off, repeatedly
from mintline_notifier.webhooks.delivery import Delivery
from mintline_notifier.webhooks.http_sender import HttpSender
from mintline_notifier.webhooks.metrics import WebhookMetrics
from mintline_notifier.webhooks.secrets import KmsSecrets
from mintline_notifier.webhooks.store import DynamoWebhooks
from mintline_notifier.webhooks.worker import POLL_SECONDS, WebhookWorker

if TYPE_CHECKING:
    from types_aiobotocore_kms import KMSClient


async def deliver_webhooks(
    stack: AsyncExitStack,
    stop: asyncio.Event,
    *,
    owner: str,
    dynamo: Dynamo,
    events: EventLog,
    kms: KMSClient,
    prefix: str,
    allow_loopback: bool,
    metrics: WebhookMetrics,
    set_aside: SetAside,
    now: Callable[[], int],
) -> None:
    """Deliver webhooks until `stack` closes, which gives this process's share to others.

    `owner` names this process: one that begins under the name of one that died has its share at once.
    """
    sender = HttpSender(clock=time.monotonic, allow_loopback=allow_loopback)
    await stack.enter_async_context(sender)
    store = DynamoWebhooks(dynamo, set_aside=set_aside)
    rng = random.Random(os.urandom(16))  # noqa: S311 - jitter
    worker = WebhookWorker(
        owner=owner,
        store=store,
        delivery=Delivery(
            store=store,
            events=events,
            secrets=KmsSecrets(kms, prefix=prefix, clock=time.monotonic),
            sender=sender,
            metrics=metrics,
            now=now,
            rng=rng,
        ),
        now=now,
        shards=metrics.shards.set,
    )
    stack.push_async_callback(worker.aclose)
    polling = repeatedly(worker.poll, stop, every=POLL_SECONDS, sleep=asyncio.sleep, rng=rng)
    stack.push_async_callback(cut_off, asyncio.create_task(polling, name="look for webhooks"))
