"""What operators' commands look at, a local line or any deployment: its tables, queues and nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from mintline.aws.dynamo import Dynamo, Item, decode_item
from mintline.aws.session import AwsCalls, open_client, translated
from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.resources import Table
from mintline.settings import ServiceSettings
from mintline_local.client import aws_client
from mintline_local.command import deployment, running_line, stop
from mintline_local.principals import AwsCredentials

Prefix = Annotated[
    str | None,
    typer.Option(help="The deployment on AWS whose resources have this prefix, not the local line."),
]
Region = Annotated[str, typer.Option(help="That deployment's region.")]
EndpointUrl = Annotated[str | None, typer.Option(help="Its endpoint, if it is not AWS itself.")]
RpcUrls = Annotated[
    list[str] | None, typer.Option("--rpc", help="A node of its chain; repeatable, in order of preference.")
]


REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a deployment is, and with which credentials to look at it: AWS's usual chain if None."""

    settings: ServiceSettings
    rpc_urls: tuple[str, ...]
    credentials: AwsCredentials | None


def place_of(
    state: Path, prefix: str | None, region: str, endpoint_url: str | None, rpc_urls: list[str] | None
) -> Place:
    """Return the place that a command's options name; ends the command when they name none."""
    if prefix is not None:
        return Place(deployment(prefix, region, endpoint_url), tuple(rpc_urls or ()), None)
    return place_of_line(running_line(state), rpc_urls)


def place_of_line(info: Mapping[str, Any], rpc_urls: list[str] | None = None) -> Place:
    """Return the place of the local line that `info`, its run file, describes."""
    settings = deployment(info["prefix"], info["region"], info["aws_endpoint_url"])
    return Place(settings, tuple(rpc_urls or (info["rpc_url"],)), AwsCredentials(**info["operator"]))


@dataclass(frozen=True, slots=True)
class Records:
    """A deployment's tables."""

    client: Any
    dynamo: Dynamo
    prefix: str

    async def every(self, table: Table) -> AsyncIterator[Item]:
        """Yield every item of a table; what changes meanwhile may be seen or not."""
        with translated():
            pages = self.client.get_paginator("scan").paginate(
                TableName=table.table_name(self.prefix), ConsistentRead=True
            )
            async for page in pages:
                for attributes in page["Items"]:
                    yield decode_item(attributes)


@asynccontextmanager
async def open_records(place: Place) -> AsyncIterator[Records]:
    """Open a deployment's tables."""
    async with AsyncExitStack() as stack:
        client = await open_aws(stack, place, "dynamodb")
        dynamo = Dynamo(client, place.settings.resource_prefix)
        stack.push_async_callback(dynamo.aclose)
        yield Records(client, dynamo, place.settings.resource_prefix)


async def open_aws(stack: AsyncExitStack, place: Place, service: Any) -> Any:
    """Open a client of one of a deployment's services, which `stack` closes."""
    if place.credentials is None:
        return await open_client(stack, service, place.settings, calls=AwsCalls())
    assert place.settings.aws_endpoint_url is not None, "a local line has an endpoint"
    return await stack.enter_async_context(
        aws_client(
            service,
            endpoint_url=place.settings.aws_endpoint_url,
            region=place.settings.aws_region,
            credentials=place.credentials,
        )
    )


@asynccontextmanager
async def open_chain(place: Place) -> AsyncIterator[tuple[Rpc, Node]]:
    """Open the nodes of a deployment's chain; ends the command when none is named."""
    if not place.rpc_urls:
        stop("which chain? name a node of it by --rpc")
    rpc = Rpc(place.rpc_urls, timeout=30.0)
    try:
        yield rpc, Node(rpc, endpoints=rpc)
    finally:
        await rpc.aclose()
