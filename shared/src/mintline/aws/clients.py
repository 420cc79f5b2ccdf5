"""Machine clients: their records in DynamoDB, and their app clients in the Cognito user pool.

The app client is made first and its record last, since a token without a record counts for nothing; the
record is deleted first, for the same reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from mintline.aws.dynamo import Clause, ConditionFailed, Delete, Dynamo, Item, Put, Update, Value
from mintline.aws.errors import error_code, translated
from mintline.aws.records import read, readable, to_item
from mintline.errors import Rejected
from mintline.records.clients import Client, ClientBudget
from mintline.resources import CLIENTS
from mintline.scopes import MACHINE_SCOPES
from mintline.set_aside import SetAside

if TYPE_CHECKING:
    from types_aiobotocore_cognito_idp import CognitoIdentityProviderClient
    from types_aiobotocore_cognito_idp.type_defs import ClientSecretDescriptorTypeTypeDef

TOKEN_MINUTES = 60
"""How long an access token of a machine client is valid."""
MOST_SECRETS = 2
_PAGE = 100
_THERE = (Clause("on_record", "client_id", "exists"),)


@dataclass(frozen=True, slots=True)
class AppClient:
    """An app client with its secret, which Cognito shows again to no caller of ours."""

    client_id: str
    secret: str


class AppClients:
    """The confidential app clients of one user pool, for the client-credentials grant.

    One has two secrets at most, so that a backend can change from one to the other, and never none.

    Source: "Scopes, M2M, and resource servers" in Amazon Cognito's developer guide; AddUserPoolClientSecret,
    ListUserPoolClientSecrets and DeleteUserPoolClientSecret in its API reference; RFC 6749, section 4.4.
    """

    def __init__(self, cognito: CognitoIdentityProviderClient, user_pool_id: str) -> None:
        self._cognito = cognito
        self._user_pool_id = user_pool_id

    async def create(self, name: str, scopes: Sequence[str]) -> AppClient:
        """Create an app client whose tokens may carry `scopes`; raises Unavailable."""
        with translated():
            response = await self._cognito.create_user_pool_client(
                UserPoolId=self._user_pool_id,
                ClientName=name,
                GenerateSecret=True,
                AllowedOAuthFlowsUserPoolClient=True,
                AllowedOAuthFlows=["client_credentials"],
                AllowedOAuthScopes=list(scopes),
                AccessTokenValidity=TOKEN_MINUTES,
                TokenValidityUnits={"AccessToken": "minutes"},
                EnableTokenRevocation=True,
            )
        created = response["UserPoolClient"]
        return AppClient(created["ClientId"], created["ClientSecret"])

    async def add_secret(self, client_id: str) -> str | None:
        """Give an app client another secret, and return it; None if there is no such client.

        The one before stays good until `retire_secrets`; of two earlier ones the older is dropped first.
        Raises Unavailable.
        """
        held = await self._secrets(client_id)
        if held is None:
            return None
        for secret in held[: max(0, len(held) - MOST_SECRETS + 1)]:
            await self._drop(client_id, secret)
        with translated():
            response = await self._cognito.add_user_pool_client_secret(
                UserPoolId=self._user_pool_id, ClientId=client_id
            )
        return response["ClientSecretDescriptor"]["ClientSecretValue"]

    async def retire_secrets(self, client_id: str) -> int | None:
        """Drop an app client's older secrets, and return how many; None if there is no such client."""
        held = await self._secrets(client_id)
        if held is None:
            return None
        for secret in held[:-1]:
            await self._drop(client_id, secret)
        return len(held) - 1

    async def delete(self, client_id: str) -> None:
        """Delete an app client, if there is one; raises Unavailable."""
        with translated():
            try:
                await self._cognito.delete_user_pool_client(UserPoolId=self._user_pool_id, ClientId=client_id)
            except ClientError as error:
                if error_code(error) != "ResourceNotFoundException":
                    raise

    async def _secrets(self, client_id: str) -> list[ClientSecretDescriptorTypeTypeDef] | None:
        """Return an app client's secrets, without values, oldest first; None if there is no such client."""
        with translated():
            try:
                response = await self._cognito.list_user_pool_client_secrets(
                    UserPoolId=self._user_pool_id, ClientId=client_id
                )
            except ClientError as error:
                if error_code(error) != "ResourceNotFoundException":
                    raise
                return None
        return sorted(response["ClientSecrets"], key=lambda secret: secret["ClientSecretCreateDate"])

    async def _drop(self, client_id: str, secret: ClientSecretDescriptorTypeTypeDef) -> None:
        with translated():
            await self._cognito.delete_user_pool_client_secret(
                UserPoolId=self._user_pool_id, ClientId=client_id, ClientSecretId=secret["ClientSecretId"]
            )


