"""`mintline transfer` and `mintline burn`: what a user does with a token."""

from __future__ import annotations

from typing import Annotated

import typer

from mintline_cli.caller import Caller, calls_api
from mintline_client import AsyncMintline
from mintline_client.models import BurnOperationView, BurnRequest, TransferOperationView, TransferRequest

TokenId = Annotated[str, typer.Argument(help="The token's id.")]
Contract = Annotated[str | None, typer.Option(help="Its collection; the default one if absent.")]
Quantity = Annotated[
    str | None, typer.Option(help="In an ERC-1155 collection: how many tokens of the item; 1 by default.")
]
Key = Annotated[str | None, typer.Option(help="Idempotency key: the same one moves the token only once.")]
Wait = Annotated[bool, typer.Option(help="Wait until it is finalized.")]
PAYERS = {
    "relayer": "a relayer pays, by the wallet's signature",
    "wallet": "the wallet pays, with gas from the treasury",
}


@calls_api("user")
def transfer(
    caller: Caller,
    token_id: TokenId,
    to: Annotated[str, typer.Argument(help="Who receives it.")],
    *,
    contract: Contract = None,
    quantity: Quantity = None,
    key: Key = None,
    wait: Wait = True,
) -> None:
    """Send a token out of a user's wallet in custody.

    Example: mintline transfer 1 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
    """
    screen = caller.screen
    request: TransferRequest = {"token_id": token_id, "to": to}
    if contract is not None:
        request["contract"] = contract
    if quantity is not None:
        request["quantity"] = quantity

    async def work(client: AsyncMintline) -> TransferOperationView:
        view = await client.transfers.create(request, idempotency_key=key)
        screen.say(f"transfer {view['transfer_id']}: {PAYERS[view['paid_by']]}")
        if not wait:
            return view
        with screen.waiting("sending"):
            return await client.transfers.wait(view)

    result = caller.run(work)
    if wait:
        screen.say(f"{moved_name(result)} of {result['contract']} belongs to {result['to']}")
    screen.result(result)


@calls_api("user")
def burn(
    caller: Caller,
    token_id: TokenId,
    *,
    contract: Contract = None,
    quantity: Quantity = None,
    key: Key = None,
    wait: Wait = True,
) -> None:
    """Burn a token of a user's wallet in custody.

    Example: mintline burn 1
    """
    screen = caller.screen
    request: BurnRequest = {"token_id": token_id}
    if contract is not None:
        request["contract"] = contract
    if quantity is not None:
        request["quantity"] = quantity

    async def work(client: AsyncMintline) -> BurnOperationView:
        view = await client.burns.create(request, idempotency_key=key)
        screen.say(f"burn {view['burn_id']}: {PAYERS[view['paid_by']]}")
        if not wait:
            return view
        with screen.waiting("burning"):
            return await client.burns.wait(view)

    result = caller.run(work)
    if wait:
        screen.say(f"{moved_name(result)} of {result['contract']} is burned")
    screen.result(result)


def moved_name(view: TransferOperationView | BurnOperationView) -> str:
    """Return what is moved: a token, or tokens of an item."""
    if view["quantity"] is None:
        return f"token {view['token_id']}"
    return f"{view['quantity']} of item {view['token_id']}"
