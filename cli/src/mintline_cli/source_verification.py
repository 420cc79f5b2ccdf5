"""`mintline operator verify`: publish the source of a contract."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from mintline.fields import checked_address
from mintline_cli.execution import execute, stop
from mintline_cli.options import Json
from mintline_cli.output import Screen
from mintline_ops.source_verification import ETHERSCAN, SOURCIFY, Service, SourceRequest, verify_source


def verify(
    contract: Annotated[
        str, typer.Argument(metavar="CONTRACT", help="Its address: a factory, an implementation, a clone.")
    ],
    *,
    rpc_url: Annotated[str, typer.Option("--rpc", help="A node of the contract's chain.")],
    service: Annotated[
        str, typer.Option(help="`sourcify`, or `etherscan` for any service of that kind.")
    ] = "sourcify",
    url: Annotated[str | None, typer.Option(help="Where the service is; the public one by default.")] = None,
    api_key: Annotated[
        str | None, typer.Option(envvar="MINTLINE_ETHERSCAN_KEY", help="The key of Etherscan's kind.")
    ] = None,
    transaction: Annotated[
        str | None,
        typer.Option(
            metavar="HASH",
            help="The one that created the contract: Etherscan's kind takes the constructor's arguments "
            "from it.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Publish a contract's source at a service that compiles it and compares the result with the chain.

    Example: mintline operator verify 0x5FbD…0aa3 --rpc https://…
    """
    if service not in ("sourcify", "etherscan"):
        raise typer.BadParameter("expected `sourcify` or `etherscan`", param_hint="--service")
    kind: Service = "etherscan" if service == "etherscan" else "sourcify"
    if kind == "etherscan" and not api_key:
        stop("--service etherscan takes --api-key, or the key in MINTLINE_ETHERSCAN_KEY")
    try:
        address = checked_address(contract)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="CONTRACT") from None
    request = SourceRequest(
        service=kind,
        url=url or (SOURCIFY if kind == "sourcify" else ETHERSCAN),
        rpc_url=rpc_url,
        address=address,
        api_key=api_key,
        transaction=transaction,
    )
    screen = Screen(as_json=as_json)
    with screen.waiting("waiting for the source to be compiled"):
        verified = execute(verify_source(request))
    if verified.is_clone:
        screen.say(f"{address} is a clone of {verified.address}")
    screen.say(f"{verified.contract} at {verified.address}: {verified.message}")
    fields = asdict(verified)
    screen.result({"said" if name == "message" else name: value for name, value in fields.items()})
