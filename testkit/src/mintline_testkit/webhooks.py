"""Webhooks in memory: their records, their secrets, and receivers to send to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mintline.errors import Conflict
from mintline.records.keys import open_shard
from mintline.webhooks.records import (
    Attempt,
    EncryptedSecret,
    ShardLease,
    Webhook,
    WebhookProgress,
    attempt_key,
)
from mintline.webhooks.signing import SigningSecret
from mintline_notifier.webhooks.ports import Reply


class MemoryWebhooks:
    """The records of webhooks, in dicts; every request lets others go first."""

    def __init__(self) -> None:
        self.webhooks: dict[str, Webhook] = {}
        self.progresses: dict[str, WebhookProgress] = {}
        self.attempts: dict[str, dict[str, Attempt]] = {}
        self.leases: dict[str, ShardLease] = {}

    async def create(self, webhook: Webhook, progress: WebhookProgress) -> None:
        await asyncio.sleep(0)
        assert webhook.webhook_id not in self.webhooks
        self.webhooks[webhook.webhook_id] = webhook
        self.progresses[webhook.webhook_id] = progress

    async def delete(self, webhook: Webhook) -> None:
        """Delete a webhook and its progress; raises Conflict if it was changed."""
        await asyncio.sleep(0)
        if self.webhooks.get(webhook.webhook_id) != webhook:
            raise Conflict("version_before")
        del self.webhooks[webhook.webhook_id]
        del self.progresses[webhook.webhook_id]

    async def of_principal(self, principal: str) -> list[Webhook]:
        await asyncio.sleep(0)
        mine = [webhook for webhook in self.webhooks.values() if webhook.principal == principal]
        return sorted(mine, key=lambda webhook: (webhook.created_at, webhook.webhook_id), reverse=True)

    async def attempts_of(
        self, webhook_id: str, *, limit: int, after: str | None
    ) -> tuple[list[tuple[str, Attempt]], bool]:
        """Return attempts, newest first, and whether there are more."""
        await asyncio.sleep(0)
        kept = self.attempts.get(webhook_id, {})
        keys = [key for key in sorted(kept, reverse=True) if after is None or key < after]
        return [(key, kept[key]) for key in keys[:limit]], len(keys) > limit

    async def lease(self, shard: str, owner: str, *, now: int, until: int) -> bool:
        await asyncio.sleep(0)
        lease = self.leases.get(shard)
        if lease is not None and lease.owner != owner and lease.until >= now:
            return False
        self.leases[shard] = ShardLease(owner=owner, until=until)
        return True

    async def release(self, shard: str, owner: str) -> None:
        await asyncio.sleep(0)
        if shard in self.leases and self.leases[shard].owner == owner:
            del self.leases[shard]

    async def open(self, shards: Sequence[str]) -> list[Webhook]:
        await asyncio.sleep(0)
        return [
            webhook
            for webhook in self.webhooks.values()
            if webhook.open and open_shard(webhook.webhook_id) in shards
        ]

    async def progress(self, webhook_id: str) -> WebhookProgress | None:
        await asyncio.sleep(0)
        return self.progresses.get(webhook_id)

    async def advance(self, progress: WebhookProgress) -> None:
        await asyncio.sleep(0)
        stored = self.progresses.get(progress.webhook_id)
        if stored is None or stored.version != progress.version - 1:
            raise Conflict("version_before")
        self.progresses[progress.webhook_id] = progress

    async def webhook(self, webhook_id: str) -> Webhook | None:
        await asyncio.sleep(0)
        return self.webhooks.get(webhook_id)

    async def replace(self, webhook: Webhook) -> None:
        await asyncio.sleep(0)
        stored = self.webhooks.get(webhook.webhook_id)
        if stored is None or stored.version != webhook.version - 1:
            raise Conflict("version_before")
        self.webhooks[webhook.webhook_id] = webhook

    async def note(self, attempts: Sequence[Attempt]) -> None:
        await asyncio.sleep(0)
        for attempt in attempts:
            kept = self.attempts.setdefault(attempt.webhook_id, {})
            kept[attempt_key(attempt.at, attempt.event_id)] = attempt


class MemorySecrets:
    """Stands in for KMS: what it seals names the webhook, and opens for no other."""

    def __init__(self) -> None:
        self.failure: Exception | None = None

    async def encrypt(self, webhook_id: str, secret: SigningSecret, *, at: int) -> EncryptedSecret:
        """Encrypt a secret."""
        if self.failure is not None:
            raise self.failure
        sealed = webhook_id.encode() + secret.pack()
        return EncryptedSecret(sealed=sealed, public_key=secret.public_key, created_at=at)

    async def open(self, webhook_id: str, sealed: EncryptedSecret) -> SigningSecret:
        """Decrypt a secret."""
        if self.failure is not None:
            raise self.failure
        prefix = webhook_id.encode()
        assert sealed.sealed.startswith(prefix)
        return SigningSecret.unpack(sealed.sealed.removeprefix(prefix))


@dataclass(frozen=True, slots=True)
class Delivered:
    """One request that a receiver got."""

    url: str
    body: bytes
    headers: Mapping[str, str]

    @property
    def event_id(self) -> str:
        """The id of the event."""
        return self.headers["webhook-id"]


@dataclass(slots=True)
class Receivers:
    """Every receiver in the world: `status` decides what each request gets, None being no response."""

    status: Callable[[Delivered], int | None] = lambda _: 204
    requests: list[Delivered] = field(default_factory=list)
    """In the order in which they came in."""
    accepted: list[Delivered] = field(default_factory=list)
    """Those that were acknowledged."""
    now_sending: int = 0
    most_sending: int = 0
    """How many requests were on their way at a time, at most."""

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Take a request in, and answer it."""
        delivered = Delivered(url, body, dict(headers))
        self.requests.append(delivered)
        self.now_sending += 1
        self.most_sending = max(self.most_sending, self.now_sending)
        try:
            await asyncio.sleep(0)
            status = self.status(delivered)
            if status is None:
                return Reply(status_code=None, latency_ms=5, error="No connection was made.")
            if 200 <= status < 300:
                self.accepted.append(delivered)
            return Reply(status_code=status, latency_ms=5, text="thanks")
        finally:
            self.now_sending -= 1
