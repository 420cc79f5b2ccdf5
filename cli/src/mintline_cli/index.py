"""`mintline index`: builds an index from the chain, and compares or repairs the stored one."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from mintline_cli.execution import execute
from mintline_cli.options import REGION, EndpointUrl, Json, Prefix, Region, RpcUrls, State, target_of
from mintline_cli.output import Screen
from mintline_ops.index.check import check
from mintline_ops.index.items import Difference
from mintline_ops.run_file import DEFAULT_STATE

app = typer.Typer(
    help="Build an index from the chain, and compare or repair the stored one.", no_args_is_help=True
)

EVERY_BLOCK = 10**12


@app.callback()
def index() -> None:
    """Build an index from the chain."""


@app.command()
def rebuild(
    *,
    compare: Annotated[
        bool,
        typer.Option("--compare", help="Compare it with the stored index; exits 1 if they differ."),
    ] = False,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair", help="Write what differs into the stored index; exits 1 if it still differs."
        ),
    ] = False,
    whole_blocks: Annotated[
        int,
        typer.Option(
            min=0, help="Read only so many of the newest blocks whole: older reverted mints are passed."
        ),
    ] = EVERY_BLOCK,
    prefix: Prefix = None,
    region: Region = REGION,
    endpoint_url: EndpointUrl = None,
    rpc: RpcUrls = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Build an index in memory from the chain alone, and print its digest.

    Example: mintline index rebuild --compare
    """
    screen = Screen(as_json=as_json)
    target = target_of(state, prefix, region, endpoint_url, rpc)
    with screen.waiting("reading the chain"):
        built = execute(check(target, whole=whole_blocks, compare=compare, repair=repair))
    screen.say(f"{built.tokens} tokens and {built.transfers} transfers up to block {built.head}")
    screen.say(f"SHA-256 {built.digest}")
    result: dict[str, Any] = {
        "head": built.head,
        "tokens": built.tokens,
        "transfers": built.transfers,
        "sha256": built.digest,
    }
    if built.differences is None:
        screen.result(result)
        return
    if built.repaired is not None:
        for difference in built.repaired:
            screen.say(_describe(difference), style="dim")
        screen.say(f"{len(built.repaired)} items repaired", style="bold")
        result["repaired"] = [difference.to_json() for difference in built.repaired]
    for difference in built.differences:
        screen.say(_describe(difference), style="red")
    count = len(built.differences)
    screen.say(f"{count} items differ" if count else "the stored index is the same", style="bold")
    screen.result(result | {"differences": [difference.to_json() for difference in built.differences]})
    if count:
        raise typer.Exit(1)


def _describe(difference: Difference) -> str:
    table, *key = difference.key
    name = f"{table} {' '.join(part for part in key if part)}"
    if difference.kept is None:
        return f"{name}: missing from the index"
    if difference.rebuilt is None:
        return f"{name}: not on chain"
    sides = (
        f"{field}: kept {json.dumps(difference.kept.get(field), default=str)}, "
        f"rebuilt {json.dumps(difference.rebuilt.get(field), default=str)}"
        for field in difference.fields()
    )
    return f"{name}: {'; '.join(sides)}"
