"""`mintline collections`: a machine client's own contracts, by the API."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import aiohttp
import typer
from rich.console import Console
from rich.table import Column, Table

from mintline.fields import checked_address
from mintline_cli.execution import execute, stop
from mintline_cli.options import Json, State, local_stack_info
from mintline_cli.output import Screen, harmless
from mintline_client.api import Api
from mintline_client.collections import Collections
from mintline_client.models import CollectionRequest, CollectionView
from mintline_client.sign_in import demo_client_token
from mintline_ops.run_file import DEFAULT_STATE

T = TypeVar("T")

app = typer.Typer(
    help="Deploy and change a machine client's own contracts, by the API.", no_args_is_help=True
)

TOKEN = "MINTLINE_TOKEN"  # noqa: S105 - a variable's name
_SECONDS = 30


def _address(value: str) -> str:
    try:
        return checked_address(value)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


Contract = Annotated[str, typer.Argument(metavar="CONTRACT", help="Its address.", callback=_address)]
Url = Annotated[
    str | None,
    typer.Option(help=f"Where the API is, if not the local stack's; the access token is in {TOKEN}."),
]
Wait = Annotated[bool, typer.Option(help="Wait until it is mined.")]


@dataclass(frozen=True, slots=True)
class Desk:
    """Whose collections a command is about: those of the client that the access token is of."""

    url: str | None
    state: Path

    def execute(self, work: Callable[[Collections], Awaitable[T]]) -> T:
        """Work on the client's collections: the local stack's demo client unless a token names another."""
        return self.call(lambda api: work(Collections(api)))

    def call(self, work: Callable[[Api], Awaitable[T]]) -> T:
        """Call the API as that client."""
        token = os.environ.get(TOKEN)
        if self.url is not None and not token:
            stop(f"--url takes the access token of a machine client in {TOKEN}")
        info = local_stack_info(self.state) if self.url is None else {}
        return execute(self._work(work, info, token))

    async def _work(self, work: Callable[[Api], Awaitable[T]], info: dict[str, Any], token: str | None) -> T:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(_SECONDS)) as http:
            if not token:
                token = (await demo_client_token(http, info)).access_token
            return await work(Api(http, (self.url or info["api_url"]).rstrip("/"), token))


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="At most 64 bytes.")],
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="At most 16 bytes.")],
    *,
    supply_cap: Annotated[
        int | None, typer.Option(min=1, help="How many tokens are ever minted; no cap by default.")
    ] = None,
    royalty: Annotated[
        str | None,
        typer.Option(metavar="RECEIVER:BPS", help="Who gets how many hundredths of a percent of a sale."),
    ] = None,
    start: Annotated[
        str | None, typer.Option(metavar="TIME", help="From when it mints: 2026-12-24T18:00:00Z.")
    ] = None,
    end: Annotated[str | None, typer.Option(metavar="TIME", help="Until when.")] = None,
    soulbound: Annotated[bool, typer.Option("--soulbound", help="Tokens cannot be transferred.")] = False,
    open_to_users: Annotated[
        bool, typer.Option("--open-to-users", help="Any user may mint in it, at the platform's expense.")
    ] = False,
    description: Annotated[str | None, typer.Option(help="What marketplaces show.")] = None,
    image: Annotated[str | None, typer.Option(help="Likewise, the URL of an image.")] = None,
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same one makes it once.")] = None,
    wait: Wait = True,
    url: Url = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Deploy a collection, and print its address.

    Example: mintline collections create "Season tickets" SEAT --supply-cap 5000
    """
    window = {"start": start, "end": end}
    metadata = {"description": description, "image": image}
    body = {
        "name": name,
        "symbol": symbol,
        "supply_cap": supply_cap,
        "royalties": None if royalty is None else _royalties(royalty),
        "mint_window": window if start or end else None,
        "soulbound": soulbound,
        "open_to_users": open_to_users,
        "metadata": {member: text for member, text in metadata.items() if text is not None},
    }
    screen = Screen(as_json=as_json)

    async def work(collections: Collections) -> CollectionView:
        request = {member: value for member, value in body.items() if value is not None}
        made = await collections.create(cast("CollectionRequest", request), idempotency_key=key)
        screen.say(f"contract {made['contract']}")
        return await _settled(collections, made, screen, wait=wait)

    made = Desk(url, state).execute(work)
    screen.stage(made["status"], f"{made['name']} ({made['symbol']})")
    screen.result(made)


