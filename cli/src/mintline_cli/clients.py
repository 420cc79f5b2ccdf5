"""`mintline clients`: the machine clients, by which a company's own backend mints for its users.

Over the API, for a caller with the scope `admin`; or with AWS rights, which need no client to begin with.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from mintline.fields import checked_address
from mintline.records.clients import ClientBudget
from mintline.scopes import MACHINE_SCOPES, Scope
from mintline_cli.client_administration import ClientAdministration
from mintline_cli.client_output import show_client, show_clients
from mintline_cli.client_target import ClientsTarget, on_clients
from mintline_client.models import ClientView

app = typer.Typer(
    help="""Manage machine clients, by which a company's own backend mints for its users.

    With --url or --profile all commands call the API, and take the scope admin. With --prefix and --user-pool
    they use AWS rights: so the first client with that scope is made. With neither, it is the local stack.""",
    no_args_is_help=True,
)

DEFAULT_SCOPES = [scope.short for scope in MACHINE_SCOPES if scope is not Scope.ADMIN]
MAX_NAME = 64

ClientId = Annotated[str, typer.Argument(metavar="CLIENT_ID", help="The client's id, as `list` shows it.")]
MintsPerHour = Annotated[
    int | None, typer.Option(min=0, help="Mints that it may ask for in an hour; without limit by default.")
]
WeiPerDay = Annotated[
    str | None,
    typer.Option(
        metavar="WEI", help="What the gas of its mints may cost in a UTC day; without limit by default."
    ),
]
Collections = Annotated[
    list[str] | None,
    typer.Option(
        "--collection",
        metavar="ADDRESS",
        help="A contract that it may mint into; repeatable, all by default.",
    ),
]


@app.command()
@on_clients
def create(
    target: ClientsTarget,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call it, such as shop-backend.")],
    *,
    scope: Annotated[
        list[str] | None,
        typer.Option(help=f"What its tokens may do; repeatable. By default {', '.join(DEFAULT_SCOPES)}."),
    ] = None,
    mints_per_hour: MintsPerHour = None,
    wei_per_day: WeiPerDay = None,
    collection: Collections = None,
) -> None:
    """Create a client; its secret is printed once and stored nowhere else.

    Example: mintline clients create shop-backend --mints-per-hour 1000 --profile ops
    """
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise typer.BadParameter(f"expected 1 to {MAX_NAME} printable characters", param_hint="NAME")
    budget = budget_of(mints_per_hour, wei_per_day, collection)
    created = target.execute(
        lambda clients: clients.create(name, scopes=scope or DEFAULT_SCOPES, budget=budget)
    )
    screen = target.screen
    screen.say(f"client  {created['client_id']}")
    screen.say(f"secret  {created['client_secret']}")
    screen.say("The secret is not shown again: put it where your backend keeps its secrets.", style="dim")
    screen.result(dict(created))


@app.command("list")
@on_clients
def list_clients(
    target: ClientsTarget,
) -> None:
    """List all clients, with what they may do.

    Example: mintline clients list --url https://api.example.com --token "$TOKEN"
    """
    clients = target.execute(lambda clients: clients.every())
    show_clients(clients, target.screen)


@app.command()
@on_clients
def show(
    target: ClientsTarget,
    client_id: ClientId,
) -> None:
    """Show one client; over the API also what it has used of its budget.

    Example: mintline clients show CLIENT_ID --profile ops
    """
    _show(target, lambda clients: clients.get(client_id))


@app.command()
@on_clients
def budget(
    target: ClientsTarget,
    client_id: ClientId,
    *,
    mints_per_hour: MintsPerHour = None,
    wei_per_day: WeiPerDay = None,
    collection: Collections = None,
) -> None:
    """Replace a client's budget; what is not given has no limit.

    Example: mintline clients budget CLIENT_ID --mints-per-hour 100 --collection 0x5FbD…0aa3
    """
    wanted = budget_of(mints_per_hour, wei_per_day, collection)
    _show(target, lambda clients: clients.set_budget(client_id, wanted))


@app.command()
@on_clients
def rotate(
    target: ClientsTarget,
    client_id: ClientId,
    *,
    retire: Annotated[
        bool,
        typer.Option("--retire", help="Make no new secret: drop the previous one, which nothing uses now."),
    ] = False,
) -> None:
    """Give a client a new secret, printed once; the previous one stays good until --retire.

    Run it again with --retire once the backend has the new one.

    Example: mintline clients rotate CLIENT_ID
    """
    screen = target.screen
    if retire:
        retired = target.execute(lambda clients: clients.retire_secrets(client_id))
        if retired is None:
            screen.say("the newest secret is the only one")
        else:
            screen.say(f"{retired} previous secret{'' if retired == 1 else 's'} dropped")
        screen.result({"client_id": client_id, "retired": retired})
        return
    secret = target.execute(lambda clients: clients.add_secret(client_id))
    screen.say(f"secret  {secret}")
    screen.say("The secret is not shown again, and the previous one stays good until --retire.", style="dim")
    screen.result({"client_id": client_id, "client_secret": secret})


@app.command()
@on_clients
def disable(
    target: ClientsTarget,
    client_id: ClientId,
) -> None:
    """Have the API refuse a client's tokens, within a minute.

    Example: mintline clients disable CLIENT_ID
    """
    _show(target, lambda clients: clients.set_disabled(client_id, disabled=True))


@app.command()
@on_clients
def enable(
    target: ClientsTarget,
    client_id: ClientId,
) -> None:
    """Have the API accept a disabled client's tokens again, within a minute.

    Example: mintline clients enable CLIENT_ID
    """
    _show(target, lambda clients: clients.set_disabled(client_id, disabled=False))


@app.command()
@on_clients
def delete(
    target: ClientsTarget,
    client_id: ClientId,
) -> None:
    """Delete a client and its app client; the mints that it asked for stay.

    Example: mintline clients delete CLIENT_ID
    """
    target.execute(lambda clients: clients.delete(client_id))
    screen = target.screen
    screen.say(f"client {client_id} is deleted")
    screen.result({"client_id": client_id, "deleted": True})


def budget_of(
    mints_per_hour: int | None, wei_per_day: str | None, collections: list[str] | None
) -> ClientBudget:
    """Return the budget that options name; ends the command when a value is none."""
    if wei_per_day is not None and not (wei_per_day.isascii() and wei_per_day.isdigit()):
        raise typer.BadParameter("expected a whole number of wei", param_hint="--wei-per-day")
    try:
        addresses = tuple(checked_address(address) for address in collections or ())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--collection") from None
    return ClientBudget(
        mints_per_hour=mints_per_hour,
        wei_per_day=None if wei_per_day is None else int(wei_per_day),
        collections=addresses or None,
    )


def _show(target: ClientsTarget, work: Callable[[ClientAdministration], Awaitable[ClientView]]) -> None:
    client = target.execute(work)
    show_client(client, target.screen)
    target.screen.result(dict(client))
