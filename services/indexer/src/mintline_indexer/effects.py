"""What a block does to the index: its effects in order, and what is known of the records they touch.

An effect is one step of a block, in the order of the chain: each event, and after the events of each
transaction that may be ours, its end. Their order depends on the block and the followed contracts
alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from mintline.errors import Unavailable
from mintline.records.index import Balance, Token
from mintline.records.transactions import TransactionKey
from mintline.states import MintStatus
from mintline_indexer.chain_port import Event, TransferEvent
from mintline_indexer.own_tokens import RefusedOutcome
from mintline_indexer.store_port import BalanceKey, Outcome, TokenKey, TransactionResult
from mintline_indexer.writes import TransferKey

UNREADABLE = "what is stored is not valid"
"""Why a token is unusable that a store left out of its answer; `record_set_aside` says more."""


@dataclass(frozen=True, slots=True)
class TransactionEnded:
    """A transaction that may carry operations of ours has ended; `emitted` if it left events of ours."""

    block_number: int
    block_hash: bytes
    tx_hash: bytes
    emitted: bool


Effect: TypeAlias = Event | TransactionEnded


def effects_of_block(
    number: int,
    block_hash: bytes,
    events: Sequence[Event],
    transactions: Sequence[bytes],
    ended: Collection[bytes],
) -> tuple[Effect, ...]:
    """Return a block's effects in order; `transactions` are the block's hashes, `ended` those maybe ours.

    Raises Unavailable if the events are not of these transactions: the node's answers do not fit together.
    """
    by_transaction: dict[bytes, list[Event]] = {}
    for event in events:
        if event.block_hash != block_hash:
            raise Unavailable(f"the node gave events of another block for block {number}")
        by_transaction.setdefault(event.tx_hash, []).append(event)
    effects: list[Effect] = []
    for tx_hash in transactions:
        tx_events = sorted(by_transaction.pop(tx_hash, []), key=lambda event: event.log_index)
        effects += tx_events
        if tx_hash in ended:
            effects.append(TransactionEnded(number, block_hash, tx_hash, emitted=bool(tx_events)))
    if by_transaction:
        raise Unavailable(f"the node gave events of transactions that block {number} does not hold")
    return tuple(effects)


@dataclass(slots=True)
class Facts:
    """What is known of the records that some effects touch.

    `tokens` and `balances` are what is stored before the effects. The tokens in `assumed_new` were not
    read: a mint's token does not exist before it, which the write itself checks.
    """

    chain_id: int
    timestamps: Mapping[bytes, int]
    """Of each block by its hash, in Unix seconds."""
    tokens: dict[TokenKey, Token | None] = field(default_factory=dict)
    balances: dict[BalanceKey, Balance | None] = field(default_factory=dict)
    assumed_new: set[TokenKey] = field(default_factory=set)
    owned: dict[TokenKey, str] = field(default_factory=dict)
    """The mint of each token that is a mint's own."""
    results: dict[bytes, TransactionResult] = field(default_factory=dict)
    """What to write on the record of each transaction of ours, if anything is due."""
    outcomes: dict[bytes, tuple[Outcome, ...]] = field(default_factory=dict)
    """The outcomes to write with each transaction on mints' own records."""
    redeemed: dict[TokenKey, Outcome] = field(default_factory=dict)
    """The outcome to write with each token that a transaction unknown to us made for a mint."""
    refused: list[RefusedOutcome] = field(default_factory=list)
    """What led to a mint, and is not its own: reported, and nothing else."""

    unusable_tokens: dict[TokenKey, str] = field(default_factory=dict)
    """Tokens that cannot be read or written as they are, with the reason; so of the others."""
    unusable_balances: dict[BalanceKey, str] = field(default_factory=dict)
    unusable_transfers: dict[TransferKey, str] = field(default_factory=dict)
    unusable_mints: dict[str, str] = field(default_factory=dict)
    unusable_transactions: dict[TransactionKey, str] = field(default_factory=dict)

    def ended(self) -> list[Ended]:
        """Return what comes of every operation that is decided."""
        results = (result for result in self.results.values() if result.key not in self.unusable_transactions)
        ended = [Ended(each, result.status, result.trace) for result in results for each in result.operations]
        outcomes = [*(each for some in self.outcomes.values() for each in some), *self.redeemed.values()]
        written = (outcome for outcome in outcomes if outcome.mint_id not in self.unusable_mints)
        return ended + [Ended(outcome.mint_id, outcome.status, outcome.trace) for outcome in written]


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of an operation, and the trace of the attempt that decided it, or empty."""

    mint_id: str
    status: MintStatus
    trace: str


def first_touches(effects: Sequence[Effect]) -> tuple[list[TokenKey], set[TokenKey]]:
    """Return the tokens to read before the effects can be folded, and those that a mint makes."""
    read: list[TokenKey] = []
    minted: set[TokenKey] = set()
    seen: set[TokenKey] = set()
    for effect in effects:
        if isinstance(effect, TransactionEnded):
            continue
        key = TokenKey(effect.contract, effect.token_id)
        if key in seen:
            continue
        seen.add(key)
        if isinstance(effect, TransferEvent) and effect.sender is None:
            minted.add(key)
        else:
            read.append(key)
    return read, minted
