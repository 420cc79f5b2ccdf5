"""`mintline tokens`, `mintline collections holders|token|transfers|balance`: what the index knows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, TypeVar

import typer

from mintline_cli.caller import Caller, calls_api
from mintline_cli.collections import Contract, checksummed
from mintline_cli.output import Screen
from mintline_client import AsyncMintline
from mintline_client.models import (
    BalanceView,
    HolderView,
    ItemHolderView,
    ListedTransfer,
    TokenSummary,
    TokenView,
)

Row = TypeVar("Row")
Limit = Annotated[int, typer.Option(min=1, help="How many lines at most.")]
Block = Annotated[int | None, typer.Option(min=0, help="A block, included.")]
Time = Annotated[str | None, typer.Option(metavar="TIME", help="Included: 2026-11-30T12:00:00Z.")]


@calls_api("client")
def holders(
    caller: Caller,
    contract: Contract,
    *,
    token_id: Annotated[str | None, typer.Option(help="Who has some of this token alone.")] = None,
    limit: Limit = 100,
) -> None:
    """List who owns tokens of a collection, or some of one token, and how many.

    Example: mintline collections holders 0x5FbD… --token-id 7
    """

    async def work(
        client: AsyncMintline,
    ) -> tuple[list[HolderView], bool] | tuple[list[ItemHolderView], bool]:
        if token_id is None:
            return await _first(client.collections.holders(contract), limit)
        return await _first(client.tokens.holders(contract, token_id), limit)

    page: tuple[list[Any], bool] = caller.run(work)
    listed, more = page
    if token_id is None:
        rows = [(each["owner"], _at_least(each)) for each in listed]
    else:
        rows = [(each["owner"], each["quantity"]) for each in listed]
    caller.screen.table(("Owner", "Tokens"), rows, empty="nobody owns a token of it")
    _say_more(caller.screen, more=more, limit=limit)
    caller.screen.result({"holders": listed, "more": more})


@calls_api("client")
def token(
    caller: Caller,
    contract: Contract,
    token_id: Annotated[str, typer.Argument(metavar="TOKEN_ID", help="The token, or item.")],
) -> None:
    """Show a token's owner; of an item of ERC-1155 how many there are, were minted, and may be.

    Example: mintline collections token 0x5FbD… 7
    """
    view: TokenView = caller.run(lambda client: client.tokens.get(contract, token_id))
    screen = caller.screen
    screen.stage("token", f"{view['token_id']} of {view['contract']}")
    if view["standard"] == "erc721":
        screen.stage("owner", view["owner"] or "burned")
    else:
        unknown = view["minted"] is None
        screen.stage("supply", str(view["supply"]))
        screen.stage("minted", "unknown" if unknown else str(view["minted"]))
        screen.stage("cap", "unknown" if unknown else view["item_cap"] or "none")
    screen.result(view)


@calls_api("client")
def transfers(
    caller: Caller,
    contract: Contract,
    *,
    from_block: Block = None,
    to_block: Block = None,
    from_time: Time = None,
    to_time: Time = None,
    limit: Limit = 100,
) -> None:
    """List transfers, mints and burns of a collection's tokens, newest first.

    Example: mintline collections transfers 0x5FbD… --from-time 2026-11-30T00:00:00Z
    """

    async def work(client: AsyncMintline) -> tuple[list[ListedTransfer], bool]:
        listing = client.collections.transfers(
            contract, from_block=from_block, to_block=to_block, from_time=from_time, to_time=to_time
        )
        return await _first(listing, limit)

    listed, more = caller.run(work)
    rows = [
        (
            each["token_id"],
            each["from"] or "minted",
            each["to"] or "burned",
            each["block_number"],
            each["timestamp"],
        )
        for each in listed
    ]
    caller.screen.table(("Token", "From", "To", "Block", "Time"), rows, empty="nothing was transferred")
    _say_more(caller.screen, more=more, limit=limit)
    caller.screen.result({"transfers": listed, "more": more})


@calls_api("client")
def balance(
    caller: Caller,
    contract: Contract,
    owner: Annotated[str, typer.Argument(metavar="OWNER", help="An address.", callback=checksummed)],
    *,
    token_id: Annotated[str | None, typer.Option(help="How many it has of this token.")] = None,
) -> None:
    """Say how many tokens of a collection an address owns, or how many of one token.

    Example: mintline collections balance 0x5FbD… 0x7099… --token-id 1
    """
    view: BalanceView = caller.run(lambda client: client.tokens.balance(owner, contract, token_id))
    if token_id is None:
        caller.screen.stage("tokens", _at_least(view))
        caller.screen.result(view)
        return
    quantity = view["quantity"] or "0"
    caller.screen.stage("holds", "no" if quantity == "0" else f"yes, {quantity}")
    caller.screen.result({**view, "holds": quantity != "0"})


def _at_least(counted: HolderView | BalanceView) -> str:
    return f"{counted['balance']}{' or more' if counted['more'] else ''}"


async def _first(items: AsyncIterator[Row], limit: int) -> tuple[list[Row], bool]:
    """Return the first items of a list, and whether it has more."""
    listed: list[Row] = []
    async for each in items:
        if len(listed) == limit:
            return listed, True
        listed.append(each)
    return listed, False


def _say_more(screen: Screen, *, more: bool, limit: int) -> None:
    if more:
        screen.say(f"these are the first {limit}: --limit N shows more")


@calls_api("user")
def tokens(
    caller: Caller,
    owner: Annotated[
        str | None,
        typer.Argument(metavar="[OWNER]", help="An address; your wallet in custody by default."),
    ] = None,
    *,
    contract: Annotated[str | None, typer.Option(help="Those of this collection alone.")] = None,
    limit: Limit = 100,
) -> None:
    """List the tokens that an address owns, in all collections that the deployment knows.

    Example: mintline tokens 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
    """
    if owner is not None:
        owner = checksummed(owner)

    async def work(client: AsyncMintline) -> tuple[str, list[TokenSummary], bool]:
        address = owner or (await client.wallets.get())["address"]
        return address, *await _first(client.tokens.owned_by(address, contract=contract), limit)

    address, listed, more = caller.run(work)
    caller.screen.table(
        ("Token", "Contract", "How many"),
        [(each["token_id"], each["contract"], each["quantity"] or "1") for each in listed],
        empty=f"{address} owns no token that the deployment knows",
    )
    _say_more(caller.screen, more=more, limit=limit)
    caller.screen.result({"owner": address, "tokens": listed, "more": more})


COMMANDS = (("holders", holders), ("token", token), ("transfers", transfers), ("balance", balance))
"""Commands of `mintline collections`."""
