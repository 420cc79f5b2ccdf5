"""The sealing keys that the host hands to the enclave: wrapped, and read once, at the start."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from mintline.authorization import key_id
from mintline.aws.sealing import SealingSecret
from mintline.errors import Misconfigured, Rejected
from mintline_signer.protocol import SealingKeys, WrappedSealingKey


async def read_sealing_keys(
    read: Callable[[str], Awaitable[SealingSecret]], secret_ids: Sequence[str]
) -> SealingKeys:
    """Read every sealing key in use; raises Misconfigured for one that is missing or none."""
    try:
        secrets = await asyncio.gather(*map(read, secret_ids))
        return SealingKeys(keys=[_wrapped(secret) for secret in secrets])
    except Rejected as rejected:
        raise Misconfigured(f"MINTLINE_SEALING_SECRETS: {rejected.reason}") from None
    except ValueError as error:
        raise Misconfigured(f"MINTLINE_SEALING_SECRETS: {error}") from None


def _wrapped(secret: SealingSecret) -> WrappedSealingKey:
    return WrappedSealingKey(
        key_id=key_id(secret.public_key),
        chain_id=secret.chain_id,
        wrapped=secret.wrapped,
        kms_key=secret.kms_key,
    )
