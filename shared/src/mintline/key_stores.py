"""Where wrapped keys are kept: one port, and the stores of a deployment side by side.

A key's reference (`KeyRef.secret_id`) says which store holds it, so stores can coexist: who makes keys
picks the one for new ones, and a key is read from where its reference points. Both stores name a key by chain
and address, so the holder of a reference from before a migration finds the copy that took its place.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated, Literal, Protocol, TypeAlias

from pydantic import BeforeValidator, Field, PlainSerializer

from mintline.clock import DAY
from mintline.errors import Conflict, Rejected
from mintline.fields import Address, KmsKeyArn
from mintline.frozen import Frozen
from mintline.messages.parts import KeyRef

StoreName: TypeAlias = Literal["secretsmanager", "dynamodb"]

MIN_DELETION_DAYS = 7
MAX_DELETION_DAYS = 30
"""Secrets Manager's bounds of a recovery window, which every store keeps to."""


def _from_base64(value: object) -> object:
    return base64.b64decode(value, validate=True) if isinstance(value, str) else value


def _to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


class StoredKey(Frozen):
    """A wrapped key, and all that is needed to check whose it is."""

    version: Literal[1] = 1
    address: Address
    chain_id: int = Field(gt=0)
    subject: str = Field(min_length=1, max_length=128)
    wrapped: Annotated[
        bytes,
        BeforeValidator(_from_base64),
        PlainSerializer(_to_base64, return_type=str, when_used="json"),
        Field(repr=False, min_length=1),
    ]
    kms_key: KmsKeyArn | None = None
    """The KMS key that wrapped it; None of keys from before that was noted."""
    reassigned: Literal[True] | None = None
    """Whether it was wrapped for another user than the one it was made for. The one before is kept, so each
    has a name of its own."""

    @property
    def owner(self) -> str:
        """Return the user by whom its name tells it from the key before; empty if it was not reassigned."""
        return self.subject if self.reassigned else ""


class KeyStore(Protocol):
    """A store of wrapped keys. Each call is safe to repeat.

    Every method raises Unavailable or Throttled when the store does not serve.
    """

    name: StoreName

    def reference(self, chain_id: int, address: str, owner: str = "") -> str:
        """Return the name under which this store keeps the key of `address`.

        `owner` is the user that it was reassigned to, if it was.
        """
        ...

    def owns(self, reference: str) -> bool:
        """Tell whether `reference` is one of this store's."""
        ...

    async def create(self, key: StoredKey) -> str:
        """Keep a key and return its reference; one that is there already is left as it is."""
        ...

    async def read(self, reference: str) -> StoredKey:
        """Return a key; raises Rejected: `key_missing`, `key_deleting` or `key_unreadable`."""
        ...

    def references(self) -> AsyncIterator[str]:
        """Yield the reference of every key that is not being deleted, in no order."""
        ...

    async def replace(self, reference: str, *, old: StoredKey, new: StoredKey) -> None:
        """Put `new` in place of `old`; raises Conflict if it is no longer `old` that is there."""
        ...

    async def schedule_deletion(self, reference: str, *, days: int) -> None:
        """Make a key unreadable now, and delete it after `days` (7 to 30); nothing happens if it is gone."""
        ...

    async def restore(self, reference: str) -> None:
        """Make a key readable again; raises Rejected (`key_missing`) if it is gone."""
        ...


def key_missing(reference: str) -> Rejected:
    """Return the error for a reference that leads nowhere."""
    return Rejected("key_missing", f"No wrapped key is stored as {reference}.")


def key_deleting(reference: str) -> Rejected:
    """Return the error for a key that is about to be deleted."""
    return Rejected("key_deleting", f"The wrapped key {reference} is being deleted.")


def key_unreadable(reference: str) -> Rejected:
    """Return the error for a reference to something else than a wrapped key."""
    return Rejected("key_unreadable", f"What is stored as {reference} is no wrapped key.")


