"""Decrypts webhooks' secrets by KMS, and remembers them while they are in use."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cachetools import TTLCache

from mintline.aws.errors import translated
from mintline.errors import Unreadable
from mintline.resources import WEBHOOK_KEY
from mintline.webhooks.kms_policy import encryption_context
from mintline.webhooks.records import EncryptedSecret
from mintline.webhooks.signing import SigningSecret

if TYPE_CHECKING:
    from types_aiobotocore_kms import KMSClient

_REMEMBERED = 10_000
_SECONDS = 3600.0


class KmsSecrets:
    """Opens secrets under the webhooks' key; `clock` is monotonic, in seconds."""

    def __init__(self, kms: KMSClient, *, prefix: str, clock: Callable[[], float]) -> None:
        self._kms = kms
        self._key = WEBHOOK_KEY.alias(prefix)
        self._known: TTLCache[tuple[str, bytes], SigningSecret] = TTLCache(_REMEMBERED, _SECONDS, clock)

    async def open(self, webhook_id: str, sealed: EncryptedSecret) -> SigningSecret:
        """Return what a secret signs with."""
        name = (webhook_id, sealed.sealed)
        known = self._known.get(name)
        if known is None:
            with translated():
                response = await self._kms.decrypt(
                    KeyId=self._key,
                    CiphertextBlob=sealed.sealed,
                    EncryptionContext=encryption_context(webhook_id),
                )
            try:
                known = SigningSecret.unpack(response["Plaintext"])
            except ValueError as error:
                raise Unreadable(str(error)) from None
            if known.public_key != sealed.public_key:
                raise Unreadable("the secret of a webhook does not fit its public key")
            self._known[name] = known
        return known
