"""`mintline operator unpack-metadata`: gives each token an object of its own, with its latest metadata."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from mintline_cli.execution import execute
from mintline_cli.options import REGION, EndpointUrl, Json, Prefix, Region, State, target_of
from mintline_cli.output import Screen
from mintline_ops.metadata.unpack import unpack_metadata
from mintline_ops.run_file import DEFAULT_STATE


def unpack(
    *,
    contract: Annotated[
        str | None, typer.Option(help="The collection, by its checksummed address; all if absent.")
    ] = None,
    prefix: Prefix = None,
    region: Region = REGION,
    endpoint_url: EndpointUrl = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Write an object with the latest metadata of each token, for a web host to serve; safe to repeat.

    That is each token whose metadata is in a pack, or was replaced or revealed; others have one. Exits 1 if
    an object is missing or a record is damaged.

    Example: mintline operator unpack-metadata --prefix shop
    """
    screen = Screen(as_json=as_json)
    target = target_of(state, prefix, region, endpoint_url, None)
    done = execute(unpack_metadata(target, contract=contract))
    screen.say(
        f"{done.packs} packs: {done.written} objects written, {done.replaced} replaced by a later version, "
        f"{done.present} there already"
    )
    if not done.clean:
        screen.say(f"{done.missing} objects are missing, {done.unreadable} records are damaged", style="red")
    screen.result(asdict(done))
    if not done.clean:
        raise typer.Exit(1)
