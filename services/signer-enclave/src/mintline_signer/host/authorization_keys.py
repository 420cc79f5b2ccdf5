"""The authorization keys that the host hands to the enclave: wrapped, and read once, at the start."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from mintline.authorization import key_id
from mintline.aws.authorization_keys import StoredAuthorizationKey
from mintline.errors import Misconfigured, Rejected
from mintline_signer.protocol import AuthorizationKeys, WrappedAuthorizationKey


async def read_authorization_keys(
    read: Callable[[str], Awaitable[StoredAuthorizationKey]], secret_ids: Sequence[str]
) -> AuthorizationKeys:
    """Read every authorization key in use; raises Misconfigured for one that is missing or none."""
    try:
        secrets = await asyncio.gather(*map(read, secret_ids))
        return AuthorizationKeys(keys=[_wrapped(secret) for secret in secrets])
    except Rejected as rejected:
        raise Misconfigured(f"MINTLINE_AUTHORIZATION_KEY_SECRETS: {rejected.reason}") from None
    except ValueError as error:
        raise Misconfigured(f"MINTLINE_AUTHORIZATION_KEY_SECRETS: {error}") from None


def _wrapped(secret: StoredAuthorizationKey) -> WrappedAuthorizationKey:
    return WrappedAuthorizationKey(
        key_id=key_id(secret.public_key),
        chain_id=secret.chain_id,
        wrapped=secret.wrapped,
        kms_key=secret.kms_key,
    )