@app.command("list")
def list_collections(*, url: Url = None, state: State = DEFAULT_STATE, as_json: Json = False) -> None:
    """List the client's collections, newest first."""

    async def work(collections: Collections) -> list[CollectionView]:
        return [each async for each in collections.list()]

    listed = Desk(url, state).execute(work)
    screen = Screen(as_json=as_json)
    if as_json:
        screen.result({"collections": listed})
    elif listed:
        Console(highlight=False).print(_table(listed))
    else:
        screen.say("there are no collections; make one with `mintline collections create NAME SYMBOL`")


@app.command()
def show(contract: Contract, *, url: Url = None, state: State = DEFAULT_STATE, as_json: Json = False) -> None:
    """Show one collection."""
    _show(Desk(url, state).execute(lambda collections: collections.get(contract)), Screen(as_json=as_json))


@app.command()
def pause(
    contract: Contract,
    *,
    wait: Wait = True,
    url: Url = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Have the contract refuse mints, transfers and burns."""
    _change(Desk(url, state), contract, Screen(as_json=as_json), wait=wait, paused=True)


@app.command()
def unpause(
    contract: Contract,
    *,
    wait: Wait = True,
    url: Url = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """End a pause."""
    _change(Desk(url, state), contract, Screen(as_json=as_json), wait=wait, paused=False)


@app.command()
def royalties(
    contract: Contract,
    royalty: Annotated[
        str,
        typer.Argument(metavar="RECEIVER:BPS", help="Who gets how many hundredths of a percent of a sale."),
    ],
    *,
    wait: Wait = True,
    url: Url = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Set what marketplaces are asked to pay at a sale."""
    wanted = _royalties(royalty)
    _change(Desk(url, state), contract, Screen(as_json=as_json), wait=wait, royalties=wanted)


@app.command()
def freeze(
    contract: Contract,
    *,
    wait: Wait = True,
    url: Url = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Make the metadata of the collection permanent; this cannot be undone."""
    screen = Screen(as_json=as_json)

    async def work(collections: Collections) -> CollectionView:
        return await _settled(collections, await collections.freeze(contract), screen, wait=wait)

    _show(Desk(url, state).execute(work), screen)


@app.command("import")
def import_contract(
    contract: Contract,
    *,
    from_block: Annotated[int, typer.Option(min=0, help="The block that deployed it.")],
    url: Url = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Have an ERC-721 contract indexed that others deployed; takes the scope `admin` too."""
    imported = Desk(url, state).execute(
        lambda collections: collections.import_contract(contract, from_block=from_block)
    )
    _show(imported, Screen(as_json=as_json))


def _change(desk: Desk, contract: str, screen: Screen, *, wait: bool, **member: Any) -> None:
    async def work(collections: Collections) -> CollectionView:
        return await _settled(collections, await collections.change(contract, **member), screen, wait=wait)

    _show(desk.execute(work), screen)


async def _settled(
    collections: Collections, collection: CollectionView, screen: Screen, *, wait: bool
) -> CollectionView:
    if not wait:
        return collection
    with screen.waiting("waiting for its transaction"):
        return await collections.wait(collection)


def _royalties(text: str) -> dict[str, Any]:
    receiver, _, bps = text.partition(":")
    if not (bps.isascii() and bps.isdigit() and int(bps) <= 10_000):
        raise typer.BadParameter("expected RECEIVER:BPS, with 0 to 10000 for BPS")
    return {"receiver": _address(receiver), "bps": int(bps)}


def _table(listed: Sequence[CollectionView]) -> Table:
    table = Table(Column("Contract", no_wrap=True), "Name", "Symbol", "Status", "Paused", box=None)
    for each in listed:
        paused = "yes" if each["paused"] else "no"
        table.add_row(
            each["contract"], harmless(each["name"]), harmless(each["symbol"]), each["status"], paused
        )
    return table


def _show(collection: CollectionView, screen: Screen) -> None:
    royalty, window, change = collection["royalties"], collection["mint_window"], collection["change"]
    for name, text in (
        ("contract", collection["contract"]),
        ("name", f"{collection['name']} ({collection['symbol']})"),
        ("status", collection["status"]),
        ("supply cap", str(collection["supply_cap"] or "none")),
        (
            "mints",
            "at any time" if window is None else f"{window['start'] or '…'} to {window['end'] or '…'}",
        ),
        ("royalties", "none" if royalty is None else f"{royalty['bps']} bps to {royalty['receiver']}"),
        ("paused", "yes" if collection["paused"] else "no"),
        ("frozen", "yes" if collection["frozen"] else "no"),
        ("under way", "nothing" if change is None else f"{change['kind']}: {change['status']}"),
    ):
        screen.stage(name, text)
    screen.result(collection)
