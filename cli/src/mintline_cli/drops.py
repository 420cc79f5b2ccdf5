"""`mintline drops`: many mints from one file, as a machine client."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import aiohttp
import typer

from mintline_cli.execution import execute, stop
from mintline_cli.options import Json, State, local_stack_info
from mintline_cli.output import Screen
from mintline_client.api import Api
from mintline_client.drops import follow_drop, offset_of, upload
from mintline_client.models import DropView, LinesView
from mintline_client.sign_in import demo_client_token
from mintline_ops.run_file import DEFAULT_STATE

T = TypeVar("T")

app = typer.Typer(help="Mint up to 100,000 tokens from one file, as a machine client.", no_args_is_help=True)

DropId = Annotated[str, typer.Argument(metavar="DROP_ID", help="The drop's id, as `create` prints it.")]
ApiUrl = Annotated[
    str | None, typer.Option("--api", help="The API of a deployment; the local stack's by default.")
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="MINTLINE_TOKEN",
        help="With --api: a machine client's access token; the demo client's by default.",
    ),
]
UPLOAD_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Place:
    """Whose API a command is about: the local stack's, or that at a URL."""

    url: str | None
    token: str | None
    state: Path

    def execute(self, work: Callable[[Api], Awaitable[T]]) -> T:
        """Work with the API; ends the command where it refuses."""
        if self.url is not None and self.token is None:
            stop("--api takes --token, or the token in MINTLINE_TOKEN")
        return execute(self._work(work))

    async def _work(self, work: Callable[[Api], Awaitable[T]]) -> T:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(UPLOAD_SECONDS)) as http:
            if self.url is not None and self.token is not None:
                return await work(Api(http, self.url.rstrip("/"), self.token))
            info = local_stack_info(self.state)
            tokens = await demo_client_token(http, info)
            return await work(Api(http, info["api_url"], tokens.access_token))


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call the drop.")],
    *,
    contract: Annotated[
        str | None, typer.Option(help="The collection; the deployment's default by default.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same one makes one drop.")] = None,
    api: ApiUrl = None,
    token: Token = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Make an empty drop and print its id."""
    body = {"name": name, **({"contract": contract} if contract else {})}
    idempotency_key = key or str(uuid.uuid4())
    drop = Place(api, token, state).execute(
        lambda client: client.post("/v1/drops", body, idempotency_key=idempotency_key)
    )
    screen = Screen(as_json=as_json)
    screen.say(f"drop  {drop['drop_id']}")
    screen.result(drop)


@app.command("upload")
def upload_lines(
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
    api: ApiUrl = None,
    token: Token = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Upload a file of lines to a drop that has none; `--append` uploads another file.

    Example: mintline drops upload drop_7H2K… airdrop.csv
    """
    screen = Screen(as_json=as_json)
    if not file.is_file():
        stop(f"{file}: not a file")
    if append and begins_at is not None:
        stop("pass one of --append and --begins-at")

    async def work(client: Api) -> LinesView:
        taken = await offset_of(client, drop_id)
        if taken and begins_at is None and not append:
            stop(
                f"the drop has {taken} bytes of lines already: pass --append if {file.name} is another file, "
                "or --begins-at 0 if it is the first one, whose upload broke off"
            )
        first = taken if begins_at is None else begins_at
        if append:
            screen.say(f"  begins at   {first}")
        try:
            return await upload(client, drop_id, file, begins_at=first)
        except ValueError as error:
            stop(str(error))

    taken = Place(api, token, state).execute(work)
    _say_lines(screen, taken)
    screen.result(taken)


@app.command()
def refused(
    drop_id: DropId,
    *,
    api: ApiUrl = None,
    token: Token = None,
    state: State = DEFAULT_STATE,
) -> None:
    """Print the refused lines in the format in which they came, with the reasons.

    Example: mintline drops refused drop_7H2K… > refused.csv
    """
    content = Place(api, token, state).execute(
        lambda client: client.get_bytes(f"/v1/drops/{drop_id}/refused")
    )
    sys.stdout.buffer.write(content)


