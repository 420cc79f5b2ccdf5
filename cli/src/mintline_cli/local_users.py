"""Users of a local stack, whose passwords the command line knows."""

from __future__ import annotations

from typing import Annotated, Any

import aiohttp
import typer

from mintline_client.sign_in import Tokens, sign_in
from mintline_ops.users import cognito_client, ensure_user, password_of

Username = Annotated[
    str | None,
    typer.Option(help="The local stack's user to sign in, made on first use; the demo user by default."),
]
Password = Annotated[str | None, typer.Option(help="That user's password, if it was set by somebody else.")]


async def signed_in(
    http: aiohttp.ClientSession, info: dict[str, Any], username: str | None, password: str | None
) -> Tokens:
    """Sign in the user asked for, or the demo user; one without a password is made at the first time."""
    pool = info["cognito"]
    username = username or pool["username"]
    if password is None and username == pool["username"]:
        password = pool["password"]
    if password is None:
        password = password_of(pool["password"], username)
        async with cognito_client(info) as cognito:
            await ensure_user(
                cognito, user_pool_id=pool["user_pool_id"], username=username, password=password
            )
    return await sign_in(http, info, username=username, password=password)
