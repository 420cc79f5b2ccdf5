"""Users of a local stack's pool."""

from __future__ import annotations

import base64
import hmac
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from mintline_ops.aws_clients import operator_client

if TYPE_CHECKING:
    from types_aiobotocore_cognito_idp import CognitoIdentityProviderClient


@asynccontextmanager
async def cognito_client(info: Mapping[str, Any]) -> AsyncIterator[CognitoIdentityProviderClient]:
    """Open the Cognito client of the local stack that `info`, its run file, describes."""
    async with operator_client("cognito-idp", info) as client:
        yield client


def password_of(demo_password: str, username: str) -> str:
    """Return the password of a further local user: the same each time, and known to this line alone."""
    digest = hmac.digest(demo_password.encode(), username.encode(), "sha256")
    return f"Aa1-{base64.urlsafe_b64encode(digest[:15]).decode()}"


async def ensure_user(
    cognito: CognitoIdentityProviderClient, *, user_pool_id: str, username: str, password: str
) -> bool:
    """Make a user with this password; False if there is a user of this name, who is left as they are."""
    try:
        await cognito.admin_create_user(UserPoolId=user_pool_id, Username=username, MessageAction="SUPPRESS")
    except ClientError as error:
        if error.response["Error"]["Code"] != "UsernameExistsException":
            raise
        return False
    await cognito.admin_set_user_password(
        UserPoolId=user_pool_id, Username=username, Password=password, Permanent=True
    )
    return True
