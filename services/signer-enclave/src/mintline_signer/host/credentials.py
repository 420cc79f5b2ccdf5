"""The credentials that the host hands to the enclave, for KMS and nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aiobotocore.session import get_session
from pydantic import SecretStr

from mintline.errors import Unavailable
from mintline_signer.host.settings import HostSettings
from mintline_signer.protocol import Credentials

CredentialSource: TypeAlias = Callable[[], Awaitable[Credentials]]
"""Returns the credentials to use now; cheap while they have not changed."""


def credential_source(settings: HostSettings) -> CredentialSource:
    """Return the source that the settings ask for: the enclave's own keys, or AWS's usual chain.

    The chain renews what expires a quarter of an hour ahead, so asking every few seconds is enough.
    """
    access_key_id, secret = settings.enclave_access_key_id, settings.enclave_secret_access_key
    region = settings.aws_region
    if access_key_id is not None and secret is not None:
        fixed = Credentials(
            access_key_id=access_key_id,
            secret_access_key=secret,
            session_token=settings.enclave_session_token,
            region=region,
        )

        async def given() -> Credentials:
            return fixed

        return given
    session = get_session()

    async def chained() -> Credentials:
        credentials = await session.get_credentials()
        frozen = None if credentials is None else await credentials.get_frozen_credentials()
        if frozen is None or not frozen.access_key or not frozen.secret_key:
            raise Unavailable("no AWS credentials for the enclave")
        return Credentials(
            access_key_id=frozen.access_key,
            secret_access_key=SecretStr(frozen.secret_key),
            session_token=None if frozen.token is None else SecretStr(frozen.token),
            region=region,
        )

    return chained
