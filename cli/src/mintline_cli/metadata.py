"""`mintline metadata`: new versions of the metadata of tokens in a machine client's own collections."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from mintline_cli.collections import Contract, Desk, Url, Wait
from mintline_cli.execution import stop
from mintline_cli.options import Json, State
from mintline_cli.output import Screen
from mintline_client.api import Api
from mintline_client.collections import Collections
from mintline_client.models import MetadataRequest, MetadataVersionView
from mintline_client.tokens import Tokens
from mintline_ops.run_file import DEFAULT_STATE

app = typer.Typer(
    help="Replace the metadata of tokens in a machine client's own collections.", no_args_is_help=True
)
MOST_BYTES = 1024 * 1024

TokenId = Annotated[int, typer.Argument(metavar="TOKEN_ID", min=0, help="The token's id.")]


@app.command()
def update(
    contract: Contract,
    token_id: TokenId,
    file: Annotated[Path, typer.Argument(help="A JSON file with all of the new metadata.")],
    *,
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same one changes it once.")] = None,
    wait: Wait = True,
    url: Url = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Replace a token's metadata, and have the contract announce it (ERC-4906).

    The versions before it stay readable. Refused once the collection is frozen.
    """
    screen = Screen(as_json=as_json)
    metadata = cast("MetadataRequest", _read(file))

    async def work(api: Api) -> MetadataVersionView:
        tokens = Tokens(api)
        version = await tokens.change(contract, token_id, metadata, idempotency_key=key)
        screen.stage("served", f"version {version['version']}, SHA-256 {version['digest']}")
        if not wait:
            return version
        collections = Collections(api)
        with screen.waiting("waiting for its announcement"):
            await collections.wait(await collections.get(contract))
        versions = await tokens.versions(contract, token_id)
        return next(one for one in versions if one["version"] == version["version"])

    made = Desk(url, state).call(work)
    announcement = made["announcement"]
    if announcement is not None:
        screen.stage("announced", str(announcement["status"]))
    screen.result(made)


@app.command()
def versions(
    contract: Contract,
    token_id: TokenId,
    *,
    url: Url = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """List the versions of a token's metadata, newest first."""
    screen = Screen(as_json=as_json)
    listed = Desk(url, state).call(lambda api: Tokens(api).versions(contract, token_id))
    for one in listed:
        made = "as minted" if one["created_at"] is None else f"{one['created_at']} by {one['client_id']}"
        screen.stage(f"version {one['version']}", f"{one['digest']} {made}")
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
