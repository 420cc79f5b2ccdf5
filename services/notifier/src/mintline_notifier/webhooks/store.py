"""Webhooks in DynamoDB, as the notifier needs them.

::

    webhooks           version_before ─▶ Conflict: its owner, or another process, changed it
    webhook-progress   version_before ─▶ Conflict: another process delivers for it, or it was deleted
                       free_or_mine   ─▶ another process has the shard's lease
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import structlog

from mintline.aws.dynamo import Clause, ConditionFailed, Delete, Dynamo, Item, Put
from mintline.aws.errors import AwsRefused
from mintline.aws.records import read, readable, to_item
from mintline.aws.webhooks import attempt_item, lease_key, webhook_item
from mintline.errors import Retryable
from mintline.resources import WEBHOOK_ATTEMPTS, WEBHOOK_PROGRESS, WEBHOOKS
from mintline.set_aside import SetAside
from mintline.webhooks.records import Attempt, Webhook, WebhookProgress

log = structlog.get_logger(__name__)

_OPEN = WEBHOOKS.index("open")
_PAGE = 200
_FEW = 20
"""So many webhooks at most are read by one statement, whose answer comes ten items at a time on AWS."""


class DynamoWebhooks:
    """The tables of webhooks, of their progress and of their attempts."""

    def __init__(self, dynamo: Dynamo, *, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._set_aside = set_aside or SetAside()
        self._few = True
        """Whether there were few open webhooks the last time."""
        self._may_select = True
        """Whether the role has not been found to lack statements, as that of an older stack does."""

    async def lease(self, shard: str, owner: str, *, now: int, until: int) -> bool:
        key = lease_key(shard)
        item = await self._dynamo.get(WEBHOOK_PROGRESS, key)
        leased: Item = {**key, "owner": owner, "until": until}
        where: tuple[Clause, ...]
        if item is None:
            where = (Clause("free", "webhook_id", "missing"),)
        elif item["owner"] == owner or (isinstance(item["until"], int) and item["until"] < now):
            where = tuple(Clause(f"same_{name}", name, "eq", (item[name],)) for name in ("owner", "until"))
        else:
            return False
        try:
            await self._dynamo.write(Put(WEBHOOK_PROGRESS, leased, where=where))
        except ConditionFailed:
            return False
        return True

    async def release(self, shard: str, owner: str) -> None:
        mine = Clause("mine", "owner", "eq", (owner,))
        with suppress(ConditionFailed):
            await self._dynamo.write(Delete(WEBHOOK_PROGRESS, lease_key(shard), where=(mine,)))

    async def open(self, shards: Sequence[str]) -> list[Webhook]:
        """Read them by one statement while they are few, else by a query for each shard.

        A shard that is not read stops none of the others. Raises Retryable if none is.
        """
        items = await self._selected(shards) if self._few and self._may_select else None
        if items is None:
            items = await self._each_queried(shards)
        self._few = len(items) <= _FEW
        return [webhook for _, webhook in readable(Webhook, WEBHOOKS, items, self._set_aside)]

    async def _selected(self, shards: Sequence[str]) -> list[Item] | None:
        try:
            return await self._dynamo.query_sparse(WEBHOOKS, index=_OPEN, partitions=shards, limit=_PAGE)
        except AwsRefused:
            self._may_select = False
        except Retryable:
            pass
        return None

    async def _each_queried(self, shards: Sequence[str]) -> list[Item]:
        parts: list[list[Item]] = []
        failures: list[Retryable] = []
        for part in await asyncio.gather(*map(self._shard, shards), return_exceptions=True):
            if isinstance(part, Retryable):
                failures.append(part)
            elif isinstance(part, BaseException):
                raise part
            else:
                parts.append(part)
        if failures:
            log.warning("webhook_shards_unread", shards=len(failures), reason=str(failures[0]))
            if not parts:
                raise failures[0]
        return [item for part in parts for item in part]

    async def _shard(self, shard: str) -> list[Item]:
        items: list[Item] = []
        start: Item | None = None
        while True:
            page = await self._dynamo.query(WEBHOOKS, index=_OPEN, partition=shard, limit=_PAGE, start=start)
            items += page.items
            if page.next is None:
                return items
            start = page.next

    async def progress(self, webhook_id: str) -> WebhookProgress | None:
        item = await self._dynamo.get(WEBHOOK_PROGRESS, {"webhook_id": webhook_id})
        return None if item is None else read(WebhookProgress, WEBHOOK_PROGRESS, item, self._set_aside)

    async def advance(self, progress: WebhookProgress) -> None:
        before = Clause("version_before", "version", "eq", (progress.version - 1,))
        await self._dynamo.write(Put(WEBHOOK_PROGRESS, to_item(progress), where=(before,)))

    async def replace(self, webhook: Webhook) -> None:
        before = Clause("version_before", "version", "eq", (webhook.version - 1,))
        await self._dynamo.write(Put(WEBHOOKS, webhook_item(webhook), where=(before,)))

    async def note(self, attempts: Sequence[Attempt]) -> None:
        """Keep attempts for a week."""
        await asyncio.gather(
            *(self._dynamo.write(Put(WEBHOOK_ATTEMPTS, attempt_item(attempt))) for attempt in attempts)
        )
