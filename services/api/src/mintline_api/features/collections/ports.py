"""What collections need from storage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from mintline.authorizations import Authorization
from mintline.errors import Conflict
from mintline.metadata_versions import MetadataVersion
from mintline.records.collections import Collection, RegisteredContract
from mintline.records.index import Checkpoint
from mintline.records.operations import CollectionCall, CollectionDeployment, Operation
from mintline_api.features.contracts.ports import CollectionStore
from mintline_api.features.pages import Page


class ChangedMeanwhile(Conflict):
    """The collection's record is not as it was read: another change was accepted, or the indexer moved it."""


class CollectionIndex(CollectionStore, Protocol):
    """The registered collections, and how far the index of their tokens has come."""

    async def checkpoint(self) -> Checkpoint | None:
        """Return how far the index has come; None before its first block."""
        ...


class ManagedCollections(CollectionIndex, Protocol):
    """The collections, and the operations that make and change them."""

    async def deploy(
        self, collection: Collection, deployment: CollectionDeployment, authorization: Authorization
    ) -> CollectionDeployment | None:
        """Create a collection's record together with the operation that deploys it, or neither.

        Return None if created, else the operation of this id that was there.
        """
        ...

    async def change(
        self,
        before: RegisteredContract,
        after: RegisteredContract,
        call: CollectionCall,
        authorization: Authorization,
        *,
        version: MetadataVersion | None = None,
    ) -> CollectionCall | None:
        """Put a change on a collection's record together with its operation, or neither.

        With a `version` of a token's metadata, if the change brings one. Return None if done, else the
        operation of this id that was there. Raises ChangedMeanwhile if the pending change on record is not
        that of `before`, or the token has that version.
        """
        ...

    async def register(self, collection: Collection) -> RegisteredContract | None:
        """Create the record of a contract that others deployed; return None if created, else the record."""
        ...

    async def made_by(self, principal: str, *, limit: int, after: str | None) -> Page[RegisteredContract]:
        """Return the collections that a client made, newest first; lags behind `deploy` by moments.

        One whose record is unreadable is left out.
        """
        ...

    async def operation(self, operation_id: str) -> Operation | None:
        """Return an operation of any kind as it is now."""
        ...

    async def operations(self, operation_ids: Sequence[str]) -> dict[str, Operation]:
        """Return those operations that exist and are readable, by id."""
        ...


class Reserved(NamedTuple):
    """Tokens that drops have reserved and that are not known to be minted."""

    tokens: int
    under_way: int
    """Those of lines that were handed on: the chain may have minted them by now."""


class ReservedTokens(Protocol):
    """What is reserved of collections' supply caps, and not minted."""

    async def tokens(self, contract: str, *, without: str | None, fresh: bool) -> Reserved:
        """Return how many tokens of a collection are reserved for drops, but for the drop `without`.

        Not `fresh`: as it was up to two seconds ago.
        """
        ...


class CollectionMetadataStore(Protocol):
    """The collections' own metadata (ERC-7572)."""

    async def publish(self, key: str, body: bytes) -> None:
        """Store an object whose key holds its digest: a copy stored before is the same."""
        ...
