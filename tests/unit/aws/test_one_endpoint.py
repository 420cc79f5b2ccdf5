"""A client keeps its endpoint, which is the one that botocore works out for each of its requests."""

from __future__ import annotations

from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any

import pytest
from aiobotocore.regions import AioEndpointRulesetResolver
from aiobotocore.session import get_session

from mintline.aws.endpoints import SERVICES
from mintline.aws.session import AwsCalls, open_client

REGIONS = ("eu-central-1", "us-gov-west-1", "cn-north-1")
LOCAL = "http://127.0.0.1:4566"
STREAM = "arn:aws:dynamodb:eu-central-1:123456789012:table/mints/stream/2026-12-01"
CALLS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "dynamodb": [
        ("get_item", {"TableName": "mints", "Key": {}}),
        ("transact_write_items", {"TransactItems": [{"Put": {"TableName": "mints", "Item": {}}}]}),
        ("batch_get_item", {"RequestItems": {"mints": {"Keys": [{"mint_id": {"S": "m"}}]}}}),
    ],
    "dynamodbstreams": [("describe_stream", {"StreamArn": STREAM}), ("get_records", {"ShardIterator": "x"})],
    "sqs": [
        ("receive_message", {"QueueUrl": f"{LOCAL}/000000000000/build.fifo"}),
        ("get_queue_url", {"QueueName": "build.fifo"}),
    ],
}


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")


async def urls_of(client: Any, calls: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """Return where a client would send requests; none is sent."""
    urls: list[str] = []

    def answer(params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        urls.append(params["url"])
        return SimpleNamespace(status_code=200), {}

    client.meta.events.register("before-call", answer)
    for name, arguments in calls:
        await getattr(client, name)(**arguments)
    return urls


def settings(region: str, endpoint: str | None) -> Any:
    return SimpleNamespace(aws_region=region, aws_endpoint_url=endpoint, resource_prefix="x")


@pytest.mark.parametrize("endpoint", [None, LOCAL], ids=["on AWS", "emulated"])
@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("service", sorted(SERVICES))
async def test_endpoint__when_it_is_kept__then_each_request_goes_where_botocore_sends_it(
    service: Any, region: str, endpoint: str | None
) -> None:
    async with AsyncExitStack() as stack:
        ours: Any = await open_client(stack, service, settings(region, endpoint), calls=AwsCalls())
        plain = await stack.enter_async_context(
            get_session().create_client(service, region_name=region, endpoint_url=endpoint)
        )
        assert await urls_of(ours, CALLS[service]) == await urls_of(plain, CALLS[service])


async def test_endpoint__when_there_are_many_requests__then_it_is_worked_out_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worked_out, construct = [], AioEndpointRulesetResolver.construct_endpoint

    async def counted(self: Any, **arguments: Any) -> Any:
        worked_out.append(arguments)
        if len(worked_out) == 1:
            raise TimeoutError
        return await construct(self, **arguments)

    monkeypatch.setattr(AioEndpointRulesetResolver, "construct_endpoint", counted)
    async with AsyncExitStack() as stack:
        client = await open_client(stack, "dynamodb", settings("eu-central-1", None), calls=AwsCalls())
        with pytest.raises(TimeoutError):
            await client.get_item(TableName="mints", Key={})
        await urls_of(client, CALLS["dynamodb"] * 2)
    assert len(worked_out) == 2, "once, after it could not be"
