"""`mintline events`: what happened to what is the caller's."""

from __future__ import annotations

from typing import Annotated

import typer

from mintline_cli.caller import Caller, calls_api
from mintline_cli.output import Screen
from mintline_client import AsyncMintline
from mintline_client.events import Event


@calls_api("user")
def events(
    caller: Caller,
    *,
    type_: Annotated[
        list[str] | None,
        typer.Option("--type", help="Only events of this type, for example mint.finalized; repeatable."),
    ] = None,
    after: Annotated[
        str | None, typer.Option(help="A position of the log: begin after it, not with the oldest event.")
    ] = None,
    principal: Annotated[
        str | None,
        typer.Option(help="As an administrator: whose events; `operators`, or the id of a user or client."),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
) -> None:
    """Print the caller's events, oldest first, with --json one object a line.

    Example: mintline events --type mint.finalized --follow
    """
    screen = caller.screen

    async def work(client: AsyncMintline) -> None:
        position = after
        while True:
            page = await client.events.read(after=position, types=type_ or (), principal=principal)
            for event in page["events"]:
                _print(screen, event)
            position = page["next"]
            if not page["more"]:
                break
        if not follow:
            screen.note(f"the log was read up to {position}")
            return
        stream = client.events.stream(after=position, types=type_ or (), principal=principal)
        async for _, event in stream:
            _print(screen, event)

    caller.run(work)


def _print(screen: Screen, event: Event) -> None:
    if screen.as_json:
        screen.result(event)
        return
    about = event["resource"]
    screen.say(f"{event['created_at']}  {event['type']:<20}  {about['type']} {about['id']}")
