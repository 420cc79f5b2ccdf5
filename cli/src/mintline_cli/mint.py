"""`mintline token` and `mintline mint`: what a user does, at the running local stack."""

from __future__ import annotations

import sys
import uuid
from typing import Annotated, Any

import aiohttp
import typer

from mintline_cli.execution import execute, stop
from mintline_cli.options import Json, State, local_stack_info
from mintline_cli.output import Screen
from mintline_client.api import Api
from mintline_client.minting import follow
from mintline_client.models import MintView
from mintline_client.sign_in import Tokens, client_token, demo_client_token, sign_in
from mintline_ops.run_file import DEFAULT_STATE
from mintline_ops.users import cognito_client, ensure_user, password_of

Username = Annotated[
    str | None,
    typer.Option(help="The user to sign in, made if there is none of that name; the demo user by default."),
]
Password = Annotated[str | None, typer.Option(help="That user's password, if it was set by somebody else.")]


def token(
    *,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
    username: Username = None,
    password: Password = None,
    client: Annotated[
        bool, typer.Option("--client", help="Not a user's token: that of the demo client, a backend.")
    ] = False,
    client_id: Annotated[str | None, typer.Option(help="Likewise, that of another machine client.")] = None,
    client_secret: Annotated[
        str | None, typer.Option(envvar="MINTLINE_CLIENT_SECRET", help="That client's secret.")
    ] = None,
) -> None:
    """Sign in and print an access token."""
    info = local_stack_info(state)
    if (client or client_id) and (username or password):
        stop("a token is a user's or a client's: leave out --username and --password")
    if client_id and client_secret is None:
        stop("--client-id takes --client-secret, or the secret in MINTLINE_CLIENT_SECRET")

    async def fetch() -> Tokens:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as http:
            if client_id and client_secret:
                return await client_token(http, info, client_id=client_id, secret=client_secret)
            if client:
                return await demo_client_token(http, info)
            return await signed_in(http, info, username, password)

    tokens = execute(fetch())
    if not as_json:
        sys.stdout.write(tokens.access_token + "\n")
    Screen(as_json=as_json).result({"access_token": tokens.access_token, "expires_in": tokens.expires_in})


def mint(
    *,
    name: Annotated[str, typer.Option(help="The token's name.")],
    image: Annotated[str, typer.Option(help="An http(s), ipfs, ar or data URL, or upload:ID.")],
    description: Annotated[str | None, typer.Option(help="What it is.")] = None,
    attribute: Annotated[list[str] | None, typer.Option(help="A trait, as TRAIT=VALUE; repeatable.")] = None,
    to: Annotated[str | None, typer.Option(help="Who receives it; your own wallet by default.")] = None,
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same one mints only once.")] = None,
    wait: Annotated[bool, typer.Option(help="Wait until the mint is finalized.")] = True,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
    username: Username = None,
    password: Password = None,
) -> None:
    """Mint one NFT through the running local stack."""
    screen = Screen(as_json=as_json)
    info = local_stack_info(state)
    body = mint_request(name, image, description, attribute or [], to)

    async def post() -> MintView:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as http:
            signed = await signed_in(http, info, username, password)
            api = Api(http, info["api_url"], signed.access_token)
            accepted: MintView = await api.post("/v1/mints", body, idempotency_key=key or str(uuid.uuid4()))
            screen.say(f"mint {accepted['mint_id']}")
            if not wait:
                return accepted
            with screen.waiting("minting"):
                return await follow(
                    api,
                    accepted,
                    passed=lambda stage, seconds: screen.stage(stage, f"{seconds:5.2f} s"),
                )

    result = execute(post())
    if wait:
        screen.say(f"token {result['token_id']} of {result['contract']} belongs to {result['to']}")
    screen.result(result)


def mint_request(
    name: str, image: str, description: str | None, attributes: list[str], to: str | None
) -> dict[str, Any]:
    """Return the body of `POST /v1/mints`."""
    metadata: dict[str, Any] = {"name": name, "image": image}
    if description is not None:
        metadata["description"] = description
    if attributes:
        metadata["attributes"] = [trait(text) for text in attributes]
    return {"metadata": metadata, **({"to": to} if to is not None else {})}


def trait(text: str) -> dict[str, Any]:
    """Parse `TRAIT=VALUE`; a value that is a number is minted as one."""
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise typer.BadParameter(f"{text!r}: expected TRAIT=VALUE", param_hint="--attribute")
    for number in (int, float):
        try:
            return {"trait_type": name, "value": number(value)}
        except ValueError:
            continue
    return {"trait_type": name, "value": value}


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
