"""`mintline collections`: a machine client's own contracts, by the API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, cast

import typer

from mintline.fields import checked_address
from mintline_cli.caller import Caller, calls_api
from mintline_cli.commitments import read_commitment
from mintline_cli.output import Screen
from mintline_client import AsyncMintline
from mintline_client.models import CollectionRequest, CollectionView

app = typer.Typer(
    help="Deploy and change a machine client's own contracts, by the API.", no_args_is_help=True
)


def checksummed(value: str) -> str:
    """Return an address with its checksum; for Typer, which says what is wrong with another text."""
    try:
        return checked_address(value)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


Contract = Annotated[str, typer.Argument(metavar="CONTRACT", help="Its address.", callback=checksummed)]
Wait = Annotated[bool, typer.Option(help="Wait until it is mined.")]
Standard = Literal["erc721", "erc1155"]


@app.command()
@calls_api("client")
def create(
    caller: Caller,
    name: Annotated[str, typer.Argument(metavar="NAME", help="At most 64 bytes.")],
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="At most 16 bytes.")],
    *,
    standard: Annotated[Standard, typer.Option(help="One token each, or items of any quantity.")] = "erc721",
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
    image: Annotated[str | None, typer.Option(help="The URL of an image, for marketplaces.")] = None,
    reveal: Annotated[
        Path | None,
        typer.Option(help="Metadata is revealed later: what `mintline collections commit` wrote."),
    ] = None,
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same one makes it once.")] = None,
    wait: Wait = True,
) -> None:
    """Deploy a collection, and print its address.

    Example: mintline collections create "Season tickets" SEAT --supply-cap 5000
    """
    window = {"start": start, "end": end}
    metadata = {"description": description, "image": image}
    body = {
        "standard": standard,
        "name": name,
        "symbol": symbol,
        "supply_cap": supply_cap,
        "royalties": None if royalty is None else _royalties(royalty),
        "mint_window": window if start or end else None,
        "soulbound": soulbound,
        "open_to_users": open_to_users,
        "reveal": None if reveal is None else read_commitment(reveal).request(),
        "metadata": {member: text for member, text in metadata.items() if text is not None},
    }
    screen = caller.screen

    async def work(client: AsyncMintline) -> CollectionView:
        request = {member: value for member, value in body.items() if value is not None}
        collection = await client.collections.create(cast("CollectionRequest", request), idempotency_key=key)
        screen.say(f"contract {collection['contract']}")
        return await _settled(client, collection, screen, wait=wait)

    collection = caller.run(work)
    screen.stage(collection["status"], f"{collection['name']} ({collection['symbol']})")
    screen.result(collection)


@app.command("list")
@calls_api("client")
def list_collections(
    caller: Caller,
) -> None:
    """List the client's collections, newest first.

    Example: mintline collections list
    """

    async def work(client: AsyncMintline) -> list[CollectionView]:
        return [each async for each in client.collections.list()]

    listed = caller.run(work)
    caller.screen.table(
        ("Contract", "Name", "Symbol", "Status", "Paused"),
        [
            (
                each["contract"],
                each["name"],
                each["symbol"],
                each["status"],
                "yes" if each["paused"] else "no",
            )
            for each in listed
        ],
        empty="there are no collections; make one with `mintline collections create NAME SYMBOL`",
    )
    caller.screen.result({"collections": listed})


@app.command()
@calls_api("client")
def show(caller: Caller, contract: Contract) -> None:
    """Show one collection.

    Example: mintline collections show 0x5FbD…
    """
    _show(caller.run(lambda client: client.collections.get(contract)), caller.screen)


@app.command()
@calls_api("client")
def pause(
    caller: Caller,
    contract: Contract,
    *,
    wait: Wait = True,
) -> None:
    """Have the contract refuse mints, transfers and burns.

    Example: mintline collections pause 0x5FbD…
    """
    _change(caller, contract, wait=wait, paused=True)


@app.command()
@calls_api("client")
def unpause(
    caller: Caller,
    contract: Contract,
    *,
    wait: Wait = True,
) -> None:
    """End a pause.

    Example: mintline collections unpause 0x5FbD…
    """
    _change(caller, contract, wait=wait, paused=False)


@app.command()
@calls_api("client")
def royalties(
    caller: Caller,
    contract: Contract,
    royalty: Annotated[
        str,
        typer.Argument(metavar="RECEIVER:BPS", help="Who gets how many hundredths of a percent of a sale."),
    ],
    *,
    wait: Wait = True,
) -> None:
    """Set what marketplaces are asked to pay at a sale.

    Example: mintline collections royalties 0x5FbD… 0x7099…:250
    """
    wanted = _royalties(royalty)
    _change(caller, contract, wait=wait, royalties=wanted)


@app.command()
@calls_api("client")
def describe(
    caller: Caller,
    contract: Contract,
    *,
    description: Annotated[str | None, typer.Option(help="What marketplaces show of it.")] = None,
    image: Annotated[str | None, typer.Option(help="The URL of an image, for marketplaces.")] = None,
    link: Annotated[str | None, typer.Option(help="The collection's page, an http(s) URL.")] = None,
    wait: Wait = True,
) -> None:
    """Replace all that marketplaces show of a collection beside its name and symbol.

    What is not given is removed, and so are members that only the API sets (banner and featured images,
    collaborators). Refused once the collection is frozen.

    Example: mintline collections describe 0x5FbD… --description "Season 2" --image https://example.com/2.png
    """
    given = {"description": description, "image": image, "external_link": link}
    metadata = {member: text for member, text in given.items() if text is not None}
    if not metadata:
        raise typer.BadParameter("pass --description, --image or --link")
    _change(caller, contract, wait=wait, metadata=metadata)


@app.command("cap-item")
@calls_api("client")
def cap_item(
    caller: Caller,
    contract: Contract,
    token_id: Annotated[str, typer.Argument(metavar="TOKEN_ID", help="The item.")],
    cap: Annotated[str, typer.Argument(metavar="CAP", help="How many tokens of it are ever minted.")],
    *,
    wait: Wait = True,
) -> None:
    """Bound the tokens of an item of an ERC-1155 collection; a cap is only ever lowered.

    Example: mintline collections cap-item 0x5FbD… 7 500
    """
    _change(caller, contract, wait=wait, item_cap={"token_id": token_id, "cap": cap})


@app.command()
@calls_api("client")
def freeze(
    caller: Caller,
    contract: Contract,
    *,
    wait: Wait = True,
) -> None:
    """Make the metadata of the collection permanent; this cannot be undone.

    Example: mintline collections freeze 0x5FbD…
    """
    screen = caller.screen

    async def work(client: AsyncMintline) -> CollectionView:
        return await _settled(client, await client.collections.freeze(contract), screen, wait=wait)

    _show(caller.run(work), screen)


@app.command("import")
@calls_api("client")
def import_contract(
    caller: Caller,
    contract: Contract,
    *,
    from_block: Annotated[int, typer.Option(min=0, help="The block that deployed it.")],
) -> None:
    """Have an ERC-721 or ERC-1155 contract indexed that others deployed; takes the scope `admin` too.

    Example: mintline collections import 0x5FbD… --from-block 19000000
    """
    imported = caller.run(lambda client: client.collections.import_contract(contract, from_block=from_block))
    _show(imported, caller.screen)


def _change(caller: Caller, contract: str, *, wait: bool, **member: Any) -> None:
    async def work(client: AsyncMintline) -> CollectionView:
        return await _settled(
            client, await client.collections.change(contract, **member), caller.screen, wait=wait
        )

    _show(caller.run(work), caller.screen)


async def _settled(
    client: AsyncMintline, collection: CollectionView, screen: Screen, *, wait: bool
) -> CollectionView:
    if not wait:
        return collection
    with screen.waiting("waiting for its transaction"):
        return await client.collections.wait(collection)


def _royalties(text: str) -> dict[str, Any]:
    receiver, _, bps = text.partition(":")
    if not (bps.isascii() and bps.isdigit() and int(bps) <= 10_000):
        raise typer.BadParameter("expected RECEIVER:BPS, with 0 to 10000 for BPS")
    return {"receiver": checksummed(receiver), "bps": int(bps)}


def _show(collection: CollectionView, screen: Screen) -> None:
    royalty, window, change = collection["royalties"], collection["mint_window"], collection["change"]
    for name, text in (
        ("contract", collection["contract"]),
        ("name", f"{collection['name']} ({collection['symbol']})"),
        ("status", collection["status"]),
        ("supply cap", str(collection["supply_cap"] or "none")),
        ("minted", collection.get("minted") or "unknown"),
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
