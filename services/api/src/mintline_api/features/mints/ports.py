"""What mints need from storage."""

from __future__ import annotations

from typing import Protocol

from mintline.records.operations import Mint
from mintline_api.features.operations.ports import OperationStore
from mintline_api.features.pages import Page


class MintStore(OperationStore, Protocol):
    """The mints, among the operations."""

    async def get(self, mint_id: str) -> Mint | None:
        """Return the mint as it is now."""
        ...

    async def ids_of(self, sub: str, *, limit: int, after: str | None) -> Page[str]:
        """Return a user's mint ids, newest first; may lag behind `create` by moments."""
        ...

    async def ids_of_client(self, client_id: str, *, limit: int, after: str | None) -> Page[str]:
        """Return the ids of a machine client's mints, newest first; may lag behind `create` by moments."""
        ...

    async def id_by_external_id(self, asked_by: str, external_id: str) -> str | None:
        """Return the id of the mint that a principal created under an external id."""
        ...

    async def highest_token_id(self, contract: str, ids: range) -> int | None:
        """Return the highest of `ids` that a collection's newest open mints have; None if they have none."""
        ...


class TokenIdCounter(Protocol):
    """The collections' counters of token ids; all raise RequestRefused for an unregistered contract."""

    async def upcoming(self, contract: str) -> int:
        """Return the token id with which the next lease begins."""
        ...

    async def lease(self, contract: str, count: int) -> int:
        """Take `count` token ids and return the first."""
        ...

    async def advance(self, contract: str, to: int) -> None:
        """Have the next lease begin with `to`, unless it begins with a higher one."""
        ...


class UsedTokenIds(Protocol):
    """Records by which token ids are known that were given out."""

    async def highest_token_id(self, contract: str, ids: range) -> int | None:
        """Return the highest of `ids` that is known to be in use in a collection; None if none is."""
        ...
