"""`mintline clients`: the machine clients, by which a company's own backend mints for its users."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.table import Column, Table

from mintline.aws.clients import ClientRegistry
from mintline.aws.errors import AwsRefused
from mintline.clock import unix_ms
from mintline.errors import Misconfigured
from mintline.fields import checked_address
from mintline.records.clients import Client, ClientBudget
from mintline.scopes import MACHINE_SCOPES, RESOURCE_SERVER, Scope
from mintline_cli.execution import execute, stop
from mintline_cli.options import REGION, EndpointUrl, Json, Prefix, Region, State, local_stack_info, target_of
from mintline_cli.output import Screen, harmless
from mintline_cli.shared_options import gives, shared_option
from mintline_ops.clients import open_registry
from mintline_ops.deployments import Target
from mintline_ops.run_file import DEFAULT_STATE

T = TypeVar("T")

app = typer.Typer(
    help="Manage machine clients, by which a company's own backend mints for its users.", no_args_is_help=True
)

DEFAULT_SCOPES = [scope.short for scope in MACHINE_SCOPES if scope is not Scope.ADMIN]
MAX_NAME = 64

ClientId = Annotated[str, typer.Argument(metavar="CLIENT_ID", help="The client's id, as `list` shows it.")]
UserPool = Annotated[
    str | None, typer.Option("--user-pool", help="With --prefix: the id of the deployment's user pool.")
]
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


@dataclass(frozen=True, slots=True)
class Place:
    """Whose clients a command is about: those of the local stack, or of the deployment with a prefix."""

    prefix: str | None
    user_pool: str | None
    region: str
    endpoint_url: str | None
    state: Path
    screen: Screen

    def execute(self, work: Callable[[ClientRegistry], Awaitable[T]]) -> T:
        """Work on the clients; ends the command where AWS refuses."""
        target = target_of(self.state, self.prefix, self.region, self.endpoint_url, None)
        pool = self.user_pool
        if self.prefix is None:
            pool = local_stack_info(self.state)["cognito"]["user_pool_id"]
        elif pool is None:
            stop("--prefix takes --user-pool")
        assert pool is not None
        return execute(self._work(work, target, pool))

    @staticmethod
    async def _work(work: Callable[[ClientRegistry], Awaitable[T]], target: Target, pool: str) -> T:
        try:
            async with open_registry(target, user_pool_id=pool) as registry:
                return await work(registry)
        except (AwsRefused, BotoCoreError, ClientError) as error:
            raise Misconfigured(f"AWS refused: {error}") from None


def _place(*, as_json: bool, **given: Any) -> Place:
    return Place(screen=Screen(as_json=as_json), **given)


on_clients = gives(
    _place,
    (
        shared_option("prefix", Prefix, None),
        shared_option("user_pool", UserPool, None),
        shared_option("region", Region, REGION),
        shared_option("endpoint_url", EndpointUrl, None),
        shared_option("state", State, DEFAULT_STATE),
        shared_option("as_json", Json, False),  # noqa: FBT003 - an option's default
    ),
)
"""Gives a command, whose first parameter is the Place, the options that say whose clients it is about."""


@app.command()
@on_clients
def create(
    place: Place,
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

    Example: mintline clients create shop-backend --mints-per-hour 1000
    """
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise typer.BadParameter(f"expected 1 to {MAX_NAME} printable characters", param_hint="NAME")
    scopes = [f"{RESOURCE_SERVER}/{short}" for short in scope or DEFAULT_SCOPES]
    budget = budget_of(mints_per_hour, wei_per_day, collection)

    async def work(registry: ClientRegistry) -> tuple[Client, str]:
        return await registry.create(name, scopes=scopes, budget=budget, at=unix_ms())

    client, secret = place.execute(work)
    screen = place.screen
    screen.say(f"client  {client.client_id}")
    screen.say(f"secret  {secret}")
    screen.say("The secret is not shown again: put it where your backend keeps its secrets.", style="dim")
    screen.result({**described(client), "client_secret": secret})


@app.command("list")
@on_clients
def list_clients(
    place: Place,
) -> None:
    """List all clients, with what they may do.

    Example: mintline clients list
    """
    clients = place.execute(lambda registry: registry.records.every())
    screen = place.screen
    if screen.as_json:
        screen.result({"clients": [described(client) for client in clients]})
    elif clients:
        Console(highlight=False).print(_table(clients))
    else:
        screen.say("there are no clients; make one with `mintline clients create NAME`")


