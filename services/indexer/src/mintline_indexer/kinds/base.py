"""What the indexer asks of each kind of transaction: what it did for an operation that it names."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from mintline.records.operations import Operation
from mintline.records.problems import Problem
from mintline.states import MintStatus
from mintline_indexer.chain_port import ItemTransferEvent, TransactionOutcome, TransferEvent
from mintline_indexer.own_tokens import MintedToken, minted_tokens
from mintline_indexer.store_port import TokenKey


@dataclass(frozen=True, slots=True)
class TokenChanges:
    """What transactions did to tokens, by the events of the blocks at hand."""

    minted: Mapping[TokenKey, MintedToken]
    moves: Mapping[bytes, Sequence[TransferEvent]]
    """The transfers of tokens that were there before, by their transaction."""
    item_moves: Mapping[bytes, Sequence[ItemTransferEvent]] = field(default_factory=dict)
    """The transfers and burns of items, by their transaction."""

    @classmethod
    def of(cls, effects: Sequence[object]) -> TokenChanges:
        """Return the token changes of blocks, by their effects in order."""
        moves: dict[bytes, list[TransferEvent]] = {}
        item_moves: dict[bytes, list[ItemTransferEvent]] = {}
        for effect in effects:
            if isinstance(effect, TransferEvent) and effect.sender is not None:
                moves.setdefault(effect.tx_hash, []).append(effect)
            elif isinstance(effect, ItemTransferEvent) and effect.sender is not None:
                item_moves.setdefault(effect.tx_hash, []).append(effect)
        return cls(minted_tokens(effects), moves, item_moves)


class IndexedKind(ABC):
    """A kind of transaction, as the index sees it when one has ended."""

    makes_tokens: ClassVar[bool] = False
    """Whether its operations are mints: the token of each is marked as the mint's."""
    by_receipt: ClassVar[bool] = False
    """Whether its receipt tells that it did what it was for: it leaves no events that are read here."""
    when_failed: ClassVar[MintStatus | None] = MintStatus.REVERTED
    """What an operation is by its transaction's failure on chain; None if that ends none."""

    @abstractmethod
    def did(self, operation: Operation, tx_hash: bytes, changes: TokenChanges) -> bool:
        """Tell whether a transaction did what an operation asked for."""

    def problem(self, ended: TransactionOutcome) -> Problem | None:
        """Return why a transaction failed, None if it did not."""
        return ended.problem
