"""`mintline upload`: store a file that metadata is to name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mintline_cli.caller import Caller, calls_api
from mintline_cli.execution import stop

MOST_BYTES = 100 * 1024 * 1024
"""The highest limit that a deployment can have."""


@calls_api("user")
def upload(
    caller: Caller,
    file: Annotated[Path, typer.Argument(help="A PNG, JPEG, GIF, WebP, AVIF, MP4, WebM or GLB file.")],
) -> None:
    """Upload a file, and print its permanent address.

    `mintline mint --image` takes that address, or `upload:` and the id.

    Example: mintline upload first.png
    """
    try:
        with file.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    except OSError as error:
        stop(f"{file}: {error.strerror}")
    screen = caller.screen
    with screen.waiting(f"uploading {file.name}"):
        uploaded = caller.run(lambda client: client.uploads.create(data))
    screen.say(f"{file.name} is served at {uploaded['url']}")
    screen.say(f"upload {uploaded['upload_id']}, IPFS content id {uploaded['cid']}")
    screen.result(uploaded)
