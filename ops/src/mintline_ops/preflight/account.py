"""Reads an account of AWS: any operation of any service, refused with AWS's code."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Protocol

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from mintline.aws.errors import error_code

CONNECT_SECONDS, READ_SECONDS = 5, 15


class Refusal(Exception):  # noqa: N818 - an answer of AWS's, not a fault
    """AWS refused a request, with its `code`, or did not answer it at all."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Account(Protocol):
    """An account of AWS, as one principal sees it."""

    async def ask(
        self, service: str, operation: str, *, region: str | None = None, **parameters: Any
    ) -> dict[str, Any]:
        """Return what `operation` (such as `get_role`) returns, in the account's region unless it is named.

        Raises Refusal.
        """
        ...


class AwsAccount:
    """The account that the usual chain of credentials leads to."""

    def __init__(self, stack: AsyncExitStack, region: str, endpoint_url: str | None) -> None:
        self._stack = stack
        self._region = region
        self._endpoint_url = endpoint_url
        self._session = get_session()
        self._clients: dict[tuple[str, str], Any] = {}

    async def ask(
        self, service: str, operation: str, *, region: str | None = None, **parameters: Any
    ) -> dict[str, Any]:
        """Return what an operation returns; raises Refusal."""
        try:
            client = await self._client(service, region or self._region)
            response: dict[str, Any] = await getattr(client, operation)(**parameters)
        except ClientError as error:
            raise Refusal(error_code(error)) from error
        except (BotoCoreError, TimeoutError, ConnectionError) as error:
            raise Refusal(type(error).__name__) from error
        return response

    async def _client(self, service: str, region: str) -> Any:
        key = (service, region)
        if key not in self._clients:
            config = AioConfig(
                connect_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                retries={"mode": "standard", "max_attempts": 3},
            )
            self._clients[key] = await self._stack.enter_async_context(
                self._session.create_client(
                    service,  # type: ignore[call-overload] # any of them
                    region_name=region,
                    endpoint_url=self._endpoint_url,
                    config=config,
                )
            )
        return self._clients[key]


@asynccontextmanager
async def open_account(region: str, endpoint_url: str | None) -> AsyncIterator[Account]:
    """Open the account of the usual chain of credentials."""
    async with AsyncExitStack() as stack:
        yield AwsAccount(stack, region, endpoint_url)
