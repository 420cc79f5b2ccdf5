"""AWS clients: one way to open them, and to count their requests."""

from __future__ import annotations

from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

import aiobotocore
import botocore
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from mintline.aws.assumed_roles import RoleProvider
from mintline.aws.endpoints import SERVICES, use_one_endpoint
from mintline.aws.models import model_loader
from mintline.aws.signatures import use_quick_signatures
from mintline.aws.wire import use_plain_json
from mintline.settings import ServiceSettings
from mintline.tracing import OFF, Tracer, client_span

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from types_aiobotocore_cognito_idp import CognitoIdentityProviderClient
    from types_aiobotocore_dynamodb import DynamoDBClient
    from types_aiobotocore_dynamodbstreams import DynamoDBStreamsClient
    from types_aiobotocore_kms import KMSClient
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_secretsmanager import SecretsManagerClient
    from types_aiobotocore_sqs import SQSClient

ServiceName: TypeAlias = Literal[
    "sqs", "dynamodb", "s3", "kms", "secretsmanager", "cognito-idp", "dynamodbstreams"
]

LONG_POLL_SECONDS = 20
"""The longest that SQS lets a receive wait."""

READ_SECONDS = 10
"""How long a request waits for its response; one that takes longer is sent again, four times in all."""

_USER_AGENT = f"mintline aiobotocore/{aiobotocore.__version__} botocore/{botocore.__version__}"
"""A constant: assembling botocore's own for every request is a twelfth of a call's CPU."""

_LOADER = model_loader()
"""Shared by all sessions: parsing the services' models is most of what opening a client costs."""


use_quick_signatures()


class AwsCalls:
    """Counts every request sent to AWS, retries included, by service and operation.

    Given a registry, the counts are also its `mintline_aws_requests_total{service, operation}`.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.tracer: Tracer = OFF
        """Traces the calls of clients that are attached from now on."""
        self._counts: Counter[tuple[str, str]] = Counter()
        self._metric = None
        if registry is not None:
            from prometheus_client import Counter as Metric  # noqa: PLC0415 - the `admin` extra is optional here

            self._metric = Metric(
                "mintline_aws_requests", "Requests sent to AWS.", ("service", "operation"), registry=registry
            )

    def record(self, service: str, operation: str) -> None:
        """Count one request."""
        self._counts[service, operation] += 1
        if self._metric is not None:
            self._metric.labels(service, operation).inc()

    def counts(self) -> dict[tuple[str, str], int]:
        """Return the requests so far, by (service, operation)."""
        return dict(self._counts)

    def attach(self, client: Any) -> None:
        """Count what `client` sends from now on."""
        service = client.meta.service_model.service_name

        def before_send(event_name: str, **_: Any) -> None:
            self.record(service, event_name.rpartition(".")[2])

        client.meta.events.register("before-send", before_send)
        if self.tracer is not OFF:
            _trace(client, service, self.tracer)


def _trace(client: Any, service: str, tracer: Tracer) -> None:
    """Put a span around every call of a client, retries and all: where botocore's own instrumentations do."""
    call = client._make_api_call  # noqa: SLF001 - its hooks begin after the call and end before it

    async def traced(operation: str, parameters: Any) -> Any:
        with client_span(tracer, f"{service} {operation}", {"rpc.system": "aws-api"}):
            return await call(operation, parameters)

    client._make_api_call = traced  # noqa: SLF001


@overload
async def open_client(
    stack: AsyncExitStack,
    service: Literal["sqs"],
    settings: ServiceSettings,
    *,
    calls: AwsCalls,
    endpoint_url: str | None = None,
    role_arn: str | None = None,
) -> SQSClient: ...
@overload
async def open_client(
    stack: AsyncExitStack,
    service: Literal["dynamodb"],
    settings: ServiceSettings,
    *,
    calls: AwsCalls,
    endpoint_url: str | None = None,
) -> DynamoDBClient: ...
@overload
async def open_client(
    stack: AsyncExitStack,
    service: Literal["s3"],
    settings: ServiceSettings,
    *,
    calls: AwsCalls,
    endpoint_url: str | None = None,
) -> S3Client: ...
@overload
async def open_client(
    stack: AsyncExitStack,
    service: Literal["kms"],
    settings: ServiceSettings,
    *,
    calls: AwsCalls,
    endpoint_url: str | None = None,
) -> KMSClient: ...
@overload
async def open_client(
    stack: AsyncExitStack,
    service: Literal["secretsmanager"],
    settings: ServiceSettings,
    *,
    calls: AwsCalls,
    endpoint_url: str | None = None,
) -> SecretsManagerClient: ...
@overload
async def open_client(
    stack: AsyncExitStack,
    service: Literal["dynamodbstreams"],
    settings: ServiceSettings,
    *,
    calls: AwsCalls,
    endpoint_url: str | None = None,
) -> DynamoDBStreamsClient: ...
@overload
async def open_client(
    stack: AsyncExitStack,
    service: Literal["cognito-idp"],
    settings: ServiceSettings,
    *,
    calls: AwsCalls,
    endpoint_url: str | None = None,
) -> CognitoIdentityProviderClient: ...


async def open_client(
    stack: AsyncExitStack,
    service: ServiceName,
    settings: ServiceSettings,
    *,
    calls: AwsCalls,
    endpoint_url: str | None = None,
    role_arn: str | None = None,
) -> Any:
    """Open a client that `stack` closes, and count its requests in `calls`.

    `endpoint_url` overrides the settings' own. Credentials come from AWS's usual chain, and `role_arn` is
    assumed with them if it is given. Parameters are not validated on this side (it costs a tenth of a call's
    CPU, and the service does it anyway).
    """
    endpoint = endpoint_url or settings.aws_endpoint_url
    config = AioConfig(
        connect_timeout=5,
        read_timeout=LONG_POLL_SECONDS + 10 if service == "sqs" else READ_SECONDS,
        max_pool_connections=64,
        parameter_validation=False,
        retries={"mode": "standard", "max_attempts": 4},
        s3={"addressing_style": "path"} if endpoint else None,
        # Without it, presigned URLs would have S3's old signature, which not all regions take.
        signature_version="s3v4" if service == "s3" else None,
        user_agent=_USER_AGENT,
    )
    session = get_session()
    session.register_component("data_loader", _LOADER)
    if role_arn is not None:
        roles = RoleProvider(
            get_session(),
            role_arn,
            name=settings.resource_prefix,
            region=settings.aws_region,
            endpoint_url=settings.aws_endpoint_url,
        )
        session.register_component("credential_provider", roles)
    client: Any = await stack.enter_async_context(
        session.create_client(service, region_name=settings.aws_region, endpoint_url=endpoint, config=config)
    )
    if service in ("dynamodb", "dynamodbstreams"):
        use_plain_json(client)
    if service in SERVICES:
        use_one_endpoint(client)
    calls.attach(client)
    return client
