"""Machine clients of a local stack or a deployment: the registry, opened for as long as a context lasts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from mintline.aws.clients import AppClients, ClientRegistry, DynamoClients
from mintline.aws.dynamo import Dynamo
from mintline_ops.deployments import Target, open_aws


@asynccontextmanager
async def open_registry(target: Target, *, user_pool_id: str) -> AsyncIterator[ClientRegistry]:
    """Open the clients of a deployment and its user pool."""
    async with AsyncExitStack() as stack:
        dynamo = Dynamo(await open_aws(stack, target, "dynamodb"), target.settings.resource_prefix)
        stack.push_async_callback(dynamo.aclose)
        cognito = await open_aws(stack, target, "cognito-idp")
        yield ClientRegistry(DynamoClients(dynamo), AppClients(cognito, user_pool_id))