class KeyStores:
    """The stores of a deployment."""

    def __init__(self, *stores: KeyStore) -> None:
        self._stores = stores

    def named(self, name: StoreName) -> KeyStore:
        """Return a store by its name."""
        return next(store for store in self._stores if store.name == name)

    def all(self) -> tuple[KeyStore, ...]:
        """Return every store."""
        return self._stores

    def holding(self, reference: str) -> KeyStore:
        """Return the store that a reference points to; raises Rejected if it is none of them."""
        for store in self._stores:
            if store.owns(reference):
                return store
        raise key_missing(reference)

    def everywhere(self, key: KeyRef) -> list[tuple[KeyStore, str]]:
        """Return every place where this key may lie, the one that its reference names first."""
        holding = self.holding(key.secret_id)
        owner = key.subject if key.secret_id.endswith(owned("", key.subject)) else ""
        others = [
            (store, store.reference(key.chain_id, key.address, owner))
            for store in self._stores
            if store is not holding
        ]
        return [(holding, key.secret_id), *others]

    async def read(self, key: KeyRef) -> StoredKey:
        """Return a key from where its reference points, or from where it was moved to.

        Raises Rejected if it is nowhere, unreadable, or another key than the reference says.
        """
        (holding, reference), *others = self.everywhere(key)
        try:
            stored = await holding.read(reference)
        except Rejected as rejected:
            moved = None if rejected.code == "key_unreadable" else await _first(others)
            if moved is None:
                raise
            stored = moved
        if (stored.address, stored.subject, stored.chain_id) != (key.address, key.subject, key.chain_id):
            raise Rejected("key_mismatch", f"{key.secret_id} holds another key.")
        return stored


def owned(name: str, owner: str) -> str:
    """Return the name of a key that was reassigned to `owner`; without one, `name` as it is."""
    return f"{name}-{hashlib.sha256(owner.encode()).hexdigest()[:32]}" if owner else name


async def _first(places: Sequence[tuple[KeyStore, str]]) -> StoredKey | None:
    for store, reference in places:
        try:
            return await store.read(reference)
        except Rejected as rejected:
            if rejected.code == "key_unreadable":
                raise
    return None


class MemoryKeyStore:
    """Wrapped keys in a dict. `now` gives Unix seconds."""

    def __init__(self, name: StoreName, *, now: Callable[[], float]) -> None:
        self.name: StoreName = name
        self._now = now
        self.keys: dict[str, StoredKey] = {}
        self.deletions: dict[str, float] = {}

    def reference(self, chain_id: int, address: str, owner: str = "") -> str:
        """Return the key's name here."""
        return owned(f"{self.name}:{chain_id}#{address}", owner)

    def owns(self, reference: str) -> bool:
        """Tell whether the name begins with this store's."""
        return reference.startswith(f"{self.name}:")

    async def create(self, key: StoredKey) -> str:
        """Keep a key unless there is one."""
        reference = self.reference(key.chain_id, key.address, key.owner)
        if self._purged(reference) is None:
            self.keys[reference] = key
        return reference

    async def read(self, reference: str) -> StoredKey:
        key = self._purged(reference)
        if key is None:
            raise key_missing(reference)
        if reference in self.deletions:
            raise key_deleting(reference)
        return key

    async def references(self) -> AsyncIterator[str]:
        for reference in list(self.keys):
            if self._purged(reference) is not None and reference not in self.deletions:
                yield reference

    async def replace(self, reference: str, *, old: StoredKey, new: StoredKey) -> None:
        """Put another in a key's place."""
        if self._purged(reference) != old or reference in self.deletions:
            raise Conflict(f"{reference} has changed")
        self.keys[reference] = new

    async def schedule_deletion(self, reference: str, *, days: int) -> None:
        """Delete a key later."""
        if self._purged(reference) is not None:
            self.deletions.setdefault(reference, self._now() + days * DAY)

    async def restore(self, reference: str) -> None:
        """Delete a key not after all."""
        if self._purged(reference) is None:
            raise key_missing(reference)
        self.deletions.pop(reference, None)

    def _purged(self, reference: str) -> StoredKey | None:
        if self.deletions.get(reference, float("inf")) <= self._now():
            del self.keys[reference], self.deletions[reference]
        return self.keys.get(reference)
