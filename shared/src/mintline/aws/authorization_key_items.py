"""Authorization keys in the table `wrapped-keys`: for signers that do not reach Secrets Manager.

References: `dynamodb:sealing/{chain_id}/{key_id}`; no secret's name holds a colon.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Protocol

from pydantic import ValidationError

from mintline.authorization import key_id
from mintline.aws.authorization_keys import GeneratedAuthorizationKey, StoredAuthorizationKey
from mintline.aws.dynamo import Clause, ConditionFailed, Dynamo, Item, Put, Update
from mintline.aws.key_stores import AUTHORIZATION_KEYS, ITEM
from mintline.errors import Conflict, Rejected
from mintline.resources import WRAPPED_KEYS

_PAGE = 100
_FIELDS = tuple(StoredAuthorizationKey.model_fields)


class AuthorizationKeyStore(Protocol):
    """A store of wrapped authorization keys.

    Every method raises Unavailable or Throttled when the store does not serve.
    """

    async def create(self, key: GeneratedAuthorizationKey, *, chain_id: int) -> str:
        """Keep a key and return its reference; one that is there already is left as it is."""
        ...

    def references(self) -> AsyncIterator[str]:
        """Yield the reference of every key, in no order."""
        ...

    async def read(self, reference: str) -> StoredAuthorizationKey:
        """Return a key; raises Rejected if there is none, or it is not ours."""
        ...

    async def replace(
        self, reference: str, *, old: StoredAuthorizationKey, new: StoredAuthorizationKey
    ) -> None:
        """Put `new` in place of `old`; raises Conflict if it is no longer `old` that is there."""
        ...


class AuthorizationKeyItems:
    """A AuthorizationKeyStore of items beside the wallets' keys."""

    def __init__(self, dynamo: Dynamo) -> None:
        self._dynamo = dynamo

    @staticmethod
    def owns(reference: str) -> bool:
        """Tell whether a reference is an item's."""
        return reference.startswith(ITEM + AUTHORIZATION_KEYS)

    async def create(self, key: GeneratedAuthorizationKey, *, chain_id: int) -> str:
        """Insert the item unless it exists."""
        name = f"{AUTHORIZATION_KEYS}{chain_id}/{key_id(key.public_key).hex()}"
        body = StoredAuthorizationKey(
            chain_id=chain_id, public_key=key.public_key, wrapped=key.wrapped, kms_key=key.kms_key
        )
        with suppress(ConditionFailed):
            await self._dynamo.insert(Put(WRAPPED_KEYS, {"key_id": name, **_attributes(body)}))
        return ITEM + name

    async def references(self) -> AsyncIterator[str]:
        """Yield the references of all items that hold authorization keys."""
        start: Item | None = None
        while True:
            page = await self._dynamo.scan(WRAPPED_KEYS, limit=_PAGE, start=start)
            for item in page.items:
                if str(item["key_id"]).startswith(AUTHORIZATION_KEYS):
                    yield ITEM + str(item["key_id"])
            start = page.next
            if start is None:
                return

    async def read(self, reference: str) -> StoredAuthorizationKey:
        """Return the item, by a consistent read."""
        item = await self._dynamo.get(WRAPPED_KEYS, _key(reference))
        if item is None:
            raise Rejected("key_missing", f"No authorization key is stored as {reference}.")
        try:
            return StoredAuthorizationKey.model_validate(
                {name: item[name] for name in _FIELDS if name in item}
            )
        except ValidationError:
            raise Rejected("key_unreadable", f"The item {reference} holds no authorization key.") from None

    async def replace(
        self, reference: str, *, old: StoredAuthorizationKey, new: StoredAuthorizationKey
    ) -> None:
        """Change the item on condition that it still holds `old`."""
        unchanged = Clause("same_wrapping", "wrapped", "eq", (old.wrapped,))
        try:
            await self._dynamo.write(
                Update(WRAPPED_KEYS, _key(reference), set=_attributes(new), where=(unchanged,))
            )
        except ConditionFailed:
            raise Conflict(f"{reference} has changed") from None


class AuthorizationKeyStores:
    """Both stores of a deployment; a reference says which holds it."""

    def __init__(self, secrets: AuthorizationKeyStore, items: AuthorizationKeyItems) -> None:
        self._secrets = secrets
        self._items = items

    async def references(self) -> AsyncIterator[str]:
        """Yield the reference of every authorization key."""
        for store in (self._secrets, self._items):
            async for reference in store.references():
                yield reference

    async def read(self, reference: str) -> StoredAuthorizationKey:
        """Return a key from the store that its reference names."""
        return await self._holding(reference).read(reference)

    async def replace(
        self, reference: str, *, old: StoredAuthorizationKey, new: StoredAuthorizationKey
    ) -> None:
        """Put `new` in place of `old` there."""
        await self._holding(reference).replace(reference, old=old, new=new)

    def _holding(self, reference: str) -> AuthorizationKeyStore:
        return self._items if AuthorizationKeyItems.owns(reference) else self._secrets


def _key(reference: str) -> Item:
    return {"key_id": reference.removeprefix(ITEM)}


def _attributes(key: StoredAuthorizationKey) -> Item:
    """Return the item's attributes, keys as bytes without base64."""
    return key.model_dump(exclude_none=True)
