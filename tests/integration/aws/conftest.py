from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from mintline.aws.dynamo import Dynamo
from mintline.aws.queues import Queues
from mintline.aws.session import AwsCalls, open_client
from mintline.settings import ServiceSettings


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def calls() -> AwsCalls:
    return AwsCalls()


@pytest.fixture
async def dynamo(
    stack: AsyncExitStack, aws_settings: ServiceSettings, aws_prefix: str, calls: AwsCalls
) -> Dynamo:
    client = await open_client(stack, "dynamodb", aws_settings, calls=calls)
    dynamo = Dynamo(client, aws_prefix)
    stack.push_async_callback(dynamo.aclose)
    return dynamo


@pytest.fixture
async def queues(
    stack: AsyncExitStack, aws_settings: ServiceSettings, aws_prefix: str, calls: AwsCalls
) -> Queues:
    client = await open_client(stack, "sqs", aws_settings, calls=calls)
    queues = Queues(client, aws_prefix)
    stack.push_async_callback(queues.aclose)
    return queues
