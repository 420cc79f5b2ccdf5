"""The builder reads what a message is about, and what its user authorized, by one request."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from mintline.authorizations import Authorization, digest_of
from mintline.aws.authorizations import keep_authorization
from mintline.aws.dynamo import Dynamo, Put
from mintline.aws.records import operation_item
from mintline.aws.session import AwsCalls, open_client
from mintline.resources import MINTS
from mintline.settings import ServiceSettings
from mintline_builder.dynamo_operations import DynamoOperations
from mintline_testkit.builder.harness import accepted_mint

pytestmark = pytest.mark.integration


async def test_operations__when_messages_name_their_authorizations__then_one_request_reads_all(
    aws_settings: ServiceSettings, aws_prefix: str
) -> None:
    calls = AwsCalls()
    mints = [accepted_mint(f"m{number}").evolve(token_id=number + 1) for number in range(20)]
    async with AsyncExitStack() as stack:
        dynamo = Dynamo(await open_client(stack, "dynamodb", aws_settings, calls=calls), aws_prefix)
        stack.push_async_callback(dynamo.aclose)
        operations = DynamoOperations(dynamo)
        for mint in mints:
            await dynamo.write(Put(MINTS, operation_item(mint)))
            await keep_authorization(dynamo, mint, Authorization(envelope=mint.mint_id.encode()))

        pairs = await asyncio.gather(
            *(operations.with_authorization(mint.mint_id, digest_of(mint)) for mint in mints)
        )

    assert pairs == [(mint, Authorization(envelope=mint.mint_id.encode())) for mint in mints]
    assert calls.counts()["dynamodb", "BatchGetItem"] == 1
