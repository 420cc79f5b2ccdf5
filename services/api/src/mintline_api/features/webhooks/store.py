"""Webhooks in DynamoDB, and their secrets encrypted by KMS, as the api needs them.

::

    webhooks           new_webhook, with its progress · version_before ─▶ Conflict, and it is read again
    webhook-progress   created and deleted with the webhook, and otherwise the notifier's
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from mintline.aws.dynamo import (
    Clause,
    Contended,
    Delete,
    Dynamo,
    Item,
    Put,
)
from mintline.aws.errors import translated
from mintline.aws.records import read, to_item
from mintline.aws.webhooks import webhook_item
from mintline.errors import Unavailable, Unreadable
from mintline.resources import WEBHOOK_ATTEMPTS, WEBHOOK_KEY, WEBHOOK_PROGRESS, WEBHOOKS
from mintline.set_aside import SetAside
from mintline.webhooks.kms_policy import encryption_context
from mintline.webhooks.records import WEBHOOKS_OF_ONE, Attempt, EncryptedSecret, Webhook, WebhookProgress
from mintline.webhooks.signing import SigningSecret
from mintline_api.features.pages import newest_first, text_of

if TYPE_CHECKING:
    from types_aiobotocore_kms import KMSClient

_BY_PRINCIPAL = WEBHOOKS.index("by_principal")


class DynamoWebhooks:
    """The tables of webhooks, of their progress and of their attempts."""

    def __init__(self, dynamo: Dynamo, *, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._set_aside = set_aside or SetAside()

    async def create(self, webhook: Webhook, progress: WebhookProgress) -> None:
        new = (Clause("new_webhook", "webhook_id", "missing"),)
        await self._together(
            Put(WEBHOOKS, webhook_item(webhook), where=new),
            Put(WEBHOOK_PROGRESS, to_item(progress), where=new),
        )

    async def webhook(self, webhook_id: str) -> Webhook | None:
        item = await self._dynamo.get(WEBHOOKS, {"webhook_id": webhook_id})
        return None if item is None else read(Webhook, WEBHOOKS, item, self._set_aside)

    async def progress(self, webhook_id: str) -> WebhookProgress | None:
        item = await self._dynamo.get(WEBHOOK_PROGRESS, {"webhook_id": webhook_id})
        return None if item is None else read(WebhookProgress, WEBHOOK_PROGRESS, item, self._set_aside)

    async def of_principal(self, principal: str) -> list[Webhook]:
        page = await newest_first(
            self._dynamo, WEBHOOKS, _BY_PRINCIPAL, principal, limit=2 * WEBHOOKS_OF_ONE, after=None
        )
        webhooks = await asyncio.gather(*(self._readable(webhook_id) for _, webhook_id in page.items))
        return [webhook for webhook in webhooks if webhook is not None]

    async def _readable(self, webhook_id: str) -> Webhook | None:
        with suppress(Unreadable):
            return await self.webhook(webhook_id)
        return None

    async def replace(self, webhook: Webhook) -> None:
        before = Clause("version_before", "version", "eq", (webhook.version - 1,))
        await self._dynamo.write(Put(WEBHOOKS, webhook_item(webhook), where=(before,)))

    async def delete(self, webhook: Webhook) -> None:
        key: Item = {"webhook_id": webhook.webhook_id}
        same = Clause("same_version", "version", "eq", (webhook.version,))
        await self._together(Delete(WEBHOOKS, key, where=(same,)), Delete(WEBHOOK_PROGRESS, key))

    async def _together(self, *changes: Put | Delete) -> None:
        try:
            await self._dynamo.transact(changes)
        except Contended:
            raise Unavailable("other writers kept moving the same webhook") from None

    async def attempts_of(
        self, webhook_id: str, *, limit: int, after: str | None
    ) -> tuple[list[tuple[str, Attempt]], bool]:
        start: Item | None = None if after is None else {"webhook_id": webhook_id, "attempt_key": after}
        page = await self._dynamo.query(
            WEBHOOK_ATTEMPTS, partition=webhook_id, forward=False, limit=limit, start=start
        )
        attempts = [
            (text_of(item, "attempt_key"), read(Attempt, WEBHOOK_ATTEMPTS, item, self._set_aside))
            for item in page.items
        ]
        return attempts, page.next is not None


class KmsSecretEncryptor:
    """Encrypts secrets under the webhooks' key."""

    def __init__(self, kms: KMSClient, *, prefix: str) -> None:
        self._kms = kms
        self._key = WEBHOOK_KEY.alias(prefix)

    async def encrypt(self, webhook_id: str, secret: SigningSecret, *, at: int) -> EncryptedSecret:
        """Encrypt a new secret."""
        with translated():
            response = await self._kms.encrypt(
                KeyId=self._key, Plaintext=secret.pack(), EncryptionContext=encryption_context(webhook_id)
            )
        return EncryptedSecret(sealed=response["CiphertextBlob"], public_key=secret.public_key, created_at=at)
