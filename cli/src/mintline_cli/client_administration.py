"""Machine clients of a deployment, managed over its API or with AWS rights: the same results either way."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from mintline.aws.clients import ClientRegistry
from mintline.clock import unix_ms
from mintline.errors import Rejected, Unavailable
from mintline.records.clients import Client, ClientBudget
from mintline.scopes import RESOURCE_SERVER
from mintline_client import AsyncMintline, NotFound, TryLater
from mintline_client.models import BudgetRequest, ClientUseView, ClientView, CreatedClientView

T = TypeVar("T")

_CLIENT_ID = re.compile(r"[A-Za-z0-9_+-]{1,128}")
"""A client's id as the API takes it: anything else could name another path."""


class ClientUnknown(Rejected):
    """There is no client with this id."""

    def __init__(self, client_id: str) -> None:
        super().__init__("client_unknown", f"there is no client {client_id}")


class ClientAdministration(Protocol):
    """Manages machine clients. Calls raise ClientUnknown, Rejected for what is refused, and Unavailable."""

    async def create(self, name: str, *, scopes: Sequence[str], budget: ClientBudget) -> CreatedClientView:
        """Create a client; `scopes` are short, such as `mints:read`."""
        ...

    async def every(self) -> list[ClientView]:
        """Return all clients by name."""
        ...

    async def get(self, client_id: str) -> ClientView | ClientUseView:
        """Return a client, over the API with what it has used."""
        ...

    async def set_budget(self, client_id: str, budget: ClientBudget) -> ClientView:
        """Replace a client's whole budget, and return the client."""
        ...

    async def set_disabled(self, client_id: str, *, disabled: bool) -> ClientView:
        """Have a client's tokens refused, or accepted again, and return the client."""
        ...

    async def add_secret(self, client_id: str) -> str:
        """Give a client another secret, and return it."""
        ...

    async def retire_secrets(self, client_id: str) -> int | None:
        """Drop a client's secrets but the newest, and return how many; None: the API does not say."""
        ...

    async def delete(self, client_id: str) -> None:
        """Delete a client."""
        ...


class ClientsOverApi:
    """Machine clients over the API, for a caller with the scope `admin`."""

    def __init__(self, mintline: AsyncMintline) -> None:
        self._clients = mintline.clients

    async def create(self, name: str, *, scopes: Sequence[str], budget: ClientBudget) -> CreatedClientView:
        call = self._clients.create({"name": name, "scopes": list(scopes), "budget": _budget_request(budget)})
        return await _once(call, "the client may have been created: before another try, see `list`")

    async def every(self) -> list[ClientView]:
        return (await self._clients.list())["items"]

    async def get(self, client_id: str) -> ClientUseView:
        return await _known(client_id, self._clients.get(_checked(client_id)))

    async def set_budget(self, client_id: str, budget: ClientBudget) -> ClientView:
        change = self._clients.change(_checked(client_id), {"budget": _budget_request(budget)})
        return await _known(client_id, change)

    async def set_disabled(self, client_id: str, *, disabled: bool) -> ClientView:
        return await _known(client_id, self._clients.change(_checked(client_id), {"disabled": disabled}))

    async def add_secret(self, client_id: str) -> str:
        call = _known(client_id, self._clients.rotate_secret(_checked(client_id)))
        created = await _once(
            call,
            "the client may have a secret that nobody knows: delete the newest in the user pool before "
            "you try again, which drops the oldest",
        )
        return created["client_secret"]

    async def retire_secrets(self, client_id: str) -> None:
        await _known(client_id, self._clients.drop_previous_secret(_checked(client_id)))

    async def delete(self, client_id: str) -> None:
        await _known(client_id, self._clients.delete(_checked(client_id)))


class ClientsByAws:
    """Machine clients by AWS rights to their table and to the user pool."""

    def __init__(self, registry: ClientRegistry) -> None:
        self._registry = registry

    async def create(self, name: str, *, scopes: Sequence[str], budget: ClientBudget) -> CreatedClientView:
        client, secret = await self._registry.create(
            name, scopes=[f"{RESOURCE_SERVER}/{scope}" for scope in scopes], budget=budget, at=unix_ms()
        )
        return {**_view(client), "client_secret": secret}

    async def every(self) -> list[ClientView]:
        return [_view(client) for client in await self._registry.records.every()]

    async def get(self, client_id: str) -> ClientView:
        return _view(_there(client_id, await self._registry.records.get(client_id)))

    async def set_budget(self, client_id: str, budget: ClientBudget) -> ClientView:
        return _view(_there(client_id, await self._registry.records.set_budget(client_id, budget)))

    async def set_disabled(self, client_id: str, *, disabled: bool) -> ClientView:
        records = self._registry.records
        change = records.disable(client_id, at=unix_ms()) if disabled else records.enable(client_id)
        return _view(_there(client_id, await change))

    async def add_secret(self, client_id: str) -> str:
        return _there(client_id, await self._registry.app_clients.add_secret(client_id))

    async def retire_secrets(self, client_id: str) -> int:
        return _there(client_id, await self._registry.app_clients.retire_secrets(client_id))

    async def delete(self, client_id: str) -> None:
        if not await self._registry.delete(client_id):
            raise ClientUnknown(client_id)


def _checked(client_id: str) -> str:
    if not _CLIENT_ID.fullmatch(client_id):
        raise ClientUnknown(client_id)
    return client_id


def _there(client_id: str, value: T | None) -> T:
    if value is None:
        raise ClientUnknown(client_id)
    return value


async def _known(client_id: str, call: Awaitable[T]) -> T:
    try:
        return await call
    except NotFound as error:
        # Another server, or a proxy, has not found the operation, which says nothing of the client.
        if error.problem.code != "client-not-found":
            raise
        raise ClientUnknown(client_id) from None


async def _once(call: Awaitable[T], otherwise: str) -> T:
    """Return what a call returns that is not repeatable; says what may have come of it if no answer does."""
    try:
        return await call
    except Unavailable as error:
        if isinstance(error, TryLater) and error.problem.status == 429:
            raise
        raise Unavailable(f"{error}; {otherwise}") from None


def _budget_request(budget: ClientBudget) -> BudgetRequest:
    return {
        "mints_per_hour": budget.mints_per_hour,
        "wei_per_day": None if budget.wei_per_day is None else str(budget.wei_per_day),
        "collections": None if budget.collections is None else list(budget.collections),
    }


def _view(client: Client) -> ClientView:
    """Return a client as the API shows it."""
    budget = client.budget
    return {
        "client_id": client.client_id,
        "name": client.name,
        "scopes": [scope.removeprefix(f"{RESOURCE_SERVER}/") for scope in client.scopes],
        "budget": {
            "mints_per_hour": budget.mints_per_hour,
            "wei_per_day": None if budget.wei_per_day is None else str(budget.wei_per_day),
            "collections": None if budget.collections is None else list(budget.collections),
        },
        "created_at": _moment(client.created_at),
        "disabled_at": None if client.disabled_at is None else _moment(client.disabled_at),
    }


def _moment(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
