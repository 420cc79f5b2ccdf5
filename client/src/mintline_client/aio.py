"""The client of a deployment's API, asynchronous."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import aiohttp

from mintline_client.access import ClientCredentials
from mintline_client.accounts import Clients, Pipeline, Users, Wallets
from mintline_client.api import RETRIES, Api, Retries, Token
from mintline_client.collections import Collections
from mintline_client.drops import Drops
from mintline_client.events import Events
from mintline_client.minting import Mints
from mintline_client.tokens import Tokens
from mintline_client.transfers import Burns, Transfers
from mintline_client.uploads import Uploads
from mintline_client.webhooks import Webhooks

TIMEOUT = 60.0


class AsyncMintline:
    """A deployment's API for one caller: `async with AsyncMintline(url, …) as mintline`.

    The caller is a user or client whose access token is `token`, or a machine client with its id and secret,
    whose tokens are had and renewed as needed. `timeout` is in seconds, for each request. With `http`, a
    session of yours, its connections and timeout are used, and closing the client leaves it open.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | Token | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        token_url: str | None = None,
        retries: Retries = RETRIES,
        timeout: float = TIMEOUT,
        http: aiohttp.ClientSession | None = None,
    ) -> None:
        if (client_id is None) != (client_secret is None) or (token is not None and client_id is not None):
            raise ValueError("pass token, or client_id with client_secret")
        self._owns_http = http is None
        self.http = http or aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(timeout))
        if client_id is not None and client_secret is not None:
            token = ClientCredentials(self.http, url, client_id, client_secret, token_url=token_url)
        self.api = Api(self.http, url, token, retries=retries)
        self.mints = Mints(self.api)
        self.drops = Drops(self.api)
        self.collections = Collections(self.api)
        self.tokens = Tokens(self.api)
        self.transfers = Transfers(self.api)
        self.burns = Burns(self.api)
        self.wallets = Wallets(self.api)
        self.users = Users(self.api)
        self.clients = Clients(self.api)
        self.pipeline = Pipeline(self.api)
        self.uploads = Uploads(self.api)
        self.events = Events(self.api)
        self.webhooks = Webhooks(self.api)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections, unless they are yours."""
        if self._owns_http:
            await self.http.close()
