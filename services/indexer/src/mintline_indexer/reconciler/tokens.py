"""Compares minted tokens with the records of their mints, and the index with both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mintline.records.index import Token
from mintline.records.operations import Mint
from mintline_indexer.chain_port import (
    ItemMintedEvent,
)
from mintline_indexer.reconciler.books import ENDED_BADLY, SETTLED, Books, Minted
from mintline_indexer.reconciler.findings import Finding, Kind
from mintline_indexer.reconciler.operations import how_it_ended
from mintline_indexer.store_port import TokenKey

NAMED = 3
"""Tokens of one transaction that a finding names."""


def findings_of_minted(
    books: Books,
    minted: Mapping[TokenKey, Minted],
    tokens: Mapping[TokenKey, Token],
    by_token: Mapping[TokenKey, Sequence[Mint]],
    by_transaction: Mapping[bytes, Mapping[int | None, Mint]],
) -> Iterator[Finding]:
    """Compare each token that was minted with the mints of its id and of its transaction."""
    for key, minting in minted.items():
        event = minting.event
        if event.block_number < books.first:
            continue
        about: dict[str, Any] = {**key._asdict(), "block": event.block_number}
        senders = by_transaction.get(event.tx_hash, {})
        mints = by_token.get(key, ())
        if senders and key.token_id not in senders:
            named = list(senders.items())[:NAMED]
            detail = f"its transaction was to mint token {' and '.join(str(each) for each, _ in named)}"
            yield Finding(Kind.DOUBLED, detail, mint_id=named[0][1].mint_id, **about)
        if event.block_number > books.head:
            yield Finding(Kind.NOT_INDEXED_YET, f"the index was at block {books.head}", **about)
        elif event.block_number > books.last:
            continue
        elif (maker := _maker(mints, minting)) is not None:
            yield from _of_outcome(maker, minting, about)
            yield from _others(mints, maker, about)
        elif mints or not senders:
            yield from _foreign(minting, mints, tokens.get(key), about)


def _maker(mints: Sequence[Mint], minting: Minted) -> Mint | None:
    """Return which of the mints with a token's id made it, None if none did.

    That is the mint whose recipient and digest the token has, or else one that is recorded as mined: its
    record is what is wrong then. Of several it is the one that names the token's transaction.
    """
    event = minting.event

    def order(mint: Mint) -> tuple[bool, bool, bool, bool]:
        settled = mint.status in SETTLED
        return (
            not _owns(mint, minting),
            mint.tx_hash != event.tx_hash,
            not settled,
            mint.status in ENDED_BADLY,
        )

    first = min(mints, key=order, default=None)
    return first if first is not None and (_owns(first, minting) or first.status in SETTLED) else None


def _owns(mint: Mint, minting: Minted) -> bool:
    return (minting.event.recipient, minting.digest) == (mint.to, mint.metadata_digest) and _is_of_item(
        mint, minting
    )


def _is_of_item(mint: Mint, minting: Minted) -> bool:
    """Tell whether a mint's item and quantity are those that were minted; it has none in ERC-721."""
    event = minting.event
    of = (event.token_id, event.quantity) if isinstance(event, ItemMintedEvent) else (None, None)
    return of == (mint.item_id, mint.quantity)


def _others(mints: Sequence[Mint], maker: Mint, about: Mapping[str, Any]) -> Iterator[Finding]:
    """Tell of the mints that have the same token id as the one that made the token."""
    for mint in mints:
        if mint is maker:
            continue
        kind = Kind.DOUBLED if mint.status in SETTLED else Kind.REUSED_ID
        yield Finding(kind, f"{how_it_ended(mint)}; {maker.mint_id} made it", mint_id=mint.mint_id, **about)


def _foreign(
    minting: Minted, mints: Sequence[Mint], token: Token | None, about: Mapping[str, Any]
) -> Iterator[Finding]:
    """Tell of a token that no mint on record made, and of those that have its id."""
    detail = f"in transaction 0x{minting.event.tx_hash.hex()}"
    if token is not None and token.mint_id is not None:
        detail += f"; the index names {token.mint_id}"
        if token.mint_id not in {mint.mint_id for mint in mints}:
            for mint in mints:
                yield Finding(Kind.REUSED_ID, how_it_ended(mint), mint_id=mint.mint_id, **about)
            yield Finding(Kind.FOREIGN, f"{detail}, which is not on record", **about)
            return
    names = " and ".join(
        f"{mint.mint_id}, which is {mint.status.value} and did not make it" for mint in mints
    )
    yield Finding(Kind.FOREIGN, f"{detail}; its id is that of {names}" if names else detail, **about)


def _of_outcome(mint: Mint, minting: Minted, about: Mapping[str, Any]) -> Iterator[Finding]:
    """Compare the record of the mint that made a token with it; `about` tells of the token."""
    event = minting.event
    about = {**about, "mint_id": mint.mint_id}
    if mint.status in ENDED_BADLY:
        yield Finding(Kind.MISJUDGED, how_it_ended(mint), **about)
    elif mint.status not in SETTLED:
        yield Finding(Kind.UNSETTLED, mint.status.value, **about)
    elif (mint.tx_hash, mint.block_hash) != (event.tx_hash, event.block_hash):
        detail = f"it was made in block 0x{event.block_hash.hex()} by 0x{event.tx_hash.hex()}"
        yield Finding(Kind.WRONG_TRANSACTION, detail, **about)
    if event.recipient != mint.to:
        yield Finding(Kind.WRONG_RECIPIENT, f"{event.recipient}, not {mint.to}", **about)
    if not _is_of_item(mint, minting):
        yield Finding(Kind.WRONG_ITEM, f"not {mint.quantity} of item {mint.item_id}", **about)
    if minting.digest != mint.metadata_digest:
        digest = "none" if minting.digest is None else f"0x{minting.digest.hex()}"
        yield Finding(Kind.WRONG_METADATA, f"{digest}, not 0x{mint.metadata_digest.hex()}", **about)


def findings_of_index(
    books: Books,
    minted: Mapping[TokenKey, Minted],
    tokens: Mapping[TokenKey, Token],
    by_token: Mapping[TokenKey, Sequence[Mint]],
) -> Iterator[Finding]:
    """Compare the index with what was minted."""
    for key, minting in minted.items():
        event = minting.event
        block = event.block_number
        indexed = TokenKey(event.contract, event.token_id)
        if books.covers(block) and indexed not in tokens:
            detail = f"in transaction 0x{minting.event.tx_hash.hex()}"
            yield Finding(Kind.NOT_INDEXED, detail, **key._asdict(), block=block)
    for key, token in tokens.items():
        if token.standard == "erc1155" or not books.covers(token.minted_block):
            # An item has no owner and no mint of its own.
            continue
        about: dict[str, Any] = {**key._asdict(), "block": token.minted_block, "mint_id": token.mint_id}
        on_chain = minted.get(key)
        if on_chain is None:
            yield Finding(Kind.PHANTOM, f"by transaction 0x{token.tx_hash.hex()}", **about)
            continue
        owner = on_chain.owner(books.last)
        if token.block_number <= books.last and owner != token.owner:
            yield Finding(Kind.WRONG_OWNER, f"{token.owner}, not {owner}", **about)
        maker = _maker(by_token.get(key, ()), on_chain)
        if maker is not None and token.mint_id not in (None, maker.mint_id):
            yield Finding(Kind.WRONG_MINT, f"not {maker.mint_id}", **about)
