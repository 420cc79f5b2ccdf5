"""What managing webhooks needs from storage, from KMS and from the event log."""

from __future__ import annotations

from typing import Protocol

from mintline.webhooks.records import Attempt, EncryptedSecret, Webhook, WebhookProgress
from mintline.webhooks.signing import SigningSecret


class Webhooks(Protocol):
    """Where webhooks are on record."""

    async def create(self, webhook: Webhook, progress: WebhookProgress) -> None:
        """Create a webhook and its progress, in one write."""
        ...

    async def webhook(self, webhook_id: str) -> Webhook | None:
        """Return a webhook as it is now, or None."""
        ...

    async def progress(self, webhook_id: str) -> WebhookProgress | None:
        """Return how far its deliveries have come, or None."""
        ...

    async def of_principal(self, principal: str) -> list[Webhook]:
        """Return a principal's webhooks, newest first; lags behind `create` by moments."""
        ...

    async def replace(self, webhook: Webhook) -> None:
        """Store the next version of a webhook's record; raises Conflict unless it follows the stored one."""
        ...

    async def delete(self, webhook: Webhook) -> None:
        """Delete a webhook and its progress; raises Conflict unless the record is as given."""
        ...

    async def attempts_of(
        self, webhook_id: str, *, limit: int, after: str | None
    ) -> tuple[list[tuple[str, Attempt]], bool]:
        """Return attempts with the position of each, newest first, and whether more may follow."""
        ...


class SecretEncryptor(Protocol):
    """Encrypts the secrets of webhooks. It cannot decrypt them."""

    async def encrypt(self, webhook_id: str, secret: SigningSecret, *, at: int) -> EncryptedSecret:
        """Encrypt a new secret, made at a time in Unix milliseconds; raises Unavailable."""
        ...
