"""`mintline transfer` and `mintline burn`: what a user does with a token, at the running local stack."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import aiohttp
import typer

from mintline_cli.execution import execute
from mintline_cli.mint import Password, Username, signed_in
from mintline_cli.options import Json, State, local_stack_info
from mintline_cli.output import Screen
from mintline_client.api import Api
from mintline_client.models import BurnRequest, TransferRequest
from mintline_client.transfers import Burns, Transfers
from mintline_ops.run_file import DEFAULT_STATE

TokenId = Annotated[str, typer.Argument(help="The token's id.")]
Contract = Annotated[str | None, typer.Option(help="Its collection; the default one if absent.")]
Key = Annotated[str | None, typer.Option(help="Idempotency key: the same one moves the token only once.")]
Wait = Annotated[bool, typer.Option(help="Wait until it is finalized.")]
PAYERS = {
    "relayer": "a relayer pays, by the wallet's signature",
    "wallet": "the wallet pays, with gas from the treasury",
}


def transfer(
    token_id: TokenId,
    to: Annotated[str, typer.Argument(help="Who receives it.")],
    *,
    contract: Contract = None,
    key: Key = None,
    wait: Wait = True,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
    username: Username = None,
    password: Password = None,
) -> None:
    """Send a token out of a user's wallet in custody."""
    screen, info = Screen(as_json=as_json), local_stack_info(state)
    request: TransferRequest = {"token_id": token_id, "to": to}
    if contract is not None:
        request["contract"] = contract

    async def post() -> Any:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as http:
            signed = await signed_in(http, info, username, password)
            transfers = Transfers(Api(http, info["api_url"], signed.access_token))
            made = await transfers.create(request, idempotency_key=key or str(uuid.uuid4()))
            screen.say(f"transfer {made['transfer_id']}: {PAYERS[made['paid_by']]}")
            if not wait:
                return made
            with screen.waiting("sending"):
                return await transfers.wait(made)

    result = execute(post())
    if wait:
        screen.say(f"token {result['token_id']} of {result['contract']} belongs to {result['to']}")
    screen.result(result)


def burn(
    token_id: TokenId,
    *,
    contract: Contract = None,
    key: Key = None,
    wait: Wait = True,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
    username: Username = None,
    password: Password = None,
) -> None:
    """Burn a token of a user's wallet in custody."""
    screen, info = Screen(as_json=as_json), local_stack_info(state)
    request: BurnRequest = {"token_id": token_id}
    if contract is not None:
        request["contract"] = contract

    async def post() -> Any:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as http:
            signed = await signed_in(http, info, username, password)
            burns = Burns(Api(http, info["api_url"], signed.access_token))
            made = await burns.create(request, idempotency_key=key or str(uuid.uuid4()))
            screen.say(f"burn {made['burn_id']}: {PAYERS[made['paid_by']]}")
            if not wait:
                return made
            with screen.waiting("burning"):
                return await burns.wait(made)

    result = execute(post())
    if wait:
        screen.say(f"token {result['token_id']} of {result['contract']} is burned")
    screen.result(result)
