"""Wrapped keys in Secrets Manager and in DynamoDB.

References: `{prefix}/wallets/{chain_id}/{address}` is a secret's name, `dynamodb:{chain_id}#{address}` an
item of the table `wrapped-keys`. No secret's name holds a colon, so neither is ever taken for the other.
The table may hold authorization keys too (`authorization_key_items`), which are no wallet's.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from pydantic import ValidationError

from mintline.aws.dynamo import Clause, ConditionFailed, Dynamo, Item, Put, Update
from mintline.aws.errors import error_code, translated
from mintline.aws.session import AwsCalls, open_client
from mintline.clock import DAY
from mintline.errors import Conflict
from mintline.key_stores import (
    KeyStores,
    StoredKey,
    StoreName,
    key_deleting,
    key_missing,
    key_unreadable,
    owned,
)
from mintline.records.keys import scoped
from mintline.resources import WRAPPED_KEYS
from mintline.settings import ServiceSettings

if TYPE_CHECKING:
    from types_aiobotocore_secretsmanager import SecretsManagerClient

ITEM = "dynamodb:"
"""Begins the reference of an item."""
AUTHORIZATION_KEYS = "sealing/"
"""Begins the key of an item that holds an authorization key."""
_PAGE = 100
_EXISTS = Clause("key_exists", "key_id", "exists")


def secret_name(prefix: str, chain_id: int, address: str) -> str:
    """Return the name of the secret that holds the wrapped key of `address`."""
    return f"{prefix}/wallets/{chain_id}/{address}"


async def open_key_stores(
    stack: AsyncExitStack, settings: ServiceSettings, dynamo: Dynamo, *, calls: AwsCalls
) -> KeyStores:
    """Open both stores of a deployment, until `stack` closes."""
    secrets = await open_client(stack, "secretsmanager", settings, calls=calls)
    return KeyStores(SecretsManagerKeys(secrets, prefix=settings.resource_prefix), DynamoKeys(dynamo))


class SecretsManagerKeys:
    """A secret for each key: $0.40 a month each, 500,000 a region at most.

    Its name holds the address, so a secret that exists is of the very same key.
    """

    name: StoreName = "secretsmanager"

    def __init__(self, client: SecretsManagerClient, *, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    def reference(self, chain_id: int, address: str, owner: str = "") -> str:
        """Return the secret's name."""
        return owned(secret_name(self._prefix, chain_id, address), owner)

    def owns(self, reference: str) -> bool:
        """Tell whether the reference is a secret's name, or its ARN."""
        return not reference.startswith(ITEM)

    async def create(self, key: StoredKey) -> str:
        """Make the secret unless it exists."""
        name = self.reference(key.chain_id, key.address, key.owner)
        try:
            with translated():
                await self._client.create_secret(Name=name, SecretString=_text(key))
        except ClientError as error:
            # It is there, or there and scheduled for deletion.
            if error_code(error) not in ("ResourceExistsException", "InvalidRequestException"):
                raise
        return name

    async def read(self, reference: str) -> StoredKey:
        """Return what the secret holds now."""
        try:
            with translated():
                response = await self._client.get_secret_value(SecretId=reference)
        except ClientError as error:
            match error_code(error):
                case "ResourceNotFoundException":
                    raise key_missing(reference) from None
                case "InvalidRequestException":
                    raise key_deleting(reference) from None
                case _:
                    raise
        try:
            return StoredKey.model_validate_json(response["SecretString"], extra="ignore")
        except (KeyError, ValidationError):
            # The cause would quote the secret.
            raise key_unreadable(reference) from None

    async def replace(self, reference: str, *, old: StoredKey, new: StoredKey) -> None:
        """Make `new` the secret's current version; `old` stays as its previous one.

        Hazard: Secrets Manager knows no condition: of two who replace at once, the last one's stays.
        """
        if await self.read(reference) != old:
            raise Conflict(f"{reference} has changed")
        with translated():
            await self._client.put_secret_value(SecretId=reference, SecretString=_text(new))

    async def references(self) -> AsyncIterator[str]:
        """Yield the names of all wallets' secrets; those that are being deleted are not listed."""
        filters: Any = [{"Key": "name", "Values": [f"{self._prefix}/wallets/"]}]
        pages = self._client.get_paginator("list_secrets").paginate(Filters=filters)
        with translated():
            async for page in pages:
                for secret in page["SecretList"]:
                    yield secret["Name"]

    async def schedule_deletion(self, reference: str, *, days: int) -> None:
        """Delete the secret with a recovery window."""
        try:
            with translated():
                await self._client.delete_secret(SecretId=reference, RecoveryWindowInDays=days)
        except ClientError as error:
            # Gone, or scheduled already.
            if error_code(error) not in ("ResourceNotFoundException", "InvalidRequestException"):
                raise

    async def restore(self, reference: str) -> None:
        """Cancel the deletion."""
        try:
            with translated():
                await self._client.restore_secret(SecretId=reference)
        except ClientError as error:
            match error_code(error):
                case "ResourceNotFoundException":
                    raise key_missing(reference) from None
                case "InvalidRequestException":
                    return  # it is not scheduled for deletion
                case _:
                    raise


