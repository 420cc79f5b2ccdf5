"""Tokens, their owners and their metadata: what the index and the metadata store know."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mintline.errors import Unreadable
from mintline.metadata_versions import MINTED_VERSION
from mintline.records.collections import RegisteredContract
from mintline.records.index import Checkpoint, Token, Transfer
from mintline.records.operations import Mint
from mintline.tasks import results_of
from mintline_api.features.contracts.registry import CollectionRegistry
from mintline_api.features.items.supplies import ItemSupply, RecentSupplies
from mintline_api.features.metadata.use_cases import MetadataCache
from mintline_api.features.pages import Page, PageRequest
from mintline_api.features.tokens.ports import (
    BlockRange,
    CollectionPage,
    CountedToken,
    Index,
    MintedText,
    MintReader,
)
from mintline_api.features.tokens.problems import UNKNOWN_TOKEN
from mintline_api.http.problems import RequestRefused

MOST_COUNTED = 10_000
"""Tokens of one owner that are counted for a balance."""
_OBJECTS_AT_ONCE = 16
"""Metadata objects that one request reads at a time."""


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """A token with all that belongs to it."""

    token: Token
    supply: int | None
    item: ItemSupply | None
    """Where an ERC-1155 item of ours stands on chain, if a node says."""
    checkpoint: Checkpoint | None
    metadata: dict[str, Any] | None
    verified: bool | None
    version: int | None
    mint: Mint | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenReads:
    """What it takes to read tokens."""

    chain_id: int
    collections: CollectionRegistry
    index: Index
    metadata: MetadataCache
    mints: MintReader
    supplies: RecentSupplies


async def get_token(contract: str, token_id: int, *, reads: TokenReads) -> TokenFacts:
    """Return what is known of a token; raises RequestRefused if the index has not seen it minted."""
    collection = await reads.collections.known(contract)
    token, checkpoint = await asyncio.gather(reads.index.token(contract, token_id), reads.index.checkpoint())
    if token is None:
        raise unknown_token(contract, token_id)

    document, supply, item, mint = await asyncio.gather(
        _with_metadata(CountedToken(token), reads),
        _supply(token, reads.index),
        reads.supplies.of(
            collection, token_id, indexed=None if checkpoint is None else checkpoint.head_number
        ),
        _mint_of(token, reads.mints),
    )
    return TokenFacts(
        token=token,
        supply=supply,
        item=item,
        checkpoint=checkpoint,
        metadata=document.metadata,
        verified=document.verified,
        version=document.version,
        mint=mint,
    )


@dataclass(frozen=True, slots=True)
class ListedToken:
    """A token of a list; the rest is None unless it was asked for, too."""

    counted: CountedToken
    metadata: dict[str, Any] | None = None
    verified: bool | None = None
    version: int | None = None


async def _with_metadata(counted: CountedToken, reads: TokenReads) -> ListedToken:
    """Return a token with its latest metadata, and whether that has the digest on chain."""
    token = counted.token

    async def digest() -> bytes | None:
        return token.metadata_digest

    try:
        collection = await reads.collections.known(token.contract)
        current = await reads.metadata.current(collection, token.token_id, digest)
    except RequestRefused:
        return ListedToken(counted, verified=False)
    if current is None:
        return ListedToken(counted)
    minted = current.version == MINTED_VERSION
    return ListedToken(
        counted, json.loads(current.text), verified=True if minted else None, version=current.version
    )


async def minted_metadata(token: MintedText, reads: TokenReads) -> bytes | None:
    """Return the metadata that a token was minted with; raises RequestRefused if it was altered since."""

    async def digest() -> bytes | None:
        return token.metadata_digest

    return await reads.metadata.verified(token.contract, token.token_id, digest)


async def listed(tokens: Iterable[CountedToken], *, metadata: bool, reads: TokenReads) -> list[ListedToken]:
    """Return a list's tokens, each with its `metadata` if that is asked for."""
    if not metadata:
        return [ListedToken(token) for token in tokens]

    async def add_metadata(token: CountedToken) -> ListedToken:
        return await _with_metadata(token, reads)

    return await results_of(tokens, add_metadata, at_once=_OBJECTS_AT_ONCE)


