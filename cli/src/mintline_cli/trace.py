"""`mintline trace`: one mint's timeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mintline.records.operations import Mint
from mintline_cli.execution import execute
from mintline_cli.options import (
    REGION,
    EndpointUrl,
    Json,
    Prefix,
    Region,
    State,
    deployment,
    local_stack_info,
)
from mintline_cli.output import Screen
from mintline_ops import trace as tracing
from mintline_ops.run_file import DEFAULT_STATE
from mintline_ops.tables import table_of_deployment, table_of_local_stack

STYLES = {"warning": "yellow", "error": "red", "critical": "red"}


def trace(
    mint_id: Annotated[str, typer.Argument(metavar="MINT_ID", help="The mint to follow.")],
    *,
    logs: Annotated[
        list[Path] | None, typer.Option(help="Logs to search: a file or a folder; repeatable.")
    ] = None,
    prefix: Prefix = None,
    region: Region = REGION,
    endpoint_url: EndpointUrl = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Print one mint's timeline, from its record and the services' logs.

    Example: mintline trace mint_FF55QRZSPB6KT3WTPNSD4WF9RF
    """
    screen = Screen(as_json=as_json)
    if prefix is None:
        info = local_stack_info(state)
        places = logs or [Path(info["state_dir"]) / "logs"]
        tables = table_of_local_stack(info)
    else:
        places = logs or []
        tables = table_of_deployment(deployment(prefix, region, endpoint_url))

    async def read() -> tuple[Mint, list[tracing.Moment]]:
        files = tracing.log_files(places)
        async with tables as dynamo:
            mint = await tracing.read_mint(dynamo, mint_id)
        return mint, tracing.timeline(mint, files)

    mint, moments = execute(read())
    screen.say(f"mint {mint.mint_id} is {mint.status.value}")
    for moment in moments:
        screen.say(tracing.describe(moment, moments[0].at), style=STYLES.get(moment.level, ""))
    screen.result(tracing.report(mint, moments))
