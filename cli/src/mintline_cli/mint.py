"""`mintline token`, `mint`, `mints`, `watch` and `wallet`: what a user does."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, cast

import aiohttp
import typer

from mintline_cli.caller import Caller, calls_api
from mintline_cli.execution import execute, stop
from mintline_cli.local_users import Password, Username, signed_in
from mintline_cli.options import Json, State, local_stack_info
from mintline_cli.output import Screen
from mintline_client import AsyncMintline
from mintline_client.models import DropView, MintRequest, MintView
from mintline_client.sign_in import Tokens, client_token, demo_client_token
from mintline_ops.run_file import DEFAULT_STATE

MintId = Annotated[str, typer.Argument(metavar="ID", help="A mint's id, or a drop's, transfer's or burn's.")]
LONG_PATIENCE = 3600.0


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
    """Sign in at the local stack and print an access token.

    Example: mintline token --username bob
    """
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


@calls_api("user")
def mint(
    caller: Caller,
    *,
    name: Annotated[str, typer.Option(help="The token's name.")],
    image: Annotated[str, typer.Option(help="An http(s), ipfs, ar or data URL, or upload:ID.")],
    description: Annotated[str | None, typer.Option(help="What it is.")] = None,
    attribute: Annotated[list[str] | None, typer.Option(help="A trait, as TRAIT=VALUE; repeatable.")] = None,
    to: Annotated[str | None, typer.Option(help="Who receives it; your own wallet by default.")] = None,
    email: Annotated[
        str | None, typer.Option(help="As a machine client: the e-mail address of the recipient.")
    ] = None,
    contract: Annotated[
        str | None, typer.Option(help="The collection; the deployment's default by default.")
    ] = None,
    token_id: Annotated[str | None, typer.Option(help="In an ERC-1155 collection: the item.")] = None,
    quantity: Annotated[
        str | None, typer.Option(help="In an ERC-1155 collection: how many tokens of it; 1 by default.")
    ] = None,
    external_id: Annotated[
        str | None, typer.Option(help="Your own name of the mint, unique among yours.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="A word by which you find the mint again; repeatable.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same one mints only once.")] = None,
    wait: Annotated[bool, typer.Option(help="Wait until the mint is finalized.")] = True,
) -> None:
    """Mint one NFT.

    Example: mintline mint --name "My first token" --image https://example.com/first.png
    """
    body = mint_request(name, image, description, attribute or [], to)
    if email is not None:
        body["recipient"] = {"email": email}
    named = {
        "contract": contract,
        "token_id": token_id,
        "quantity": quantity,
        "external_id": external_id,
        "tags": tag or None,
    }
    body |= {member: value for member, value in named.items() if value is not None}
    screen = caller.screen

    async def work(client: AsyncMintline) -> MintView:
        accepted = await client.mints.create(cast("MintRequest", body), idempotency_key=key)
        screen.say(f"mint {accepted['mint_id']}")
        return await _followed(client, accepted, screen) if wait else accepted

    result = caller.run(work)
    if wait:
        minted = f"token {result['token_id']}"
        if result["quantity"] is not None:
            minted = f"{result['quantity']} of item {result['token_id']}"
        screen.say(f"{minted} of {result['contract']} belongs to {result['to']}")
    screen.result(result)


@calls_api("user")
def mints(
    caller: Caller,
    *,
    status: Annotated[str | None, typer.Option(help="Only those of this status.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only those with this tag.")] = None,
    external_id: Annotated[str | None, typer.Option(help="Only the one that you named so.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
) -> None:
    """List the caller's mints, newest first.

    Example: mintline mints --status rejected
    """

    async def work(client: AsyncMintline) -> list[MintView]:
        views: list[MintView] = []
        async for each in client.mints.list(status=status, tag=tag, external_id=external_id):
            views.append(each)
            if len(views) == limit:
                break
        return views

    views = caller.run(work)
    caller.screen.table(
        ("Mint", "Status", "Token", "Contract", "Owner", "Accepted"),
        [
            (
                each["mint_id"],
                each["status"],
                each["token_id"],
                each["contract"],
                each["to"],
                each["timeline"]["accepted_at"],
            )
            for each in views
        ],
        empty="there are no mints; make one with `mintline mint`",
    )
    caller.screen.result({"mints": views})


@calls_api("user")
def watch(caller: Caller, operation_id: MintId) -> None:
    """Follow a mint, drop, transfer or burn to its end.

    Example: mintline watch mint_FF55QRZSPB6KT3WTPNSD4WF9RF
    """
    screen = caller.screen
    if operation_id.startswith("drop_"):
        caller = replace(caller, role="client")

    async def work(client: AsyncMintline) -> Mapping[str, Any]:
        match operation_id.partition("_")[0]:
            case "mint":
                return await _followed(client, await client.mints.get(operation_id), screen)
            case "drop":
                return await _followed_drop(client, operation_id, screen)
            case "transfer":
                transfer = await client.transfers.get(operation_id)
                return await client.transfers.wait(transfer, patience=LONG_PATIENCE)
            case "burn":
                burn = await client.burns.get(operation_id)
                return await client.burns.wait(burn, patience=LONG_PATIENCE)
        raise typer.BadParameter("expected the id of a mint, drop, transfer or burn", param_hint="ID")

    ended = caller.run(work)
    screen.say(f"{operation_id} is {ended['status']}")
    screen.result(ended)


@calls_api("user")
def wallet(caller: Caller) -> None:
    """Show the user's wallets: the one in custody, made on first use, and those that are linked.

    Example: mintline wallet
    """

    async def work(client: AsyncMintline) -> dict[str, Any]:
        linked = await client.wallets.links()
        return {**await client.wallets.get(), "links": linked["items"]}

    shown = caller.run(work)
    caller.screen.stage("in custody", f"{shown['address']} on chain {shown['chain_id']}")
    for each in shown["links"]:
        caller.screen.stage("linked", each["address"])
    caller.screen.result(shown)


async def _followed(client: AsyncMintline, mint: MintView, screen: Screen) -> MintView:
    with screen.waiting("minting"):
        return await client.mints.wait(
            mint,
            passed=lambda stage, seconds: screen.stage(stage, f"{seconds:5.2f} s"),
            patience=LONG_PATIENCE,
        )


async def _followed_drop(client: AsyncMintline, drop_id: str, screen: Screen) -> DropView:
    with screen.progress("lines minted") as update:
        return await client.drops.wait(drop_id, "completed", heard=lambda drop: update(*drop_progress(drop)))


def drop_progress(drop: DropView) -> tuple[int, int | None]:
    """Return how many lines of a drop have ended, or parts are prepared, and of how many."""
    if drop["status"] in ("draft", "preparing"):
        return drop["preparation"]["prepared"], drop["preparation"]["parts"]
    minting = drop["minting"]
    ended = sum(minting["by_status"].get(status, 0) for status in ("finalized", "rejected", "reverted"))
    return ended, minting["lines"]


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
