"""The client of a deployment's API for programs without an event loop."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from mintline_client.aio import TIMEOUT, AsyncMintline
from mintline_client.api import RETRIES, Retries
from mintline_client.portal import Portal
from mintline_client.sync_resources import (
    Burns,
    Clients,
    Collections,
    Drops,
    Events,
    Mints,
    Pipeline,
    Tokens,
    Transfers,
    Uploads,
    Users,
    Wallets,
    Webhooks,
)


class Mintline:
    """A deployment's API for one caller: `AsyncMintline` without `await`, for `with`.

    Its calls may come from several threads. `timeout` is in seconds, for each request.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        token_url: str | None = None,
        retries: Retries = RETRIES,
        timeout: float = TIMEOUT,
    ) -> None:
        self._portal = portal = Portal()

        async def connect() -> AsyncMintline:
            return AsyncMintline(
                url,
                token=token,
                client_id=client_id,
                client_secret=client_secret,
                token_url=token_url,
                retries=retries,
                timeout=timeout,
            )

        try:
            self._client = client = portal.run(connect())
        except BaseException:
            portal.close()
            raise
        self.mints = Mints(client.mints, portal)
        self.drops = Drops(client.drops, portal)
        self.collections = Collections(client.collections, portal)
        self.tokens = Tokens(client.tokens, portal)
        self.transfers = Transfers(client.transfers, portal)
        self.burns = Burns(client.burns, portal)
        self.wallets = Wallets(client.wallets, portal)
        self.users = Users(client.users, portal)
        self.clients = Clients(client.clients, portal)
        self.pipeline = Pipeline(client.pipeline, portal)
        self.uploads = Uploads(client.uploads, portal)
        self.events = Events(client.events, portal)
        self.webhooks = Webhooks(client.webhooks, portal)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._portal.run(self._client.close())
        self._portal.close()
