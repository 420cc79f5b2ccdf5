"""An AWS client's endpoint, worked out once and not for each request.

botocore works it out again for every request, since S3's depends on the bucket, and DynamoDB's may depend on
the account in a table's ARN: it searches all items of a request for the names of their tables. Mintline's
resources are in one account and one region, so a client of these services has one endpoint.
"""

from __future__ import annotations

from typing import Any

SERVICES = frozenset({"dynamodb", "dynamodbstreams", "sqs"})
"""The services that this applies to; nearly all requests go to them."""


def use_one_endpoint(client: Any) -> None:
    """Have a client keep the endpoint of its first request; one that cannot be worked out is tried again."""
    resolver = client._ruleset_resolver  # noqa: SLF001 - botocore has no public way
    construct, known = resolver.construct_endpoint, None

    async def construct_once(**arguments: Any) -> Any:
        nonlocal known
        if known is None:
            known = await construct(**arguments)
        return known

    resolver.construct_endpoint = construct_once