async def _supply(token: Token, index: Index) -> int | None:
    """Return how much of an item is in circulation; None for a token of ERC-721."""
    return None if token.standard is None else await index.held(token.contract, token.token_id, None)


async def _mint_of(token: Token, mints: MintReader) -> Mint | None:
    """Return the mint of ours that made a token; None for an unreadable one, which hides no token."""
    if token.mint_id is None:
        return None
    with suppress(Unreadable):
        return await mints.get(token.mint_id)
    return None


async def get_transfers(
    contract: str, token_id: int, *, blocks: BlockRange, page: PageRequest, reads: TokenReads
) -> tuple[Page[Transfer], Checkpoint | None]:
    """Return a token's transfers, newest first; raises RequestRefused if the index has not seen it minted."""
    await reads.collections.known(contract)
    transfers, checkpoint = await asyncio.gather(
        reads.index.transfers(contract, token_id, blocks=blocks, limit=page.limit, after=page.after),
        reads.index.checkpoint(),
    )
    if not transfers.items and await reads.index.token(contract, token_id) is None:
        raise unknown_token(contract, token_id)
    return transfers, checkpoint


async def get_owned(
    owner: str, *, contract: str | None, page: PageRequest, reads: TokenReads
) -> tuple[Page[CountedToken], Checkpoint | None]:
    """Return an owner's tokens and items by contract and id."""
    if contract is not None:
        await reads.collections.known(contract)
    return await asyncio.gather(
        reads.index.tokens_of(owner, contract=contract, limit=page.limit, after=page.after),
        reads.index.checkpoint(),
    )


@dataclass(frozen=True, slots=True)
class Balance:
    """How many tokens of a collection an address owns, at least if there may be `more`."""

    tokens: int
    more: bool = False
    quantity: int | None = None
    """How much of the one token that was asked about."""


async def get_balance(
    owner: str, contract: str, token_id: int | None, *, reads: TokenReads
) -> tuple[Balance, Checkpoint | None]:
    """Return how many tokens of a collection an address owns, counted up to a bound, or how much of one."""
    collection = await reads.collections.known(contract)
    if token_id is not None:
        checkpoint = await reads.index.checkpoint()
        quantity = await _quantity(owner, collection, token_id, reads)
        return Balance(tokens=min(quantity, 1), quantity=quantity), checkpoint
    items = collection.standard == "erc1155"
    (tokens, more), checkpoint = await asyncio.gather(
        reads.index.balance(owner, contract, items=items, most=MOST_COUNTED), reads.index.checkpoint()
    )
    return Balance(tokens, more), checkpoint


async def _quantity(owner: str, collection: RegisteredContract, token_id: int, reads: TokenReads) -> int:
    """Return how much of a token an address has: of ERC-721 one or none."""
    if collection.standard == "erc1155":
        return await reads.index.held(collection.contract, token_id, owner)
    token = await reads.index.token(collection.contract, token_id)
    return int(token is not None and token.owner == owner)


async def holds(
    owner: str, contract: str, token_id: int | None, *, reads: TokenReads
) -> tuple[bool, Checkpoint | None]:
    """Tell whether an address owns a token of a collection, or a certain one."""
    collection = await reads.collections.known(contract)
    checkpoint = await reads.index.checkpoint()
    if token_id is not None:
        return await _quantity(owner, collection, token_id, reads) > 0, checkpoint
    items = collection.standard == "erc1155"
    tokens, _ = await reads.index.balance(owner, contract, items=items, most=1)
    return tokens > 0, checkpoint


async def get_collection_tokens(
    contract: str, *, limit: int, after: int | None, reads: TokenReads
) -> tuple[CollectionPage, Checkpoint | None]:
    """Return a collection's tokens by id, burned ones too."""
    collection = await reads.collections.known(contract)
    listing = reads.index.items_in if collection.standard == "erc1155" else reads.index.tokens_in
    return await asyncio.gather(listing(contract, limit=limit, after=after), reads.index.checkpoint())


def unknown_token(contract: str, token_id: int) -> RequestRefused:
    """Return the refusal of a token that the index has not seen minted."""
    return RequestRefused(UNKNOWN_TOKEN, f"Token {token_id} of {contract} not found in the index.")
