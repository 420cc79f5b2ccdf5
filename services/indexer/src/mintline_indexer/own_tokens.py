"""Which token is a mint's own: the one on its record, for its recipient, with its metadata's digest.

A transaction, or a token id, that leads to a mint proves nothing by itself: a queue's writer may have had
them recorded, and another issuer may have minted the id for someone else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mintline.records.operations import Mint
from mintline.states import MintStatus
from mintline_indexer.chain_port import Event, ItemMintedEvent, MintedEvent, TransferEvent
from mintline_indexer.store_port import TokenKey


@dataclass(frozen=True, slots=True)
class MintedToken:
    """A token as the chain made it; of an item, what one mint made of it."""

    event: TransferEvent | ItemMintedEvent
    digest: bytes | None = None
    """The metadata digest that it was made with."""

    def belongs_to(self, mint: Mint) -> bool:
        """Tell whether this is the token that the mint's record names."""
        event = self.event
        own = (mint.contract, mint.token_id, mint.to, mint.metadata_digest)
        if isinstance(event, ItemMintedEvent):
            item = (event.token_id, event.quantity)
            minted = (event.contract, event.serial, event.recipient, self.digest)
            return own == minted and item == (mint.item_id, mint.quantity)
        return mint.item_id is None and own == (event.contract, event.token_id, event.recipient, self.digest)


@dataclass(frozen=True, slots=True)
class RefusedOutcome:
    """A transaction or token that led to a mint whose record says otherwise."""

    mint_id: str | None
    """None if it led to no mint on record."""
    status: MintStatus | None
    """None if there is no such mint."""
    tx_hash: bytes
    block_number: int


def minted_tokens(effects: Sequence[object]) -> dict[TokenKey, MintedToken]:
    """Return the tokens that were made in a block's effects; `Minted` follows `Transfer`.

    What is minted of an item goes by the mint's serial: no collection of items has tokens beside them.
    """
    minted: dict[TokenKey, MintedToken] = {}
    for effect in effects:
        if isinstance(effect, TransferEvent) and effect.sender is None:
            minted[key_of(effect)] = MintedToken(effect)
        elif isinstance(effect, ItemMintedEvent):
            minted[TokenKey(effect.contract, effect.serial)] = MintedToken(effect, effect.metadata_digest)
        elif isinstance(effect, MintedEvent):
            token = minted.get(key_of(effect))
            if token is not None and token.event.tx_hash == effect.tx_hash:
                minted[key_of(effect)] = MintedToken(token.event, effect.metadata_digest)
    return minted


def key_of(event: Event) -> TokenKey:
    """Return the token that an event is about."""
    return TokenKey(event.contract, event.token_id)


def own_token(mint: Mint, minted: Mapping[TokenKey, MintedToken]) -> MintedToken | None:
    """Return the mint's own token if it is among those that were made."""
    if mint.token_id is None:
        return None
    token = minted.get(TokenKey(mint.contract, mint.token_id))
    return token if token is not None and token.belongs_to(mint) else None