class DynamoClients:
    """The records of machine clients."""

    def __init__(self, dynamo: Dynamo, *, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._set_aside = set_aside or SetAside()

    async def insert(self, client: Client) -> None:
        """Put a new client on record."""
        await self._dynamo.write(Put(CLIENTS, to_item(client)))

    async def get(self, client_id: str) -> Client | None:
        """Return a client, or None; raises Unreadable for a record that cannot be read."""
        item = await self._dynamo.get(CLIENTS, {"client_id": client_id})
        return None if item is None else read(Client, CLIENTS, item, self._set_aside)

    async def every(self) -> list[Client]:
        """Return all clients by name; those whose records cannot be read are left out."""
        items: list[Item] = []
        start: Item | None = None
        while True:
            page = await self._dynamo.scan(CLIENTS, limit=_PAGE, start=start)
            items += page.items
            start = page.next
            if start is None:
                break
        clients = [client for _, client in readable(Client, CLIENTS, items, self._set_aside)]
        return sorted(clients, key=lambda client: (client.name, client.client_id))

    async def set_budget(self, client_id: str, budget: ClientBudget) -> Client | None:
        return await self._change(client_id, set_={"budget": to_item(budget)})

    async def disable(self, client_id: str, *, at: int) -> Client | None:
        """Have a client's tokens refused from `at` on, in Unix milliseconds."""
        return await self._change(client_id, set_={"disabled_at": at})

    async def enable(self, client_id: str) -> Client | None:
        """Have a disabled client's tokens accepted again."""
        return await self._change(client_id, remove=("disabled_at",))

    async def delete(self, client_id: str) -> bool:
        """Delete a client's record; False if there is none."""
        try:
            await self._dynamo.write(Delete(CLIENTS, {"client_id": client_id}, where=_THERE))
        except ConditionFailed:
            return False
        return True

    async def _change(
        self, client_id: str, *, set_: dict[str, Value] | None = None, remove: tuple[str, ...] = ()
    ) -> Client | None:
        update = Update(
            table=CLIENTS, key={"client_id": client_id}, set=set_ or {}, remove=remove, where=_THERE
        )
        try:
            item = await self._dynamo.update_returning(update)
        except ConditionFailed:
            return None
        return read(Client, CLIENTS, item, self._set_aside)


@dataclass(frozen=True, slots=True)
class ClientRegistry:
    """Makes and removes machine clients: record and app client together."""

    records: DynamoClients
    app_clients: AppClients

    async def create(
        self, name: str, *, scopes: Sequence[str], budget: ClientBudget, at: int
    ) -> tuple[Client, str]:
        """Create a client, and return it with its secret; `at` is in Unix milliseconds.

        Raises Rejected for scopes that no machine client may have, and Unavailable.
        """
        if unknown := [scope for scope in scopes if scope not in MACHINE_SCOPES]:
            known = ", ".join(scope.short for scope in MACHINE_SCOPES)
            raise Rejected("scope_unknown", f"scope {unknown[0]!r}: expected any of {known}")
        app_client = await self.app_clients.create(name, scopes)
        client = Client(
            client_id=app_client.client_id, name=name, scopes=tuple(scopes), budget=budget, created_at=at
        )
        try:
            await self.records.insert(client)
        except BaseException:
            await asyncio.shield(self.app_clients.delete(app_client.client_id))
            raise
        return client, app_client.secret

    async def delete(self, client_id: str) -> bool:
        """Delete a client; False if there was no record of one."""
        deleted = await self.records.delete(client_id)
        await self.app_clients.delete(client_id)
        return deleted
