"""`mintline dlq`: dead letters, and what to do with them."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

import typer

from mintline.aws.dead_letters import MOST, DeadLetter, in_rounds
from mintline.resource_types import Queue
from mintline.resources import QUEUES
from mintline_cli.execution import execute, stop
from mintline_cli.options import REGION, EndpointUrl, Json, Prefix, Region, State, target_of
from mintline_cli.output import Screen
from mintline_ops import dead_letters
from mintline_ops.dead_letters import open_dead_letters
from mintline_ops.run_file import DEFAULT_STATE

app = typer.Typer(help="Inspect dead letters, send them back to their queue, or delete them.")

MOST_SHOWN = 80
"""Characters of what a message calls itself, in a line about it."""
NAMES = ", ".join(queue.name for queue in QUEUES)
Name = Annotated[str, typer.Argument(metavar="QUEUE", help=f"The queue that they come from: {NAMES}.")]
Ids = Annotated[
    list[str] | None, typer.Argument(metavar="[MESSAGE_ID]…", help="Messages, as `list` names them.")
]
All = Annotated[bool, typer.Option("--all", help="All of the queue's, up to --limit.")]
Limit = Annotated[int, typer.Option(min=1, max=MOST, help="The most messages to deal with.")]


@app.command(name="list")
def list_letters(
    queue: Annotated[str | None, typer.Argument(metavar="[QUEUE]", help=f"One of {NAMES}; all.")] = None,
    *,
    limit: Limit = 100,
    prefix: Prefix = None,
    region: Region = REGION,
    endpoint_url: EndpointUrl = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """List dead letters and their reasons: of each sender at most the first ten.

    Example: mintline dlq list build --prefix shop
    """
    screen = Screen(as_json=as_json)
    target = target_of(state, prefix, region, endpoint_url, None)
    queues = QUEUES if queue is None else (_named(queue),)

    async def read() -> dict[str, tuple[int, list[DeadLetter]]]:
        async with open_dead_letters(target) as letters:
            return {
                each.name: (await letters.waiting(each), await letters.peek(each, limit=limit))
                for each in queues
            }

    by_queue = execute(read())
    for name, (waiting, letters) in by_queue.items():
        shown = f", the first {len(letters)} shown" if len(letters) < waiting else ""
        what = "dead letter" if waiting == 1 else "dead letters"
        screen.say(f"{name}: {waiting} {what}{shown}", style="bold" if waiting else "dim")
        for letter in letters:
            screen.say(f"  {describe(letter)}", style="red")
    screen.result(
        {
            name: {"waiting": waiting, "messages": [letter.to_json() for letter in letters]}
            for name, (waiting, letters) in by_queue.items()
        }
    )


@app.command()
def show(
    queue: Name,
    message_id: Annotated[str, typer.Argument(metavar="MESSAGE_ID", help="As `list` names it.")],
    *,
    prefix: Prefix = None,
    region: Region = REGION,
    endpoint_url: EndpointUrl = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Show one dead letter, with its body.

    Example: mintline dlq show build MESSAGE_ID
    """
    screen = Screen(as_json=as_json)
    target = target_of(state, prefix, region, endpoint_url, None)
    wanted = _named(queue)

    async def read() -> DeadLetter:
        async with open_dead_letters(target) as letters:
            return await dead_letters.find(letters, wanted, message_id)

    letter = execute(read())
    shown = letter.to_json() | {"type": type_of(letter), "sent_at": sent_at(letter)}
    for name, value in shown.items():
        screen.stage(name, "-" if value is None or value == "" else str(value), style="dim")
    screen.say(json.dumps(letter.message, indent=2) if letter.message else letter.body)
    screen.result(letter.to_json() | {"body": letter.body})


@app.command()
def redrive(
    queue: Name,
    ids: Ids = None,
    *,
    everything: All = False,
    limit: Limit = 100,
    prefix: Prefix = None,
    region: Region = REGION,
    endpoint_url: EndpointUrl = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Send messages back to the queue that they come from, in order. Every handler may meet one again.

    Example: mintline dlq redrive build --all
    """
    origin = _named(queue)
    wanted = _chosen(ids, everything=everything)
    target = target_of(state, prefix, region, endpoint_url, None)

    async def send() -> list[DeadLetter]:
        async with open_dead_letters(target) as letters:
            return await in_rounds(partial(letters.redrive, origin, limit=limit), wanted, sleep=asyncio.sleep)

    _settled("redriven", execute(send()), wanted, as_json=as_json)


@app.command()
def drop(
    queue: Name,
    ids: Ids = None,
    *,
    everything: All = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before dropping all.")] = False,
    limit: Limit = 100,
    prefix: Prefix = None,
    region: Region = REGION,
    endpoint_url: EndpointUrl = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Delete messages for good. The records of their mints stay, and the sweep may send those on again.

    Example: mintline dlq drop build MESSAGE_ID
    """
    origin = _named(queue)
    wanted = _chosen(ids, everything=everything)
    if everything and not yes:
        stop("dropping all messages of a queue needs --yes")
    target = target_of(state, prefix, region, endpoint_url, None)

    async def delete() -> list[DeadLetter]:
        async with open_dead_letters(target) as letters:
            return await in_rounds(partial(letters.drop, origin, limit=limit), wanted, sleep=asyncio.sleep)

    _settled("dropped", execute(delete()), wanted, as_json=as_json)


def _chosen(ids: list[str] | None, *, everything: bool) -> set[str] | None:
    if bool(ids) == everything:
        raise typer.BadParameter("pass the ids of messages, or --all, and not both")
    return set(ids) if ids else None


def _settled(what: str, letters: list[DeadLetter], wanted: set[str] | None, *, as_json: bool) -> None:
    screen = Screen(as_json=as_json)
    for letter in letters:
        screen.say(f"{what} {describe(letter)}")
    missing = sorted((wanted or set()) - {letter.message_id for letter in letters})
    result: dict[str, Any] = {what: [letter.to_json() for letter in letters], "missing": missing}
    screen.result(result)
    if missing:
        stop(
            f"not found: {', '.join(missing)}; they were dealt with before, or are held by somebody who "
            "looks at them, for up to a minute",
            answered=True,
        )
    screen.say(f"{len(letters)} {what}", style="bold")


def _named(name: str) -> Queue:
    for queue in QUEUES:
        if queue.name == name:
            return queue
    raise typer.BadParameter(f"no queue {name!r}; queues are {NAMES}")


def describe(letter: DeadLetter) -> str:
    """Return one line about a message."""
    names = (type_of(letter), letter.message.get("mint_id"))
    # A stranger may have written these: they take one line, and a short one.
    about = " ".join(" ".join(str(name).split())[:MOST_SHOWN] for name in names if name)
    return f"{letter.message_id}  {sent_at(letter)}  {about}  {letter.code}: {letter.reason}"


def type_of(letter: DeadLetter) -> Any:
    """Return the type that the message names, or that it names none."""
    return letter.message.get("type") or "no message of ours"


def sent_at(letter: DeadLetter) -> str:
    """Return when the letter was set aside, as RFC 3339 in UTC."""
    return datetime.fromtimestamp(letter.sent_at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
