"""The chain as the indexer reads it: values, and the protocol that `node_chain` and `memory` implement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from mintline.chain.collection import MINTED_TOPIC, TRANSFER_TOPIC
from mintline.chain.multi_token import ITEM_MINTED_TOPIC
from mintline.chain.multi_token_transfers import TRANSFER_TOPICS
from mintline.errors import MintlineError
from mintline.records.problems import Problem

TOPICS = (TRANSFER_TOPIC, MINTED_TOPIC, *TRANSFER_TOPICS, ITEM_MINTED_TOPIC)
"""The topics of the events that are read: by them blocks are passed over, and nodes asked."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A block: its number, its hash (32 bytes) and its timestamp in Unix seconds."""

    number: int
    hash: bytes
    timestamp: int


@dataclass(frozen=True, slots=True)
class BlockTransaction:
    """A transaction of a block; `to` is checksummed, None for a deployment."""

    hash: bytes
    to: str | None


@dataclass(frozen=True, slots=True)
class Block:
    """A block; `transactions` is None when only the header was asked for."""

    number: int
    hash: bytes
    parent_hash: bytes
    timestamp: int
    logs_bloom: bytes
    transactions: tuple[BlockTransaction, ...] | None = None

    def ref(self) -> Ref:
        """Return the block's number, hash and timestamp."""
        return Ref(self.number, self.hash, self.timestamp)


@dataclass(frozen=True, slots=True)
class TransferEvent:
    """An ERC-721 `Transfer` event; `sender` is None for a mint, `recipient` None for a burn."""

    block_number: int
    block_hash: bytes
    tx_hash: bytes
    log_index: int
    contract: str
    token_id: int
    sender: str | None
    recipient: str | None


@dataclass(frozen=True, slots=True)
class MintedEvent:
    """The collection's `Minted` event: the digest of a new token's metadata."""

    block_number: int
    block_hash: bytes
    tx_hash: bytes
    log_index: int
    contract: str
    token_id: int
    metadata_digest: bytes


@dataclass(frozen=True, slots=True)
class ItemTransferEvent:
    """What an event of ERC-1155 moves of one item; `sender` is None for a mint, `recipient` None for a burn.

    Several have the same `log_index` if one event moves several items; none of the same item.
    """

    block_number: int
    block_hash: bytes
    tx_hash: bytes
    log_index: int
    contract: str
    token_id: int
    sender: str | None
    recipient: str | None
    quantity: int


@dataclass(frozen=True, slots=True)
class ItemMintedEvent:
    """The collection's `ItemMinted` event, before the transfer: by its serial it is one mint's own."""

    block_number: int
    block_hash: bytes
    tx_hash: bytes
    log_index: int
    contract: str
    serial: int
    token_id: int
    recipient: str
    quantity: int
    metadata_digest: bytes


Event: TypeAlias = TransferEvent | MintedEvent | ItemTransferEvent | ItemMintedEvent


@dataclass(frozen=True, slots=True)
class Tips:
    """The chain's newest block and its newest final block, as headers."""

    latest: Block
    finalized: Block


@dataclass(frozen=True, slots=True)
class TransactionOutcome:
    """How a mined transaction ended; `problem` says why it failed, None when it did not."""

    block_hash: bytes
    problem: Problem | None
    revert: str = ""
    """The name of the contract's error, if it gave one that is known."""


class RangeTooWide(MintlineError):  # noqa: N818 - a fact about the request, by which the range is split
    """The node will not return the events of so many blocks at once."""


class ChainReader(Protocol):
    """One view of one chain, through one node or several. Every method may raise Unavailable."""

    @property
    def several(self) -> bool:
        """Whether there is more than one node to ask."""
        ...

    async def confirmed(self, block: Ref) -> bool:
        """Tell whether more than half of the nodes have this block at its height; quarantine the others.

        False if no majority decides.
        """
        ...

    async def tips(self) -> Tips:
        """Return the newest and the newest final block."""
        ...

    async def block(self, ref: int | bytes, *, full: bool) -> Block | None:
        """Return a block by number or hash, with its transactions if `full`; None if the node has none."""
        ...

    async def events(self, block_hash: bytes, contracts: Sequence[str]) -> Sequence[Event]:
        """Return the events of one block, by its hash, in order."""
        ...

    async def events_from_receipts(self, block: Block, contracts: Sequence[str]) -> Sequence[Event]:
        """Return the same by way of the receipts: slower, and the last word when `events` is suspect."""
        ...

    async def events_between(self, first: int, last: int, contracts: Sequence[str]) -> Sequence[Event]:
        """Return the events of a range of blocks, both ends included, in order; raises RangeTooWide."""
        ...

    async def item_balances(
        self, contract: str, held: Sequence[tuple[str, int]], *, block: int
    ) -> Sequence[int] | None:
        """Return how much each holder has of an item after a block (ERC-1155's `balanceOfBatch`).

        None if the contract, or the node, does not answer that.
        """
        ...

    async def outcome(self, tx_hash: bytes) -> TransactionOutcome | None:
        """Return how a mined transaction ended, None if the node does not know it as mined."""
        ...
