"""`mintline metadata`: new versions of the metadata of tokens in a machine client's own collections."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from mintline_cli.caller import Caller, calls_api
from mintline_cli.collections import Contract, Wait
from mintline_cli.execution import stop
from mintline_client import AsyncMintline
from mintline_client.models import MetadataRequest, MetadataVersionView

app = typer.Typer(
    help="Replace the metadata of tokens in a machine client's own collections.", no_args_is_help=True
)
MOST_BYTES = 1024 * 1024

TokenId = Annotated[int, typer.Argument(metavar="TOKEN_ID", min=0, help="The token's id.")]


@app.command()
@calls_api("client")
def update(
    caller: Caller,
    contract: Contract,
    token_id: TokenId,
    file: Annotated[Path, typer.Argument(help="A JSON file with all of the new metadata.")],
    *,
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same one changes it once.")] = None,
    wait: Wait = True,
) -> None:
    """Replace a token's metadata, and have the contract announce it (ERC-4906).

    The versions before it stay readable. Refused once the collection is frozen.

    Example: mintline metadata update 0x5FbD… 1 new.json
    """
    screen = caller.screen
    metadata = cast("MetadataRequest", _read(file))

    async def work(client: AsyncMintline) -> MetadataVersionView:
        tokens = client.tokens
        version = await tokens.change(contract, token_id, metadata, idempotency_key=key)
        screen.stage("served", f"version {version['version']}, SHA-256 {version['digest']}")
        if not wait:
            return version
        with screen.waiting("waiting for its announcement"):
            await client.collections.wait(await client.collections.get(contract))
        versions = await tokens.versions(contract, token_id)
        return next(candidate for candidate in versions if candidate["version"] == version["version"])

    view = caller.run(work)
    announcement = view["announcement"]
    if announcement is not None:
        screen.stage("announced", str(announcement["status"]))
    screen.result(view)


@app.command()
@calls_api("client")
def versions(caller: Caller, contract: Contract, token_id: TokenId) -> None:
    """List the versions of a token's metadata, newest first.

    Example: mintline metadata versions 0x5FbD… 1
    """
    screen = caller.screen
    listed = caller.run(lambda client: client.tokens.versions(contract, token_id))
    for version in listed:
        origin = (
            "as minted"
            if version["created_at"] is None
            else f"{version['created_at']} by {version['client_id']}"
        )
        screen.stage(f"version {version['version']}", f"{version['digest']} {origin}")
    screen.result({"versions": listed})


def _read(file: Path) -> Any:
    try:
        with file.open("rb") as opened:
            text = opened.read(MOST_BYTES + 1)
    except OSError as error:
        stop(f"{file}: {error.strerror}")
    if len(text) > MOST_BYTES:
        stop(f"{file}: more than {MOST_BYTES} bytes")
    try:
        return json.loads(text)
    except ValueError as error:
        stop(f"{file}: not JSON: {error}")
