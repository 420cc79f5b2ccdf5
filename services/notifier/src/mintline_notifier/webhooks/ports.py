"""What delivering webhooks needs: storage, keys, and the way to receivers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mintline.webhooks.records import Attempt, EncryptedSecret, Webhook, WebhookProgress
from mintline.webhooks.signing import SigningSecret


class WebhookStore(Protocol):
    """Webhooks, their progress, and who delivers for which shard of them."""

    async def lease(self, shard: str, owner: str, *, now: int, until: int) -> bool:
        """Take a shard, or keep it, until then; False if another process has it. Unix milliseconds."""
        ...

    async def release(self, shard: str, owner: str) -> None:
        """Give a shard back; harmless if another process has it."""
        ...

    async def open(self, shards: Sequence[str]) -> list[Webhook]:
        """Return the webhooks of shards for which there is something to do; may lag by moments."""
        ...

    async def progress(self, webhook_id: str) -> WebhookProgress | None:
        """Return how far a webhook has come; None if it was deleted."""
        ...

    async def advance(self, progress: WebhookProgress) -> None:
        """Store the next version of a webhook's progress; raises Conflict unless it follows the stored one.

        There must be one: a webhook that was deleted does not come back.
        """
        ...

    async def replace(self, webhook: Webhook) -> None:
        """Store the next version of a webhook's record; raises Conflict unless it follows the stored one."""
        ...

    async def note(self, attempts: Sequence[Attempt]) -> None:
        """Keep attempts for the webhook's owner to see."""
        ...


class SecretOpener(Protocol):
    """Decrypts the secrets of webhooks."""

    async def open(self, webhook_id: str, sealed: EncryptedSecret) -> SigningSecret:
        """Return what a secret signs with; raises Unavailable, and Unreadable for what is not one."""
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one request to a receiver."""

    status_code: int | None
    """None if there was no response."""
    latency_ms: int
    error: str | None = None
    """Why there was none, in words for the webhook's owner."""
    text: str = ""
    """What the response begins with, escaped and bounded."""
    retry_after: float | None = None
    """Seconds that the receiver asked us to wait."""

    @property
    def acknowledged(self) -> bool:
        """Whether the receiver has the event: the status is from 200 to 299."""
        return self.status_code is not None and 200 <= self.status_code < 300


class Sender(Protocol):
    """The way to receivers."""

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Post a body; raises nothing that the receiver or the network can cause."""
        ...
