"""`mintline upload`: upload a file through the running local stack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import aiohttp
import typer

from mintline_cli.execution import execute, stop
from mintline_cli.mint import Password, Username, signed_in
from mintline_cli.options import Json, State, local_stack_info
from mintline_cli.output import Screen
from mintline_client.api import Api
from mintline_client.models import UploadView
from mintline_client.uploads import upload as upload_file
from mintline_ops.run_file import DEFAULT_STATE

MOST_BYTES = 100 * 1024 * 1024
"""The highest limit that a deployment can have."""


def upload(
    file: Annotated[Path, typer.Argument(help="A PNG, JPEG, GIF, WebP, AVIF, MP4, WebM or GLB file.")],
    *,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
    username: Username = None,
    password: Password = None,
) -> None:
    """Upload a file, and print its permanent address.

    `mintline mint --image` takes that address, or `upload:` and the id.
    """
    screen = Screen(as_json=as_json)
    info = local_stack_info(state)
    try:
        with file.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    except OSError as error:
        stop(f"{file}: {error.strerror}")

    async def send() -> UploadView:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(120)) as http:
            signed = await signed_in(http, info, username, password)
            return await upload_file(Api(http, info["api_url"], signed.access_token), http, data)

    with screen.waiting(f"uploading {file.name}"):
        uploaded = execute(send())
    screen.say(f"{file.name} is served at {uploaded['url']}")
    screen.say(f"upload {uploaded['upload_id']}, IPFS content id {uploaded['cid']}")
    screen.result(uploaded)