@app.command()
@on_clients
def show(
    place: Place,
    client_id: ClientId,
) -> None:
    """Show one client.

    Example: mintline clients show CLIENT_ID
    """
    client = place.execute(lambda registry: registry.records.get(client_id))
    _show(client, client_id, place.screen)


@app.command()
@on_clients
def budget(
    place: Place,
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
    client = place.execute(lambda registry: registry.records.set_budget(client_id, wanted))
    _show(client, client_id, place.screen)


@app.command()
@on_clients
def rotate(
    place: Place,
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
    screen = place.screen
    if retire:
        retired = place.execute(lambda registry: registry.app_clients.retire_secrets(client_id))
        if retired is None:
            _stop_unknown(client_id)
        screen.say(f"{retired} previous secret{'' if retired == 1 else 's'} dropped")
        screen.result({"client_id": client_id, "retired": retired})
        return
    secret = place.execute(lambda registry: registry.app_clients.add_secret(client_id))
    if secret is None:
        _stop_unknown(client_id)
    screen.say(f"secret  {secret}")
    screen.say("The secret is not shown again, and the previous one stays good until --retire.", style="dim")
    screen.result({"client_id": client_id, "client_secret": secret})


@app.command()
@on_clients
def disable(
    place: Place,
    client_id: ClientId,
) -> None:
    """Have the API refuse a client's tokens, within a minute.

    Example: mintline clients disable CLIENT_ID
    """
    client = place.execute(lambda registry: registry.records.disable(client_id, at=unix_ms()))
    _show(client, client_id, place.screen)


@app.command()
@on_clients
def enable(
    place: Place,
    client_id: ClientId,
) -> None:
    """Have the API accept a disabled client's tokens again, within a minute.

    Example: mintline clients enable CLIENT_ID
    """
    client = place.execute(lambda registry: registry.records.enable(client_id))
    _show(client, client_id, place.screen)


@app.command()
@on_clients
def delete(
    place: Place,
    client_id: ClientId,
) -> None:
    """Delete a client and its app client; the mints that it asked for stay.

    Example: mintline clients delete CLIENT_ID
    """
    deleted = place.execute(lambda registry: registry.delete(client_id))
    if not deleted:
        _stop_unknown(client_id)
    screen = place.screen
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


def described(client: Client) -> dict[str, Any]:
    """Return a client as `--json` prints it."""
    return {
        "client_id": client.client_id,
        "name": client.name,
        "scopes": [scope.removeprefix(f"{RESOURCE_SERVER}/") for scope in client.scopes],
        "budget": client.budget.model_dump(mode="json"),
        "created_at": _moment(client.created_at),
        "disabled_at": None if client.disabled_at is None else _moment(client.disabled_at),
    }


def _table(clients: list[Client]) -> Table:
    first = Column("Client", no_wrap=True, overflow="fold")
    table = Table(first, "Name", "Mints/hour", "Wei/day", "State", box=None)
    for client in clients:
        table.add_row(
            client.client_id,
            harmless(client.name),
            _limit(client.budget.mints_per_hour),
            _limit(client.budget.wei_per_day),
            "active" if client.disabled_at is None else "disabled",
        )
    return table


def _limit(value: int | None) -> str:
    return "no limit" if value is None else str(value)


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


def _show(client: Client | None, client_id: str, screen: Screen) -> None:
    if client is None:
        _stop_unknown(client_id)
    about = described(client)
    limits = client.budget
    for name, text in (
        ("client", client.client_id),
        ("name", client.name),
        ("scopes", " ".join(about["scopes"])),
        ("mints/hour", _limit(limits.mints_per_hour)),
        ("wei/day", _limit(limits.wei_per_day)),
        ("collections", "all" if limits.collections is None else " ".join(limits.collections)),
        ("created", about["created_at"]),
        ("disabled", about["disabled_at"] or "no"),
    ):
        screen.stage(name, text)
    screen.result(about)


def _stop_unknown(client_id: str) -> NoReturn:
    stop(f"there is no client {client_id}; `mintline clients list` shows all")
