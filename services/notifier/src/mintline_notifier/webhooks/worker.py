"""Shares the webhooks among the notifier's copies, and keeps each one's deliveries going.

Webhooks are in a few shards. A process has a shard by a lease, and takes at most one free shard a pass, so
that processes that start together share them. Each webhook has a task of its own while it has something to
do: a receiver that is slow, or not there, delays no other webhook.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from mintline.errors import Conflict, MintlineError, Retryable, Unusable
from mintline.records.keys import OPEN_SHARDS
from mintline.tasks import all_ended
from mintline.tracebacks import frames
from mintline.webhooks.records import Webhook
from mintline_notifier.webhooks.delivery import Delivery
from mintline_notifier.webhooks.ports import WebhookStore

POLL_SECONDS = 1.0
IDLE_SECONDS = 4.0
"""Between two looks while no shard of this process has a webhook; less than `RENEW_MS`."""
LEASE_MS = 30_000
RENEW_MS = 15_000
SHARDS = tuple(str(shard) for shard in range(OPEN_SHARDS))

log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class WebhookWorker:
    """Delivers for the webhooks of the shards that it has; `owner` names this process.

    `now` returns Unix milliseconds.
    """

    owner: str
    store: WebhookStore
    delivery: Delivery
    now: Callable[[], int]
    shards: Callable[[int], None] = lambda _: None
    """Is told how many shards this process has."""
    _leased: dict[str, int] = field(default_factory=dict)
    """Until when, for each shard."""
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def poll(self) -> float:
        """Do one pass, and return how many seconds to wait before the next."""
        await self._lease()
        self.shards(len(self._leased))
        idle = len(self._leased) == len(SHARDS)
        for webhook in await self.store.open(tuple(self._leased)):
            idle = False
            if webhook.webhook_id not in self._tasks:
                self._start(webhook)
        return IDLE_SECONDS if idle else POLL_SECONDS

    async def _lease(self) -> None:
        """Renew what this process has, and take one more shard if one is free."""
        now = self.now()
        due = [shard for shard, until in self._leased.items() if until - now <= LEASE_MS - RENEW_MS]
        # Together, so that they share requests.
        renewed = await asyncio.gather(*(self._take(shard, now) for shard in due), return_exceptions=True)
        for shard, kept in zip(due, renewed, strict=True):
            if isinstance(kept, BaseException):
                raise kept
            if not kept:
                del self._leased[shard]
                log.warning("webhook_shard_lost", shard=shard)
        # Each process begins elsewhere, so that they seldom try for the same one.
        first = hash(self.owner) % len(SHARDS)
        for shard in (*SHARDS[first:], *SHARDS[:first]):
            if shard not in self._leased and await self._take(shard, now):
                log.info("webhook_shard_taken", shard=shard)
                return

    async def _take(self, shard: str, now: int) -> bool:
        until = now + LEASE_MS
        if await self.store.lease(shard, self.owner, now=now, until=until):
            self._leased[shard] = until
            return True
        return False

    def _start(self, webhook: Webhook) -> None:
        webhook_id = webhook.webhook_id
        task = asyncio.create_task(self._work(webhook), name=f"deliver for {webhook_id}")
        self._tasks[webhook_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(webhook_id, None))

    async def _work(self, webhook: Webhook) -> None:
        """Do rounds for a webhook until nothing is due; what fails is left to the next pass."""
        try:
            while await self.delivery.run(webhook):
                pass
        except Conflict:
            log.info("webhook_moved_meanwhile", webhook_id=webhook.webhook_id)
        except (Retryable, Unusable) as error:
            log.warning("webhook_round_failed", webhook_id=webhook.webhook_id, error=str(error))
        except Exception as error:  # noqa: BLE001 - one webhook must not stop the others
            # No text of the error: it may quote what it was about.
            log.error(  # noqa: TRY400
                "webhook_round_broke",
                webhook_id=webhook.webhook_id,
                error=type(error).__name__,
                frames=frames(error),
            )

    async def settle(self) -> None:
        """Wait until no webhook is being worked on."""
        while self._tasks:
            await all_ended(tuple(self._tasks.values()))

    async def aclose(self) -> None:
        """Stop, and give the shards to other processes. What was on its way is sent again by them."""
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await all_ended(tasks)
        for shard in tuple(self._leased):
            try:
                await self.store.release(shard, self.owner)
            except MintlineError as error:
                log.warning("webhook_shard_not_released", shard=shard, error=str(error))
        self._leased.clear()
