"""Credentials of another role: a session of STS, assumed when it is first needed and again before it ends.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
"""

from __future__ import annotations

from functools import partial
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.credentials import (
    AioAssumeRoleCredentialFetcher,
    AioDeferredRefreshableCredentials,
)
from aiobotocore.session import AioSession


class RoleProvider:
    """Gives the credentials of `role_arn`; those of `own`'s usual chain assume the role."""

    def __init__(
        self, own: AioSession, role_arn: str, *, name: str, region: str, endpoint_url: str | None
    ) -> None:
        self._own = own
        self._role_arn = role_arn
        self._name = name
        self._open: Any = partial(
            own.create_client,
            region_name=region,
            endpoint_url=endpoint_url,
            config=AioConfig(
                connect_timeout=5, read_timeout=10, retries={"mode": "standard", "max_attempts": 4}
            ),
        )

    async def load_credentials(self) -> AioDeferredRefreshableCredentials | None:
        """Return the role's credentials, which nothing was asked for yet; None: there are no own."""
        source = await self._own.get_credentials()
        if source is None:
            return None
        fetcher = AioAssumeRoleCredentialFetcher(
            self._open, source, self._role_arn, extra_args={"RoleSessionName": self._name}
        )
        return AioDeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
