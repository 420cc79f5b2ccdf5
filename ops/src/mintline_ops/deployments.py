"""What operators' commands look at, a local stack or any deployment: its tables, queues and nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from mintline.aws.dynamo import GONE, Dynamo, Item, decode_item
from mintline.aws.errors import translated
from mintline.aws.session import AwsCalls, open_client
from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.errors import Misconfigured
from mintline.resource_types import Table
from mintline.settings import ServiceSettings
from mintline_ops.aws_clients import AwsCredentials, aws_client


@dataclass(frozen=True, slots=True)
class Target:
    """A deployment, and the credentials to reach it with: those of AWS's usual chain if None."""

    settings: ServiceSettings
    rpc_urls: tuple[str, ...]
    credentials: AwsCredentials | None


def settings_of(prefix: str, region: str, endpoint_url: str | None) -> ServiceSettings:
    """Return how to reach a deployment; raises Misconfigured when the prefix cannot be one."""
    try:
        return ServiceSettings.model_validate(
            {"resource_prefix": prefix, "aws_region": region, "aws_endpoint_url": endpoint_url}
        )
    except ValidationError:
        raise Misconfigured(
            f"{prefix!r} is no prefix of resources: lower-case letters, digits and hyphens"
        ) from None


def target_of_local_stack(info: Mapping[str, Any], rpc_urls: list[str] | None = None) -> Target:
    """Return the target for the local stack that `info`, its run file, describes."""
    settings = settings_of(info["prefix"], info["region"], info["aws_endpoint_url"])
    return Target(settings, tuple(rpc_urls or (info["rpc_url"],)), AwsCredentials(**info["operator"]))


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
                    if GONE not in attributes:
                        yield decode_item(attributes)


@asynccontextmanager
async def open_records(target: Target) -> AsyncIterator[Records]:
    """Open a deployment's tables."""
    async with AsyncExitStack() as stack:
        client = await open_aws(stack, target, "dynamodb")
        dynamo = Dynamo(client, target.settings.resource_prefix)
        stack.push_async_callback(dynamo.aclose)
        yield Records(client, dynamo, target.settings.resource_prefix)


async def open_aws(stack: AsyncExitStack, target: Target, service: Any) -> Any:
    """Open a client of one of a deployment's services, which `stack` closes."""
    if target.credentials is None:
        return await open_client(stack, service, target.settings, calls=AwsCalls())
    assert target.settings.aws_endpoint_url is not None, "a local stack has an endpoint"
    return await stack.enter_async_context(
        aws_client(
            service,
            endpoint_url=target.settings.aws_endpoint_url,
            region=target.settings.aws_region,
            credentials=target.credentials,
        )
    )


@asynccontextmanager
async def open_chain(target: Target) -> AsyncIterator[tuple[Rpc, Node]]:
    """Open the nodes of a deployment's chain; raises Misconfigured when none is named."""
    if not target.rpc_urls:
        raise Misconfigured("missing --rpc: pass a node URL of the deployment's chain")
    rpc = Rpc(target.rpc_urls, timeout=30.0)
    try:
        yield rpc, Node(rpc, endpoints=rpc)
    finally:
        await rpc.aclose()
