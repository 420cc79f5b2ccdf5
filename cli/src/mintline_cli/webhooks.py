"""`mintline webhooks`: where a machine client's events are sent, by the API."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mintline_cli.caller import Caller, calls_api
from mintline_cli.output import Screen

app = typer.Typer(help="Have a machine client's events posted to a URL, by the API.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="WEBHOOK_ID", help="The webhook's id, as `list` shows it.")]
Types = Annotated[
    list[str] | None,
    typer.Option(
        "--type", metavar="TYPE", help="A type of events, such as mint.finalized; repeatable, all by default."
    ),
]


@app.command()
@calls_api("client")
def create(
    caller: Caller,
    url: Annotated[str, typer.Argument(metavar="URL", help="Where events are posted to, by https.")],
    *,
    types: Types = None,
    description: Annotated[str | None, typer.Option(help="What you call it.")] = None,
) -> None:
    """Make a webhook; its secret is printed once.

    Example: mintline webhooks create https://shop.example/mintline --type mint.finalized
    """
    webhook = caller.run(
        lambda client: client.webhooks.create(url, types=types or (), description=description)
    )
    _secret(webhook, caller.screen)


@app.command("list")
@calls_api("client")
def list_webhooks(caller: Caller) -> None:
    """List the client's webhooks, newest first.

    Example: mintline webhooks list
    """
    listed = caller.run(lambda client: client.webhooks.list())["items"]
    caller.screen.table(
        ("Webhook", "URL", "Types", "Status", "Failing"),
        [(each["webhook_id"], each["url"], _types(each), each["status"], each["failing"]) for each in listed],
        empty="there are no webhooks; make one with `mintline webhooks create URL`",
    )
    caller.screen.result({"webhooks": listed})


@app.command()
@calls_api("client")
def show(caller: Caller, webhook_id: Id) -> None:
    """Show one webhook.

    Example: mintline webhooks show wh_5d1f…
    """
    _show(caller.run(lambda client: client.webhooks.get(webhook_id)), caller.screen)


@app.command()
@calls_api("client")
def update(
    caller: Caller,
    webhook_id: Id,
    *,
    url: Annotated[
        str | None, typer.Option("--to", metavar="URL", help="Where events are posted to from now on.")
    ] = None,
    types: Types = None,
    all_types: Annotated[bool, typer.Option("--all-types", help="Deliver events of all types.")] = False,
    description: Annotated[str | None, typer.Option(help="What you call it.")] = None,
    enable: Annotated[
        bool | None,
        typer.Option("--enable/--disable", help="Whether anything is sent; it goes on where it stopped."),
    ] = None,
) -> None:
    """Change a webhook; what is not given stays.

    Example: mintline webhooks update wh_5d1f… --enable
    """
    if types and all_types:
        raise typer.BadParameter("expected one of --type and --all-types", param_hint="--type")
    given: dict[str, Any] = {"url": url, "types": types or None, "description": description}
    members = {name: value for name, value in given.items() if value is not None}
    if all_types:
        members["types"] = None
    if enable is not None:
        members["status"] = "enabled" if enable else "disabled"
    if not members:
        raise typer.BadParameter("expected something to change", param_hint="options")
    _show(caller.run(lambda client: client.webhooks.change(webhook_id, **members)), caller.screen)


@app.command()
@calls_api("client")
def delete(caller: Caller, webhook_id: Id) -> None:
    """Delete a webhook.

    Example: mintline webhooks delete wh_5d1f…
    """
    caller.run(lambda client: client.webhooks.delete(webhook_id))
    caller.screen.say(f"webhook {webhook_id} is deleted")
    caller.screen.result({"webhook_id": webhook_id, "deleted": True})


@app.command()
@calls_api("client")
def rotate(caller: Caller, webhook_id: Id) -> None:
    """Give a webhook another secret, printed once; the one before signs for 24 hours too.

    Example: mintline webhooks rotate wh_5d1f…
    """
    _secret(caller.run(lambda client: client.webhooks.rotate_secret(webhook_id)), caller.screen)


@app.command()
@calls_api("client")
def test(caller: Caller, webhook_id: Id) -> None:
    """Have a test event sent to a webhook.

    Example: mintline webhooks test wh_5d1f…
    """
    event = caller.run(lambda client: client.webhooks.test(webhook_id))
    caller.screen.say(
        f"event {event['event_id']} is on its way; see `mintline webhooks deliveries {webhook_id}`"
    )
    caller.screen.result(event)


@app.command()
@calls_api("client")
def deliveries(
    caller: Caller,
    webhook_id: Id,
    *,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many attempts to show.")] = 20,
) -> None:
    """List the latest attempts to deliver, newest first.

    Example: mintline webhooks deliveries wh_5d1f…
    """
    page = caller.run(lambda client: client.webhooks.deliveries(webhook_id, limit=limit))
    caller.screen.table(
        ("At", "Event", "Type", "Attempt", "Response", "ms", "Next attempt"),
        [
            (
                each["at"],
                each["event_id"],
                each["type"],
                each["attempt"],
                each["error"] or f"{each['status_code']} {each['response'][:60]}",
                each["latency_ms"],
                each["next_attempt_at"],
            )
            for each in page["items"]
        ],
        empty="nothing was sent in the last seven days",
    )
    caller.screen.result({"deliveries": page["items"], "next_cursor": page["next_cursor"]})


@app.command()
@calls_api("client")
def replay(
    caller: Caller,
    webhook_id: Id,
    *,
    after: Annotated[
        str | None,
        typer.Option(metavar="POSITION", help="`next` of GET /v1/events; by default the oldest event kept."),
    ] = None,
) -> None:
    """Have the events after a position of the event log sent again.

    Example: mintline webhooks replay wh_5d1f… --after 0000000042003
    """
    _show(caller.run(lambda client: client.webhooks.replay(webhook_id, after=after)), caller.screen)


def _show(webhook: dict[str, Any], screen: Screen) -> None:
    for name, text in (
        ("webhook", webhook["webhook_id"]),
        ("url", webhook["url"]),
        ("types", _types(webhook)),
        ("description", webhook["description"]),
        ("status", webhook["status"]),
        ("reason", webhook["disabled_reason"]),
        ("public key", webhook["public_key"]),
        ("failing", str(webhook["failing"])),
        ("next attempt", webhook["next_attempt_at"]),
        ("created", webhook["created_at"]),
    ):
        if text:
            screen.stage(name, text)
    screen.result(webhook)


def _secret(webhook: dict[str, Any], screen: Screen) -> None:
    screen.say(f"webhook     {webhook['webhook_id']}")
    screen.say(f"secret      {webhook['secret']}")
    screen.say(f"public key  {webhook['public_key']}")
    screen.say("The secret is not shown again: put it where your backend keeps its secrets.", style="dim")
    screen.result(webhook)


def _types(webhook: dict[str, Any]) -> str:
    return "all" if webhook["types"] is None else " ".join(webhook["types"])
