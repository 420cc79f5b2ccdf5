"""`mintline`: start a line, mint through it, look at it, forget it."""

from __future__ import annotations

import logging
import sys
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import structlog
import typer

from mintline.errors import MintlineError, Misconfigured
from mintline.records import Mint
from mintline_local import attest, audit, curls, dlq, operations, rebuilding, reconciling
from mintline_local import trace as tracing
from mintline_local.client import Api, cognito_client
from mintline_local.command import Json, State, deployment, execute, running_line, stop
from mintline_local.console import Screen
from mintline_local.copies import parse
from mintline_local.demo import demonstrate
from mintline_local.deployments import REGION, EndpointUrl, Prefix, Region
from mintline_local.eif import commands as eif
from mintline_local.minting import follow
from mintline_local.places import DEFAULT_STATE, StateFolder
from mintline_local.ports import Ports
from mintline_local.sign_in import Tokens, ensure_user, password_of, sign_in
from mintline_local.stack import Stack, running_stack
from mintline_local.status import look
from mintline_local.usage import CommandLine
from mintline_local.wallets.cli import app as wallets_app

app = typer.Typer(
    name="mintline",
    cls=CommandLine,
    help="Mint NFTs through a line of services on this machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(attest.app, name="attest")
app.add_typer(audit.app, name="audit")
app.add_typer(eif.app, name="eif")
app.add_typer(dlq.app, name="dlq")
app.add_typer(rebuilding.app, name="index")
app.add_typer(operations.app, name="operator")
app.command(name="reconcile")(reconciling.command)
app.add_typer(wallets_app, name="wallets")
Username = Annotated[
    str | None,
    typer.Option(help="The user to sign in, made if there is none of that name; the demo user by default."),
]
Password = Annotated[str | None, typer.Option(help="That user's password, if it was set by somebody else.")]


def quieten() -> None:
    """Let only errors of what the library logs through, to standard error: output is the commands' own."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


@app.command()
def up(
    *,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
    ports: Annotated[str, typer.Option(help="`default`, or `free` for ports that are free now.")] = "default",
    port: Annotated[list[str] | None, typer.Option(help="One port, as NAME=NUMBER: --port api=9000.")] = None,
    scale: Annotated[list[str] | None, typer.Option(help="Copies of a worker: --scale builder=2.")] = None,
) -> None:
    """Start the whole line and keep it running until Ctrl-C."""
    screen = Screen(as_json=as_json)
    if ports not in ("default", "free"):
        raise typer.BadParameter("expected `default` or `free`", param_hint="--ports")
    wanted = chosen_ports(port or [])

    async def serve() -> None:
        copies = parse(scale or [])
        screen.say("starting the line")
        async with running_stack(
            state,
            ports="free" if ports == "free" else "default",
            wanted=wanted,
            copies=copies,
            tell=screen.event,
        ) as stack:
            introduce(screen, stack)
            reason = await stack.supervisor.failed
        raise Misconfigured(f"{reason}; the line was stopped")

    execute(serve(), interrupted_is_success=True)


@app.command()
def demo(*, state: State = DEFAULT_STATE, as_json: Json = False) -> None:
    """Mint one NFT through the whole line, check it on chain, and print it as JSON."""
    screen = Screen(as_json=as_json)

    async def mint_one() -> dict[str, Any]:
        running = StateFolder(state).running()
        if running is not None:
            screen.say(f"using the line that runs at {running['api_url']}")
            return await demonstrate(running, screen)
        screen.say("starting the line")
        async with running_stack(state, ports="fallback", tell=screen.event) as stack:
            return await demonstrate(stack.info, screen)

    screen.result(execute(mint_one()), always=True)


@app.command()
def token(
    *,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
    username: Username = None,
    password: Password = None,
) -> None:
    """Sign in and print an access token."""
    info = running_line(state)

    async def fetch() -> Tokens:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as http:
            return await signed_in(http, info, username, password)

    tokens = execute(fetch())
    if not as_json:
        sys.stdout.write(tokens.access_token + "\n")
    Screen(as_json=as_json).result({"access_token": tokens.access_token, "expires_in": tokens.expires_in})


@app.command()
def mint(
    *,
    name: Annotated[str, typer.Option(help="The token's name.")],
    image: Annotated[str, typer.Option(help="An http(s), ipfs, ar or data URL.")],
    description: Annotated[str | None, typer.Option(help="What it is.")] = None,
    attribute: Annotated[list[str] | None, typer.Option(help="A trait, as TRAIT=VALUE; repeatable.")] = None,
    to: Annotated[str | None, typer.Option(help="Who receives it; your own wallet by default.")] = None,
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same one mints only once.")] = None,
    wait: Annotated[bool, typer.Option(help="Wait until the mint is finalized.")] = True,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
    username: Username = None,
    password: Password = None,
) -> None:
    """Mint one NFT through the running line."""
    screen = Screen(as_json=as_json)
    info = running_line(state)
    body = mint_request(name, image, description, attribute or [], to)

    async def post() -> dict[str, Any]:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as http:
            signed = await signed_in(http, info, username, password)
            api = Api(http, info["api_url"], signed.access_token)
            accepted: dict[str, Any] = await api.post(
                "/v1/mints", body, idempotency_key=key or str(uuid.uuid4())
            )
            screen.say(f"mint {accepted['mint_id']}")
            if not wait:
                return accepted
            with screen.waiting("minting"):
                return await follow(
                    api,
                    accepted,
                    passed=lambda stage, seconds: screen.stage(stage, f"{seconds:5.2f} s"),
                )

    result = execute(post())
    if wait:
        screen.say(f"token {result['token_id']} of {result['contract']} belongs to {result['to']}")
    screen.result(result)


@app.command()
def status(*, state: State = DEFAULT_STATE, as_json: Json = False) -> None:
    """Show the running line: its processes, whether they are ready, and how far the index has come."""
    screen = Screen(as_json=as_json)
    report = execute(look(running_line(state)))
    screen.say(f"API {report['api_url']}, contract {report['contract']} on chain {report['chain_id']}")
    screen.say(f"Index at block {report['indexed']}, chain at {report['head']}")
    for process in report["processes"]:
        style = "green" if process["ready"] else "red"
        screen.stage(process["name"], f"pid {process['pid'] or '-'}  {process['detail']}", style=style)
    screen.result(report)
    if not all(process["ready"] for process in report["processes"]):
        raise typer.Exit(1)


@app.command()
def trace(
    mint_id: Annotated[str, typer.Argument(metavar="MINT_ID", help="The mint to follow.")],
    *,
    logs: Annotated[
        list[Path] | None, typer.Option(help="Logs to search: a file or a folder; repeatable.")
    ] = None,
    prefix: Prefix = None,
    region: Region = REGION,
    endpoint_url: EndpointUrl = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Print one mint's timeline, from its record and the services' logs."""
    screen = Screen(as_json=as_json)
    info = running_line(state) if prefix is None else None
    places = logs or ([StateFolder(state).logs] if info is not None else [])
    tables = (
        tracing.table_of_line(info)
        if info is not None
        else tracing.table_of_deployment(deployment(prefix, region, endpoint_url))
    )

    async def read() -> tuple[Mint, list[tracing.Moment]]:
        files = tracing.log_files(places)
        async with tables as dynamo:
            mint = await tracing.read_mint(dynamo, mint_id)
        return mint, tracing.timeline(mint, files)

    mint, moments = execute(read())
    screen.say(f"mint {mint.mint_id} is {mint.status.value}")
    for moment in moments:
        screen.say(tracing.told(moment, moments[0].at), style=tracing.STYLES.get(moment.level, ""))
    screen.result(tracing.report(mint, moments))


@app.command()
def clean(*, state: State = DEFAULT_STATE, as_json: Json = False) -> None:
    """Forget a line's state: its chain, queues, keys and logs."""
    screen = Screen(as_json=as_json)
    folder = StateFolder(state)
    removed = []
    if folder.path.exists():
        try:
            with folder.locked():
                removed = folder.forget()
        except MintlineError as error:
            stop(str(error))
    screen.say(f"removed {folder.path}: {', '.join(removed)}" if removed else "nothing to remove")
    screen.result({"state_dir": str(folder.path), "removed": removed})


def introduce(screen: Screen, stack: Stack) -> None:
    """Say where the line is, and how to use it."""
    info = stack.info
    screen.say()
    screen.say(f"The line is ready.  API {info['api_url']}  (docs: {info['api_url']}/docs)", style="bold")
    screen.say(f"Contract {info['contract']} on chain {info['chain_id']}, node {info['rpc_url']}")
    screen.say(f"Logs {stack.state.logs}")
    for title, command in (
        ("Get a token:", curls.token_command(info)),
        ("Mint:", curls.mint_command(info)),
        ("Watch:", curls.follow_command(info)),
    ):
        screen.say()
        screen.say(title, style="bold")
        screen.say(command)
    screen.say()
    screen.say("Ctrl-C stops everything; the state stays for the next time.", style="dim")
    screen.result({key: value for key, value in info.items() if key != "operator"})


def chosen_ports(assignments: list[str]) -> Ports:
    """Return the default ports with `NAME=NUMBER` changes."""
    ports = Ports()
    names = {name.replace("_", "-"): name for name, _ in ports.items()}
    for assignment in assignments:
        name, _, number = assignment.partition("=")
        if name not in names or not number.isdigit() or not 0 < int(number) < 2**16:
            known = ", ".join(names)
            raise typer.BadParameter(f"{assignment!r}: expected NAME=NUMBER with NAME one of {known}")
        ports = replace(ports, **{names[name]: int(number)})
    return ports


def mint_request(
    name: str, image: str, description: str | None, attributes: list[str], to: str | None
) -> dict[str, Any]:
    """Return the body of `POST /v1/mints`."""
    metadata: dict[str, Any] = {"name": name, "image": image}
    if description is not None:
        metadata["description"] = description
    if attributes:
        metadata["attributes"] = [trait(text) for text in attributes]
    return {"metadata": metadata, **({"to": to} if to is not None else {})}


def trait(text: str) -> dict[str, Any]:
    """Parse `TRAIT=VALUE`; a value that is a number is minted as one."""
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise typer.BadParameter(f"{text!r}: expected TRAIT=VALUE", param_hint="--attribute")
    for number in (int, float):
        try:
            return {"trait_type": name, "value": number(value)}
        except ValueError:
            continue
    return {"trait_type": name, "value": value}


async def signed_in(
    http: aiohttp.ClientSession, info: dict[str, Any], username: str | None, password: str | None
) -> Tokens:
    """Sign in the user asked for, or the demo user; one without a password is made at the first time."""
    pool = info["cognito"]
    username = username or pool["username"]
    if password is None and username == pool["username"]:
        password = pool["password"]
    if password is None:
        password = password_of(pool["password"], username)
        async with cognito_client(info) as cognito:
            await ensure_user(
                cognito, user_pool_id=pool["user_pool_id"], username=username, password=password
            )
    return await sign_in(http, info, username=username, password=password)
