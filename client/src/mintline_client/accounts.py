"""Wallets, recipients, machine clients, and the pipeline as operators see it."""

from __future__ import annotations

from mintline_client.api import ONCE, Api
from mintline_client.models import (
    ChallengeRequest,
    ChallengeView,
    ClientChange,
    ClientList,
    ClientRequest,
    ClientUseView,
    ClientView,
    CreatedClientView,
    LinkList,
    LinkRequest,
    LinkView,
    PipelineView,
    RedriveRequest,
    RedriveView,
    SecretView,
    UserView,
    WalletView,
)

_CLIENTS = "/v1/clients"


class Wallets:
    """The user's wallets. Calls raise Refused for what the API refuses, and Unavailable."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def get(self) -> WalletView:
        """Return the wallet in custody, made now if there was none."""
        wallet: WalletView = await self._api.get("/v1/wallet")
        return wallet

    async def links(self) -> LinkList:
        """Return the wallets of the user's own that are linked."""
        linked: LinkList = await self._api.get("/v1/wallet/links")
        return linked

    async def challenge(self, request: ChallengeRequest) -> ChallengeView:
        """Return the text that a wallet of the user's own has to sign to be linked."""
        challenge: ChallengeView = await self._api.post("/v1/wallet/links/challenges", request)
        return challenge

    async def link(self, request: LinkRequest) -> LinkView:
        """Link a wallet of the user's own by the signed text."""
        link: LinkView = await self._api.post("/v1/wallet/links", request)
        return link

    async def unlink(self, address: str) -> None:
        """Forget a linked wallet."""
        await self._api.delete(f"/v1/wallet/links/{address}")


class Users:
    """Users by e-mail address, as a machine client sees them. Calls raise Refused and Unavailable."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def get(self, email: str) -> UserView:
        """Return the user of an e-mail address."""
        user: UserView = await self._api.get("/v1/users", {"email": email})
        return user

    async def create(self, email: str) -> UserView:
        """Return the user of an e-mail address with a wallet, both made if they do not exist."""
        user: UserView = await self._api.post("/v1/users", {"email": email})
        return user


class Clients:
    """The deployment's machine clients: `own` for one itself, the rest for administrators."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def own(self) -> ClientUseView:
        """Return the calling client: what it may do and has used."""
        client: ClientUseView = await self._api.get("/v1/client")
        return client

    async def create(self, request: ClientRequest) -> CreatedClientView:
        """Create a client; its secret is in this response only.

        It is tried once: another try could make a second client. Without an answer, look in the list.
        """
        client: CreatedClientView = await self._api.post(_CLIENTS, request, retries=ONCE)
        return client

    async def list(self) -> ClientList:
        """Return all clients."""
        clients: ClientList = await self._api.get(_CLIENTS)
        return clients

    async def get(self, client_id: str) -> ClientUseView:
        """Return a client with what it has used."""
        client: ClientUseView = await self._api.get(f"{_CLIENTS}/{client_id}")
        return client

    async def change(self, client_id: str, change: ClientChange) -> ClientView:
        """Change a client's name, budget or status."""
        client: ClientView = await self._api.patch(f"{_CLIENTS}/{client_id}", change)
        return client

    async def delete(self, client_id: str) -> None:
        """Delete a client."""
        await self._api.delete(f"{_CLIENTS}/{client_id}")

    async def rotate_secret(self, client_id: str) -> SecretView:
        """Give a client another secret, which is in this response only; the previous one stays valid.

        It is tried once: another try could make a third secret, which drops the one in use.
        """
        secret: SecretView = await self._api.post(f"{_CLIENTS}/{client_id}/secrets", retries=ONCE)
        return secret

    async def drop_previous_secret(self, client_id: str) -> None:
        """End the validity of a client's previous secret."""
        await self._api.delete(f"{_CLIENTS}/{client_id}/secrets/previous")


class Pipeline:
    """The pipeline as a whole, for administrators."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def get(self) -> PipelineView:
        """Return queues, dead letters, blocks, what waits longest, and how long the money for gas lasts."""
        pipeline: PipelineView = await self._api.get("/v1/pipeline")
        return pipeline

    async def redrive(self, request: RedriveRequest) -> RedriveView:
        """Send dead letters back to the queue that they come from; name them by `message_ids`.

        Without ids the first 100 of the queue are sent, and another call sends the next: it is tried once.
        """
        retries = ONCE if request.get("message_ids") is None else None
        redriven: RedriveView = await self._api.post("/v1/pipeline/redrives", request, retries=retries)
        return redriven
