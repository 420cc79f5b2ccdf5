"""The bench's users: real Cognito users with real access tokens."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types_aiobotocore_cognito_idp import CognitoIdentityProviderClient

AT_ONCE = 8


async def sign_in(
    cognito: CognitoIdentityProviderClient, *, user_pool_id: str, client_id: str, count: int
) -> list[str]:
    """Create `count` users with random passwords and return an access token for each."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> str:
        async with gate:
            username = f"bench-{secrets.token_hex(8)}"
            password = f"Aa1!{secrets.token_urlsafe(24)}"
            await cognito.admin_create_user(
                UserPoolId=user_pool_id, Username=username, MessageAction="SUPPRESS"
            )
            await cognito.admin_set_user_password(
                UserPoolId=user_pool_id, Username=username, Password=password, Permanent=True
            )
            answer = await cognito.initiate_auth(
                ClientId=client_id,
                AuthFlow="USER_PASSWORD_AUTH",
                AuthParameters={"USERNAME": username, "PASSWORD": password},
            )
            return answer["AuthenticationResult"]["AccessToken"]

    return await asyncio.gather(*(one() for _ in range(count)))
