"""Access to a node of Amazon Managed Blockchain: requests signed with the process's own credentials.

AWS closed the service to new customers in October 2026 and ends it in September 2027.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiobotocore.session import AioSession, get_session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError

from mintline.errors import Unavailable

SERVICE = "managedblockchain"


class SignedRequests:
    """Signs JSON-RPC requests to nodes in `region`, with credentials from AWS's usual chain.

    https://docs.aws.amazon.com/managed-blockchain/latest/ethereum-dev/ethereum-json-rpc.html
    """

    def __init__(self, region: str, *, session: AioSession | None = None) -> None:
        self._region = region
        self._session = session or get_session()
        self._credentials: Any = None

    async def __call__(self, url: str, body: bytes) -> Mapping[str, str]:
        """Return the headers that authorize a POST of `body`. Raises Unavailable without credentials."""
        try:
            self._credentials = self._credentials or await self._session.get_credentials()
            if self._credentials is None:
                raise Unavailable("AWS credentials: none found by the AWS SDK's usual chain")
            frozen = await self._credentials.get_frozen_credentials()
        except (BotoCoreError, OSError) as error:
            raise Unavailable(f"AWS credentials: {type(error).__name__}") from error
        request = AWSRequest(method="POST", url=url, data=body)
        SigV4Auth(frozen, SERVICE, self._region).add_auth(request)
        return dict(request.headers.items())
