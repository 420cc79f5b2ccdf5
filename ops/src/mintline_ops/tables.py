"""The tables of a local stack or a deployment, opened for as long as a context lasts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from mintline.aws.dynamo import Dynamo
from mintline.aws.session import AwsCalls, open_client
from mintline.settings import ServiceSettings
from mintline_ops.aws_clients import operator_client


@asynccontextmanager
async def table_of_local_stack(info: Mapping[str, Any]) -> AsyncIterator[Dynamo]:
    """Open the tables of the local stack that `info`, its run file, describes."""
    async with operator_client("dynamodb", info) as client:
        dynamo = Dynamo(client, info["prefix"])
        try:
            yield dynamo
        finally:
            await dynamo.aclose()


@asynccontextmanager
async def table_of_deployment(settings: ServiceSettings) -> AsyncIterator[Dynamo]:
    """Open the tables of any deployment, with credentials from AWS's usual chain."""
    async with AsyncExitStack() as stack:
        client = await open_client(stack, "dynamodb", settings, calls=AwsCalls())
        dynamo = Dynamo(client, settings.resource_prefix)
        stack.push_async_callback(dynamo.aclose)
        yield dynamo
