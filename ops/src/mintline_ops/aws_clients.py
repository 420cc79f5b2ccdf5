"""Clients of a local stack's AWS emulator, which read nothing from the user's environment or AWS profile."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES

AwsService = Literal["sqs", "dynamodb", "s3", "kms", "secretsmanager", "cognito-idp"]


@dataclass(frozen=True, slots=True, repr=False)
class AwsCredentials:
    """An access key, as environment variables carry it."""

    access_key_id: str
    secret_access_key: str

    def environment(self) -> dict[str, str]:
        """Return the variables that AWS clients read."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
        }


@asynccontextmanager
async def aws_client(
    service: AwsService, *, endpoint_url: str, region: str, credentials: AwsCredentials
) -> AsyncIterator[Any]:
    """Open a client of a local stack, which takes nothing from the user's environment or AWS profile."""
    config = AioConfig(
        proxies={},
        connect_timeout=5,
        read_timeout=30,
        retries={"mode": "standard", "max_attempts": 4},
        s3={"addressing_style": "path"},
    )
    async with _isolated_session().create_client(
        service,
        region_name=region,
        endpoint_url=endpoint_url,
        verify=True,  # else botocore asks REQUESTS_CA_BUNDLE
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        config=config,
    ) as client:
        yield client


def operator_client(service: AwsService, info: Mapping[str, Any]) -> AbstractAsyncContextManager[Any]:
    """Open the operator's client of the local stack that `info`, its run file, describes."""
    return aws_client(
        service,
        endpoint_url=info["aws_endpoint_url"],
        region=info["region"],
        credentials=AwsCredentials(**info["operator"]),
    )


def _isolated_session() -> AioSession:
    """Return a session that reads neither `AWS_*` variables nor AWS's files: all settings are defaults."""
    session = AioSession(
        {
            name: (None, None, default, convert)
            for name, (_, _, default, convert) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()
        }
    )
    for name in ("config_file", "credentials_file"):
        session.set_config_variable(name, os.devnull)
    return session
