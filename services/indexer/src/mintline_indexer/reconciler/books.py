"""Everything that a reconciliation compares.

What may be read at different moments is compared only up to the block that the index had
reached before anything else was read: up to there, records and chain must agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mintline.clock import UnixSeconds
from mintline.records.index import Token, Transfer
from mintline.records.operations import Mint, TokenOperation
from mintline.states import MintStatus
from mintline_indexer.chain_port import (
    Event,
    ItemMintedEvent,
    TransferEvent,
)
from mintline_indexer.reconciler.findings import Finding
from mintline_indexer.reconciler.item_balances import NOTHING_HELD, HeldItems

SETTLED = (MintStatus.MINED, MintStatus.FINALIZED)
ENDED_BADLY = (MintStatus.REJECTED, MintStatus.REVERTED)
ENDED = (*SETTLED, *ENDED_BADLY)


@dataclass(frozen=True, slots=True)
class Books:
    """Everything that is compared, in the order in which it was read.

    `first` and `last` are the range of blocks; `last` is at most the head that the index had before. `now` is
    in Unix seconds, `patience` in seconds.
    """

    first: int
    last: int
    head: int
    mints: Sequence[Mint]
    tokens: Sequence[Token]
    events: Sequence[Event]
    """Of all blocks from `first` on that were there when they were read, in order."""
    now: UnixSeconds
    patience: float
    token_operations: Sequence[TokenOperation] = ()
    transfers: Sequence[Transfer] = ()
    """What the index has of the events by which these were done."""
    held: HeldItems = NOTHING_HELD
    """Balances of items by the index and by the chain."""
    unreadable: Sequence[Finding] = ()
    """What is stored and could not be read: it is missing from the others."""

    def covers(self, block: int) -> bool:
        """Tell whether a block is in the range."""
        return self.first <= block <= self.last


@dataclass(slots=True)
class Minted:
    """A token as the chain tells it; of an item, what one mint made of it, by the mint's serial."""

    event: TransferEvent | ItemMintedEvent
    moves: list[TransferEvent] = field(default_factory=list)
    digest: bytes | None = None

    def owner(self, block: int) -> str | None:
        """Return its owner after a block, None if it is burned."""
        return next(
            (move for move in reversed(self.moves) if move.block_number <= block), self.event
        ).recipient
