"""What tokens need from the index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mintline.records.index import Checkpoint, Token, Transfer
from mintline.records.operations import Mint
from mintline_api.features.pages import Page

LAST_BLOCK = 10**12 - 1
"""The highest block that a position has room for."""


@dataclass(frozen=True, slots=True)
class BlockRange:
    """Blocks from `first` to `last`, both included."""

    first: int = 0
    last: int = LAST_BLOCK


EVERY_BLOCK = BlockRange()


@dataclass(frozen=True, slots=True)
class CountedToken:
    """A token, and of an item of ERC-1155 how much there is."""

    token: Token
    supply: int | None = None
    """How much of the item is in circulation; None for ERC-721."""
    quantity: int | None = None
    """How much of it the owner has whose tokens these are; None for ERC-721, and in other lists."""


class MintedText(Protocol):
    """A token as far as the metadata that it was minted with goes."""

    @property
    def contract(self) -> str:
        """The collection."""
        ...

    @property
    def token_id(self) -> int:
        """Its id."""
        ...

    @property
    def metadata_digest(self) -> bytes | None:
        """SHA-256 of that metadata; None if it is unknown."""
        ...


@dataclass(frozen=True, slots=True)
class CollectionPage:
    """Some of a collection's tokens; `after` is the id that the list goes on after, None at its end."""

    tokens: tuple[CountedToken, ...]
    after: int | None


class Index(Protocol):
    """What the indexer knows of the chain."""

    async def checkpoint(self) -> Checkpoint | None:
        """Return how far the index has come; None before its first block."""
        ...

    async def token(self, contract: str, token_id: int) -> Token | None:
        """Return a token that was ever minted."""
        ...

    async def tokens_of(
        self, owner: str, *, contract: str | None, limit: int, after: str | None
    ) -> Page[CountedToken]:
        """Return an owner's tokens and items by contract and id."""
        ...

    async def balance(self, owner: str, contract: str, *, most: int, items: bool = False) -> tuple[int, bool]:
        """Return how many tokens of a collection an address owns, at most `most`, and whether it has more.

        Of a collection of `items` it is how many different ones.
        """
        ...

    async def held(self, contract: str, token_id: int, holder: str | None) -> int:
        """Return how much of an item an address has; without one, how much is in circulation."""
        ...

    async def tokens_in(self, contract: str, *, limit: int, after: int | None) -> CollectionPage:
        """Return a collection's tokens by id, burned ones too: those whose ids were given out for mints."""
        ...

    async def items_in(self, contract: str, *, limit: int, after: int | None) -> CollectionPage:
        """Return the items of an ERC-1155 collection by id, those of which nothing is left too."""
        ...

    async def transfers(
        self,
        contract: str,
        token_id: int,
        *,
        limit: int,
        after: str | None,
        blocks: BlockRange = EVERY_BLOCK,
    ) -> Page[Transfer]:
        """Return a token's transfers within a range of blocks, newest first."""
        ...


class MintReader(Protocol):
    """The mints that made tokens."""

    async def get(self, mint_id: str) -> Mint | None:
        """Return the mint as it is now."""
        ...