class DynamoKeys:
    """An item for each key, in a table of its own. `now` gives Unix seconds.

    `expires_at` is the table's TTL: an item that has it is not read any more, and once that time has passed
    it counts as gone, whenever DynamoDB comes round to removing it.
    """

    name: StoreName = "dynamodb"

    def __init__(self, dynamo: Dynamo, *, now: Callable[[], float] = time.time) -> None:
        self._dynamo = dynamo
        self._now = now

    def reference(self, chain_id: int, address: str, owner: str = "") -> str:
        """Return the item's key behind the store's name."""
        return owned(ITEM + scoped(chain_id, address), owner)

    def owns(self, reference: str) -> bool:
        """Tell whether the reference is an item's."""
        return reference.startswith(ITEM)

    async def create(self, key: StoredKey) -> str:
        """Insert the item unless it exists."""
        reference = self.reference(key.chain_id, key.address, key.owner)
        with suppress(ConditionFailed):
            await self._dynamo.insert(Put(WRAPPED_KEYS, {**_key(reference), **_attributes(key)}))
        return reference

    async def read(self, reference: str) -> StoredKey:
        """Return the item, by a consistent read."""
        item = await self._dynamo.get(WRAPPED_KEYS, _key(reference))
        expires_at = None if item is None else item.get("expires_at")
        if item is None or (isinstance(expires_at, int) and expires_at <= self._now()):
            raise key_missing(reference)
        if expires_at is not None:
            raise key_deleting(reference)
        try:
            return StoredKey.model_validate({name: item.get(name) for name in _FIELDS if name in item})
        except ValidationError:
            raise key_unreadable(reference) from None

    async def replace(self, reference: str, *, old: StoredKey, new: StoredKey) -> None:
        """Change the item on condition that it still holds `old`."""
        unchanged = Clause("same_wrapping", "wrapped", "eq", (old.wrapped,))
        kept = Clause("not_deleting", "expires_at", "missing")
        change = Update(WRAPPED_KEYS, _key(reference), set=_attributes(new), where=(unchanged, kept))
        await self._dynamo.write(change)

    async def references(self) -> AsyncIterator[str]:
        """Yield the references of all items that are not being deleted."""
        start: Item | None = None
        while True:
            page = await self._dynamo.scan(WRAPPED_KEYS, limit=_PAGE, start=start)
            for item in page.items:
                key = str(item["key_id"])
                if "expires_at" not in item and not key.startswith(AUTHORIZATION_KEYS):
                    yield ITEM + key
            start = page.next
            if start is None:
                return

    async def schedule_deletion(self, reference: str, *, days: int) -> None:
        """Give the item a time to live."""
        change = Update(
            WRAPPED_KEYS,
            _key(reference),
            set={"expires_at": int(self._now()) + days * DAY},
            where=(_EXISTS, Clause("not_deleting", "expires_at", "missing")),
        )
        with suppress(ConditionFailed):  # gone, or scheduled already
            await self._dynamo.write(change)

    async def restore(self, reference: str) -> None:
        """Take the time to live away, unless it has passed."""
        item = await self._dynamo.get(WRAPPED_KEYS, _key(reference))
        if item is not None and "expires_at" not in item:
            return
        alive = Clause("still_alive", "expires_at", "gt", (int(self._now()),))
        try:
            await self._dynamo.write(
                Update(WRAPPED_KEYS, _key(reference), remove=("expires_at",), where=(alive,))
            )
        except ConditionFailed:
            raise key_missing(reference) from None


def _text(key: StoredKey) -> str:
    return key.model_dump_json(exclude_none=True)


_FIELDS = tuple(StoredKey.model_fields)


def _key(reference: str) -> Item:
    return {"key_id": reference.removeprefix(ITEM)}


def _attributes(key: StoredKey) -> Item:
    """Return the item's attributes; the wrapped key as bytes, without base64."""
    return key.model_dump(exclude_none=True)
