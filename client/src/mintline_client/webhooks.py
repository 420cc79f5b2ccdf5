"""Webhooks: where events are delivered, and verifying what arrives there.

Source: Standard Webhooks 1.0 (headers `webhook-id`, `webhook-timestamp`, `webhook-signature`; `v1` is
HMAC-SHA256 by a secret `whsec_…`, `v1a` is Ed25519 by a public key `whpk_…`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mintline.errors import Rejected
from mintline_client.api import Api

PATH = "/v1/webhooks"
TOLERANCE = 300
"""Seconds by which a delivery's time may differ from the receiver's clock."""
_SECRET = "whsec_"  # noqa: S105 - the prefix of secrets
_PUBLIC_KEY = "whpk_"


class Webhooks:
    """The caller's webhooks. Calls raise Refused for what the API refuses, and Unavailable."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def create(
        self,
        url: str,
        *,
        types: Iterable[str] = (),
        description: str | None = None,
        idempotency_key: str | None = None,
    ) -> dict[str, Any]:
        """Have events of `types`, all if empty, delivered to a URL; `secret` is in this response only."""
        body: dict[str, Any] = {"url": url, "types": list(types) or None, "description": description}
        given = {name: value for name, value in body.items() if value is not None}
        webhook: dict[str, Any] = await self._api.post(PATH, given, idempotency_key=idempotency_key)
        return webhook

    async def list(self) -> dict[str, Any]:
        """Return the caller's webhooks."""
        webhooks: dict[str, Any] = await self._api.get(PATH)
        return webhooks

    async def get(self, webhook_id: str) -> dict[str, Any]:
        """Return a webhook."""
        webhook: dict[str, Any] = await self._api.get(f"{PATH}/{webhook_id}")
        return webhook

    async def change(self, webhook_id: str, **members: Any) -> dict[str, Any]:
        """Change a webhook: `url=…`, `types=…`, `description=…` or `status=…`."""
        webhook: dict[str, Any] = await self._api.patch(f"{PATH}/{webhook_id}", members)
        return webhook

    async def delete(self, webhook_id: str) -> None:
        """Delete a webhook."""
        await self._api.delete(f"{PATH}/{webhook_id}")

    async def rotate_secret(self, webhook_id: str) -> dict[str, Any]:
        """Give a webhook another secret; for 24 hours deliveries are signed by both."""
        webhook: dict[str, Any] = await self._api.post(f"{PATH}/{webhook_id}/secret")
        return webhook

    async def test(self, webhook_id: str) -> dict[str, Any]:
        """Have a test event delivered."""
        tested: dict[str, Any] = await self._api.post(f"{PATH}/{webhook_id}/test")
        return tested

    async def deliveries(
        self, webhook_id: str, *, limit: int = 20, cursor: str | None = None
    ) -> dict[str, Any]:
        """Return a page of a webhook's attempts to deliver, newest first (`items`, `next_cursor`)."""
        query = {"limit": limit, "cursor": cursor}
        delivered: dict[str, Any] = await self._api.get(f"{PATH}/{webhook_id}/deliveries", query)
        return delivered

    async def replay(self, webhook_id: str, *, after: str | None = None) -> dict[str, Any]:
        """Have the events after a position delivered again; None: all that are kept."""
        replayed: dict[str, Any] = await self._api.post(f"{PATH}/{webhook_id}/replay", {"after": after})
        return replayed


def verify_webhook(
    body: bytes,
    headers: Mapping[str, str],
    secret: str,
    *,
    now: float | None = None,
    tolerance: int = TOLERANCE,
) -> dict[str, Any]:
    """Return the event in a delivery that is genuine; raises Rejected for any other.

    `body` are the exact bytes that arrived. `secret` is the webhook's secret (`whsec_…`) or its public key
    (`whpk_…`). `now` are Unix seconds, the clock's if None. The event's `id` is the same for a repeated
    delivery: act once on it.
    """
    given = {name.lower(): value for name, value in headers.items()}
    delivery, stamp = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    if not delivery or not (stamp.isascii() and stamp.isdigit()):
        raise Rejected("webhook_unsigned", "no valid webhook-id and webhook-timestamp headers")
    if abs((time.time() if now is None else now) - int(stamp)) > tolerance:
        raise Rejected("webhook_too_old", f"webhook-timestamp is more than {tolerance} s from now")
    signed = b".".join((delivery.encode(), stamp.encode(), body))
    if not any(_genuine(each, signed, secret) for each in given.get("webhook-signature", "").split(" ")):
        raise Rejected("webhook_forged", "no signature in webhook-signature is by this secret")
    event: dict[str, Any] = json.loads(body)
    return event


def _genuine(signature: str, signed: bytes, secret: str) -> bool:
    version, _, text = signature.partition(",")
    try:
        value = base64.b64decode(text, validate=True)
        if version == "v1" and not secret.startswith(_PUBLIC_KEY):
            key = base64.b64decode(secret.removeprefix(_SECRET), validate=True)
            return hmac.compare_digest(hmac.digest(key, signed, hashlib.sha256), value)
        if version == "v1a" and secret.startswith(_PUBLIC_KEY):
            public = base64.b64decode(secret.removeprefix(_PUBLIC_KEY), validate=True)
            Ed25519PublicKey.from_public_bytes(public).verify(value, signed)
            return True
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return False
