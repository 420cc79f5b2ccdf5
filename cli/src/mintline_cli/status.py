"""`mintline status`: what the running local stack does, or a deployment as its API shows it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import typer

from mintline_cli.caller import AccessToken, Caller, ProfileName, Url
from mintline_cli.client_output import show_client
from mintline_cli.execution import ending_on_errors, execute, stop
from mintline_cli.options import Json, State, local_stack_info
from mintline_cli.output import Screen
from mintline_cli.pipeline import show_pipeline
from mintline_client import AsyncMintline, Forbidden, NotFound
from mintline_client.models import ClientUseView, PipelineView
from mintline_ops.run_file import DEFAULT_STATE
from mintline_ops.status import read_status


def status(
    *,
    url: Url = None,
    token: AccessToken = None,
    profile: ProfileName = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Show the running local stack: its processes, whether they are ready, and how far the index has come.

    With --url or --profile, a deployment: its pipeline, with the scope admin, or else the machine client that
    asks and what it has used. Exits 1 if a process is not ready, or a part of the pipeline did not respond.

    Example: mintline status --profile ops
    """
    screen = Screen(as_json=as_json)
    caller = Caller(screen=screen, role="client", url=url, token=token, profile=profile, state=state)
    with ending_on_errors():
        of_deployment = caller.calls_a_deployment
    if of_deployment:
        _show_deployment(caller)
    else:
        _show_local_stack(screen, execute(read_status(local_stack_info(state))))


def _show_local_stack(screen: Screen, report: Mapping[str, Any]) -> None:
    screen.say(f"API {report['api_url']}, contract {report['contract']} on chain {report['chain_id']}")
    screen.say(f"Index at block {report['indexed']}, chain at {report['head']}")
    for process in report["processes"]:
        style = "green" if process["ready"] else "red"
        detail = f"pid {process['pid'] or '-'}  {process['detail']}{restarted(process, now=time.time())}"
        screen.stage(process["name"], detail, style=style)
    screen.result(report)
    if not all(process["ready"] for process in report["processes"]):
        raise typer.Exit(1)


def _show_deployment(caller: Caller) -> None:
    url, pipeline, client = caller.run(_read_deployment)
    screen = caller.screen
    screen.say(f"API {url}")
    if pipeline is not None:
        show_pipeline(pipeline, screen)
        screen.result({"api_url": url, "pipeline": pipeline})
        if pipeline["missing"]:
            raise typer.Exit(1)
    elif client is not None:
        show_client(client, screen)
        screen.result({"api_url": url, "client": client})


async def _read_deployment(mintline: AsyncMintline) -> tuple[str, PipelineView | None, ClientUseView | None]:
    """Return the API's URL, and what it shows the caller: the pipeline, or the client that calls."""
    url = mintline.api.url
    try:
        return url, await mintline.pipeline.get(), None
    except Forbidden:
        pass
    try:
        return url, None, await mintline.clients.own()
    except NotFound as error:
        if error.problem.code != "client-not-found":
            raise
        stop("users see no deployment's status: sign in as a machine client, or run `mintline mints`")


def restarted(process: Mapping[str, Any], *, now: float) -> str:
    """Return how often and when a process was restarted, to follow its state; nothing if it never was."""
    if process["restarted_at"] is None:
        return ""
    times = "once" if process["restarts"] == 1 else f"{process['restarts']} times"
    return f", restarted {age(now - process['restarted_at'])} ago, {times} in all"


def age(seconds: float) -> str:
    """Return a duration in its largest whole unit."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