@app.command("dry-run")
def dry_run(
    drop_id: DropId,
    *,
    api: ApiUrl = None,
    token: Token = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Show what a drop would make, cost and take, before anything is made or spent."""
    tried = Place(api, token, state).execute(lambda client: _post(client, drop_id, "dry-run"))
    screen, wallets = Screen(as_json=as_json), tried["wallets"]
    screen.stage("lines", f"{tried['lines']} to mint, {tried['refused']} refused")
    about = "" if wallets["exact"] else f", estimated from {wallets['looked_up']} recipients"
    screen.stage("wallets", f"{wallets['to_make']} to make{about}")
    screen.stage("gas", str(tried["gas"]))
    for cost in tried["costs"]:
        screen.stage(cost["level"], f"{cost['wei']} wei at {cost['wei_per_gas']} wei per gas")
    seconds = tried["seconds_at_least"]
    minting = "unknown" if seconds["minting"] is None else f"{seconds['minting']} s"
    screen.stage("at least", f"{seconds['preparation']} s of preparation, {minting} of minting")
    screen.result(tried)


@app.command()
def run(
    drop_id: DropId,
    *,
    api: ApiUrl = None,
    token: Token = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Prepare a drop, start or resume it, and follow it until all its tokens are final."""
    screen = Screen(as_json=as_json)
    shown: set[str] = set()

    def heard(drop: DropView) -> None:
        line = _progress(drop)
        if line not in shown:
            shown.add(line)
            screen.stage(drop["status"], line)

    async def work(client: Api) -> DropView:
        drop = await client.get(f"/v1/drops/{drop_id}")
        if drop["status"] in ("draft", "preparing"):
            await _post(client, drop_id, "prepare")
            drop = await follow_drop(client, drop_id, "prepared", heard=heard)
        if drop["status"] in ("prepared", "paused"):
            await _post(client, drop_id, "start" if drop["status"] == "prepared" else "resume")
        return await follow_drop(client, drop_id, "completed", heard=heard)

    screen.result(Place(api, token, state).execute(work))


@app.command()
def show(
    drop_id: DropId,
    *,
    api: ApiUrl = None,
    token: Token = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Show how far a drop has come."""
    drop = Place(api, token, state).execute(lambda client: client.get(f"/v1/drops/{drop_id}"))
    _show(Screen(as_json=as_json), drop)


@app.command("list")
def list_drops(
    *,
    api: ApiUrl = None,
    token: Token = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """List the client's newest drops."""
    page = Place(api, token, state).execute(lambda client: client.get("/v1/drops?limit=100"))
    screen = Screen(as_json=as_json)
    for drop in page["items"]:
        screen.say(f"{drop['drop_id']}  {drop['status']:<10}  {drop['name']}")
    if not page["items"]:
        screen.say("there are no drops; make one with `mintline drops create NAME`")
    screen.result({"drops": page["items"]})


def _action(name: str, help_text: str) -> None:
    def command(
        drop_id: DropId,
        *,
        api: ApiUrl = None,
        token: Token = None,
        state: State = DEFAULT_STATE,
        as_json: Json = False,
    ) -> None:
        drop = Place(api, token, state).execute(lambda client: _post(client, drop_id, name))
        _show(Screen(as_json=as_json), drop)

    app.command(name, help=help_text)(command)


for _name, _help in (
    ("prepare", "Make the users, wallets and token ids of a drop; it takes no more lines."),
    ("start", "Authorize a prepared drop, and have its lines minted."),
    ("pause", "Hand on no more lines of a drop; those that were are minted."),
    ("resume", "Go on with a paused drop, authorized by a fresh token."),
    ("cancel", "Hand on no more lines of a drop, ever; those that were are minted."),
):
    _action(_name, _help)


async def _post(client: Api, drop_id: str, action: str) -> dict[str, Any]:
    answered: dict[str, Any] = await client.post(
        f"/v1/drops/{drop_id}/{action}", {}, idempotency_key=str(uuid.uuid4())
    )
    return answered


def _show(screen: Screen, drop: dict[str, Any]) -> None:
    screen.stage("drop", drop["drop_id"])
    screen.stage("status", drop["status"])
    _say_lines(screen, drop["lines"])
    screen.stage("progress", _progress(drop))
    if drop["paused"] is not None:
        screen.stage("reason", drop["paused"]["reason"])
    if drop["resumes_at"] is not None:
        screen.stage("resumes", drop["resumes_at"])
    screen.result(drop)


def _say_lines(screen: Screen, lines: Mapping[str, Any]) -> None:
    screen.stage("lines", f"{lines['accepted']} accepted, {lines['refused']} refused")
    for what in ("repeated_lines", "repeated_recipients"):
        if count := lines[what]["count"]:
            first = ", ".join(f"{each['line']} (as {each['first']})" for each in lines[what]["examples"][:5])
            screen.stage(what.replace("_", " "), f"{count}: line {first}")


def _progress(drop: Mapping[str, Any]) -> str:
    """Return one line that says how far a drop has come."""
    preparation, minting = drop["preparation"], drop["minting"]
    if drop["status"] in ("draft", "preparing"):
        return f"{preparation['prepared']} of {preparation['parts']} parts prepared"
    statuses = ", ".join(f"{count} {status}" for status, count in minting["by_status"].items())
    left = "" if minting["seconds_left"] is None else f", {minting['seconds_left']} s left"
    return f"{minting['handed_on']} of {minting['lines']} lines handed on; {statuses or 'none minted'}{left}"
