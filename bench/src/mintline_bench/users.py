"""The bench's users: real Cognito users with real access tokens, by the sign-in that any user has."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any

import aiohttp

from mintline_client.sign_in import sign_in
from mintline_ops.users import cognito_client, ensure_user

AT_ONCE = 8


async def sign_in_new(info: Mapping[str, Any], *, count: int) -> list[str]:
    """Create `count` users of the stack of the run file `info`, and return their access tokens."""
    gate = asyncio.Semaphore(AT_ONCE)
    async with cognito_client(info) as cognito, aiohttp.ClientSession() as http:

        async def sign_in_new_user() -> str:
            async with gate:
                username, password = f"bench-{secrets.token_hex(8)}", f"Aa1!{secrets.token_urlsafe(24)}"
                pool = info["cognito"]["user_pool_id"]
                await ensure_user(cognito, user_pool_id=pool, username=username, password=password)
                return (await sign_in(http, info, username=username, password=password)).access_token

        return await asyncio.gather(*(sign_in_new_user() for _ in range(count)))
