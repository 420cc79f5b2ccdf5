"""`mintline drops`: many mints from one file, as a machine client."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from mintline_cli.amounts import ether, gwei
from mintline_cli.caller import Caller, calls_api
from mintline_cli.execution import stop
from mintline_cli.mint import drop_progress
from mintline_cli.output import Screen
from mintline_client import AsyncMintline
from mintline_client.models import DropRequest, DropView, LinesView

app = typer.Typer(help="Mint up to 100,000 tokens from one file, as a machine client.", no_args_is_help=True)

_ADDRESS = re.compile("0x[0-9a-fA-F]{40}")

DropId = Annotated[str, typer.Argument(metavar="DROP_ID", help="The drop's id, as `create` prints it.")]


@app.command()
@calls_api("client")
def create(
    caller: Caller,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call the drop.")],
    *,
    contract: Annotated[
        str | None, typer.Option(help="The collection; the deployment's default by default.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same one makes one drop.")] = None,
) -> None:
    """Make an empty drop and print its id.

    Example: mintline drops create "Season tickets"
    """
    if _ADDRESS.fullmatch(name):
        raise typer.BadParameter(
            'an address is no name: mintline drops create "My drop" --contract 0x…', param_hint="NAME"
        )
    request: DropRequest = {"name": name}
    if contract:
        request["contract"] = contract
    drop = caller.run(lambda client: client.drops.create(request, idempotency_key=key))
    caller.screen.say(f"drop  {drop['drop_id']}")
    caller.screen.result(drop)


@app.command("upload")
@calls_api("client")
def upload_lines(
    caller: Caller,
    drop_id: DropId,
    file: Annotated[Path, typer.Argument(help="The lines: a file that ends in .ndjson, .jsonl or .csv.")],
    *,
    append: Annotated[
        bool, typer.Option("--append", help="The drop has another file's lines already.")
    ] = False,
    begins_at: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Go on with a file whose upload broke off: how many bytes the drop had before it, 0 for the "
            "first file.",
        ),
    ] = None,
) -> None:
    """Upload a file of lines to a drop that has none; `--append` uploads another file.

    Example: mintline drops upload drop_7H2K… airdrop.csv
    """
    screen = caller.screen
    if not file.is_file():
        stop(f"{file}: not a file")
    if append and begins_at is not None:
        stop("pass one of --append and --begins-at")

    async def work(client: AsyncMintline) -> LinesView:
        taken = await client.drops.offset(drop_id)
        if taken and begins_at is None and not append:
            stop(
                f"the drop has {taken} bytes of lines already: pass --append if {file.name} is another file, "
                "or --begins-at 0 if it is the first one, whose upload broke off"
            )
        first = taken if begins_at is None else begins_at
        if append:
            screen.say(f"  begins at   {first}")
        try:
            return await client.drops.upload(drop_id, file, begins_at=first)
        except ValueError as error:
            stop(str(error))

    with screen.waiting(f"uploading {file.name}"):
        taken = caller.run(work)
    _say_lines(screen, taken)
    if taken["refused"]:
        screen.stage("reasons", f"`mintline drops refused {drop_id}` prints the refused lines with them")
    screen.result(taken)


@app.command()
@calls_api("client")
def refused(caller: Caller, drop_id: DropId) -> None:
    """Print the refused lines in the format in which they came, with the reasons.

    Example: mintline drops refused drop_7H2K… > refused.csv
    """
    content = caller.run(lambda client: client.drops.refused(drop_id))
    sys.stdout.buffer.write(content)


@app.command("dry-run")
@calls_api("client")
def dry_run(caller: Caller, drop_id: DropId) -> None:
    """Show what a drop would make, cost and take, before anything is made or spent.

    Example: mintline drops dry-run drop_7H2K…
    """
    tried = caller.run(lambda client: client.drops.dry_run(drop_id))
    screen, wallets = caller.screen, tried["wallets"]
    refused = tried["refused"] + (tried.get("items_refused") or 0) + (tried["over_cap"] or 0)
    tokens = _tokens(tried, tried["lines"])
    screen.stage("lines", f"{tried['lines']} to mint{tokens}, {refused} refused")
    about = "" if wallets["exact"] else f", estimated from {wallets['looked_up']} recipients"
    screen.stage("wallets", f"{wallets['to_make']} to make{about}")
    screen.stage("gas", str(tried["gas"]))
    for cost in tried["costs"]:
        screen.stage(cost["level"], f"{ether(cost['wei'])} at {gwei(cost['wei_per_gas'])} per gas")
    seconds = tried["seconds_at_least"]
    minting = "unknown" if seconds["minting"] is None else f"{seconds['minting']} s"
    screen.stage("at least", f"{seconds['preparation']} s of preparation, {minting} of minting")
    screen.result(tried)


@app.command()
@calls_api("client")
def run(caller: Caller, drop_id: DropId) -> None:
    """Prepare a drop, start or resume it, and follow it until all its tokens are final.

    Example: mintline drops run drop_7H2K…
    """
    screen = caller.screen
    shown: set[str] = set()

    async def work(client: AsyncMintline) -> DropView:
        with screen.progress("lines minted") as update:

            def heard(drop: DropView) -> None:
                update(*drop_progress(drop))
                line = _progress(drop)
                if line not in shown:
                    shown.add(line)
                    screen.stage(drop["status"], line)

            return await client.drops.run(drop_id, heard=heard)

    screen.result(caller.run(work))


@app.command()
@calls_api("client")
def show(caller: Caller, drop_id: DropId) -> None:
    """Show how far a drop has come.

    Example: mintline drops show drop_7H2K…
    """
    _show(caller.screen, caller.run(lambda client: client.drops.get(drop_id)))


@app.command("list")
@calls_api("client")
def list_drops(caller: Caller) -> None:
    """List the client's drops, newest first.

    Example: mintline drops list
    """

    async def work(client: AsyncMintline) -> list[DropView]:
        return [drop async for drop in client.drops.list()]

    listed = caller.run(work)
    caller.screen.table(
        ("Drop", "Status", "Name", "Lines", "Created"),
        [
            (drop["drop_id"], drop["status"], drop["name"], drop["lines"]["accepted"], drop["created_at"])
            for drop in listed
        ],
        empty="there are no drops; make one with `mintline drops create NAME`",
    )
    caller.screen.result({"drops": listed})


@app.command()
@calls_api("client")
def prepare(caller: Caller, drop_id: DropId) -> None:
    """Make the users, wallets and token ids of a drop; it takes no more lines.

    Example: mintline drops prepare drop_7H2K…
    """
    _show(caller.screen, caller.run(lambda client: client.drops.prepare(drop_id)))


@app.command()
@calls_api("client")
def start(caller: Caller, drop_id: DropId) -> None:
    """Authorize a prepared drop, and have its lines minted.

    Example: mintline drops start drop_7H2K…
    """
    _show(caller.screen, caller.run(lambda client: client.drops.start(drop_id)))


@app.command()
@calls_api("client")
def pause(caller: Caller, drop_id: DropId) -> None:
    """Hand on no more lines of a drop; those that were are minted.

    Example: mintline drops pause drop_7H2K…
    """
    _show(caller.screen, caller.run(lambda client: client.drops.pause(drop_id)))


@app.command()
@calls_api("client")
def resume(caller: Caller, drop_id: DropId) -> None:
    """Go on with a paused drop, authorized by a fresh token.

    Example: mintline drops resume drop_7H2K…
    """
    _show(caller.screen, caller.run(lambda client: client.drops.resume(drop_id)))


@app.command()
@calls_api("client")
def cancel(caller: Caller, drop_id: DropId) -> None:
    """Hand on no more lines of a drop, permanently; those that were are minted.

    Example: mintline drops cancel drop_7H2K…
    """
    _show(caller.screen, caller.run(lambda client: client.drops.cancel(drop_id)))


def _show(screen: Screen, drop: DropView) -> None:
    screen.stage("drop", drop["drop_id"])
    screen.stage("status", drop["status"])
    _say_lines(screen, drop["lines"])
    if unresolved := drop["preparation"]["unresolved"]:
        screen.stage("refused", f"{unresolved} more by the preparation: `mintline drops refused` has them")
    screen.stage("progress", _progress(drop))
    if (cost := drop["cost"])["lines"]:
        each = cost["gas"] // cost["lines"]
        screen.stage("cost", f"{ether(cost['wei'])} for {cost['lines']} lines, {each} gas a line")
    if drop["paused"] is not None:
        screen.stage("reason", drop["paused"]["reason"])
    if drop["resumes_at"] is not None:
        screen.stage("resumes", drop["resumes_at"])
    screen.result(drop)


def _say_lines(screen: Screen, lines: Mapping[str, Any]) -> None:
    tokens = _tokens(lines, lines["accepted"])
    screen.stage("lines", f"{lines['accepted']} accepted{tokens}, {lines['refused']} refused")
    for what in ("lines", "recipients"):
        if count := lines[f"repeated_{what}"]["count"]:
            examples = lines[f"repeated_{what}"]["examples"][:5]
            first = ", ".join(f"{each['line']} (as {each['first']})" for each in examples)
            screen.stage("repeated", f"{count} {what}: line {first}")


def _tokens(counted: Mapping[str, Any], lines: int) -> str:
    """Return how many tokens the lines are, unless it is one each; an older API does not say."""
    tokens = counted.get("tokens", str(lines))
    return "" if tokens == str(lines) else f" ({tokens} tokens)"


def _progress(drop: Mapping[str, Any]) -> str:
    """Return one line that says how far a drop has come."""
    preparation, minting = drop["preparation"], drop["minting"]
    if drop["status"] in ("draft", "preparing"):
        return f"{preparation['prepared']} of {preparation['parts']} parts prepared"
    statuses = ", ".join(f"{count} {status}" for status, count in minting["by_status"].items())
    left = "" if minting["seconds_left"] is None else f", {minting['seconds_left']} s left"
    return f"{minting['handed_on']} of {minting['lines']} lines handed on; {statuses or 'none minted'}{left}"
