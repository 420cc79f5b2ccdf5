"""The options that several commands share, and what they name: a local stack or a deployment on AWS."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mintline.errors import MintlineError
from mintline.settings import ServiceSettings
from mintline_cli.execution import stop
from mintline_ops import deployments, run_file
from mintline_ops.deployments import Target, target_of_local_stack
from mintline_ops.issuer_keys import USER_POOL

REGION = "us-east-1"

State = Annotated[Path, typer.Option("--state", help="The local stack's state folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output, for programs.")]
Prefix = Annotated[
    str | None,
    typer.Option(help="The deployment on AWS whose resources have this prefix, not the local stack."),
]
Region = Annotated[str, typer.Option(help="That deployment's region.")]
EndpointUrl = Annotated[str | None, typer.Option(help="Its endpoint, if it is not AWS itself.")]
RpcUrls = Annotated[
    list[str] | None, typer.Option("--rpc", help="A node of its chain; repeatable, in order of preference.")
]
Deployment = Annotated[
    Path, typer.Option("--deployment", help="The deployment's document, such as infra/deployment.json.")
]
JwksUrls = Annotated[
    list[str] | None,
    typer.Option(
        help="Where the user pool's keys are, or as NAME=URL another issuer's; repeatable. By default where "
        "the issuer says."
    ),
]


def jwks_urls(assignments: list[str] | None) -> dict[str, str]:
    """Return JWKS URLs by their issuers' names, from `URL` for the user pool and `NAME=URL` for others."""
    urls = {}
    for assignment in assignments or []:
        name, separator, url = assignment.partition("=")
        if not separator or "/" in name:
            name, url = USER_POOL, assignment
        if not url.startswith(("https://", "http://")):
            raise typer.BadParameter(f"{assignment!r}: expected URL or NAME=URL", param_hint="--jwks-url")
        urls[name] = url
    return urls


def deployment(prefix: str, region: str, endpoint_url: str | None) -> ServiceSettings:
    """Return how to reach a deployment; ends the command when the prefix cannot be one."""
    try:
        return deployments.settings_of(prefix, region, endpoint_url)
    except MintlineError as error:
        stop(str(error))


def local_stack_info(state: Path) -> dict[str, Any]:
    """Return what runs from a state folder; ends the command when nothing does."""
    try:
        running = run_file.running(state)
    except MintlineError as error:
        stop(str(error))
    if running is None:
        stop(f"no local stack runs from {state}; start one with `make up`")
    return running


def target_of(
    state: Path, prefix: str | None, region: str, endpoint_url: str | None, rpc_urls: list[str] | None
) -> Target:
    """Return the target that a command's options name; ends the command when they name none."""
    if prefix is not None:
        return Target(deployment(prefix, region, endpoint_url), tuple(rpc_urls or ()), None)
    return target_of_local_stack(local_stack_info(state), rpc_urls)
