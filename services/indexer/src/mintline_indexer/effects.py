"""From a block's events to what is written: pure functions, no port.

An effect is one step of a block, in the order of the chain: each event, and after the events of each
transaction that may be ours, its end. Their order depends on the block and the followed contracts
alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from mintline.errors import Unavailable
from mintline.records.index import Balance, Token, Transfer
from mintline.records.keys import position
from mintline.records.transactions import Place
from mintline.resource_types import Table
from mintline.resources import BALANCES, MINTS, TOKENS, TRANSACTIONS, TRANSFERS
from mintline.states import MintStatus
from mintline_indexer.chain_port import (
    Event,
    ItemMintedEvent,
    ItemTransferEvent,
    MintedEvent,
    TransferEvent,
)
from mintline_indexer.item_balances import BalanceCount, balances_of
from mintline_indexer.own_tokens import RefusedOutcome
from mintline_indexer.store_port import (
    Aside,
    BalanceKey,
    Outcome,
    PriorBalance,
    PriorToken,
    TokenKey,
    TokenWrite,
    TransactionResult,
    Write,
)
from mintline_indexer.writes import TransferKey, transfer_key

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
        found = sorted(by_transaction.pop(tx_hash, []), key=lambda event: event.log_index)
        effects += found
        if tx_hash in ended:
            effects.append(TransactionEnded(number, block_hash, tx_hash, emitted=bool(found)))
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
    """What led to a mint, and is not its own: told of, and nothing else."""

    unusable_tokens: dict[TokenKey, str] = field(default_factory=dict)
    """Tokens that cannot be read or written as they are, with the reason; so of the others."""
    unusable_balances: dict[BalanceKey, str] = field(default_factory=dict)
    unusable_transfers: dict[TransferKey, str] = field(default_factory=dict)
    unusable_mints: dict[str, str] = field(default_factory=dict)
    unusable_transactions: dict[Place, str] = field(default_factory=dict)

    def ended(self) -> list[Ended]:
        """Return what comes of every operation that is decided."""
        results = (one for one in self.results.values() if one.place not in self.unusable_transactions)
        found = [Ended(each, one.status, one.trace) for one in results for each in one.operations]
        outcomes = [*(each for some in self.outcomes.values() for each in some), *self.redeemed.values()]
        written = (outcome for outcome in outcomes if outcome.mint_id not in self.unusable_mints)
        return found + [Ended(outcome.mint_id, outcome.status, outcome.trace) for outcome in written]


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of an operation, and the trace of the attempt that decided it, or empty."""

    mint_id: str
    status: MintStatus
    trace: str


@dataclass(frozen=True, slots=True)
class BlockChanges:
    """What effects change, and the tokens and balances as they were before."""

    before: tuple[PriorToken, ...]
    write: Write
    aside: tuple[Aside, ...] = ()
    balances: tuple[PriorBalance, ...] = ()


def first_touches(effects: Sequence[Effect]) -> tuple[list[TokenKey], set[TokenKey]]:
    """Return the tokens to read before the effects can be folded, and those that a mint makes."""
    read: list[TokenKey] = []
    made: set[TokenKey] = set()
    seen: set[TokenKey] = set()
    for effect in effects:
        if isinstance(effect, TransactionEnded):
            continue
        key = TokenKey(effect.contract, effect.token_id)
        if key in seen:
            continue
        seen.add(key)
        if isinstance(effect, TransferEvent) and effect.sender is None:
            made.add(key)
        else:
            read.append(key)
    return read, made


def fold(effects: Sequence[Effect], facts: Facts) -> BlockChanges:
    """Say what to write for effects: each item appears once, with its last state.

    In place of an item that is unusable stands what tells of it.
    """
    folding = _Folding(facts, BalanceCount(facts.chain_id, facts.balances))
    for effect in effects:
        result, outcomes = _ends(effect, facts)
        for key, mint_id in _keys(effect, outcomes).items():
            folding.add_token(effect, key, mint_id)
        if isinstance(effect, TransferEvent | ItemTransferEvent):
            folding.add_transfer(effect)
        if isinstance(effect, ItemTransferEvent):
            folding.add_balances(effect)
        if result is not None:
            folding.add_result(effect, result)
        for outcome in outcomes:
            folding.add_outcome(effect, outcome)
    return folding.changes()


@dataclass(slots=True)
class _Folding:
    """The items of a part so far."""

    facts: Facts
    balances: BalanceCount
    tokens: dict[TokenKey, Token] = field(default_factory=dict)
    transfers: list[Transfer] = field(default_factory=list)
    results: list[TransactionResult] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    aside: dict[tuple[str, str], Aside] = field(default_factory=dict)

    def add_token(self, effect: Effect, key: TokenKey, mint_id: str | None) -> None:
        if (reason := self.facts.unusable_tokens.get(key)) is not None:
            self._set_aside(effect, TOKENS, f"{key.contract}/{key.token_id}", reason)
            return
        before = self.tokens.get(key) or self.facts.tokens.get(key)
        if isinstance(effect, TransactionEnded):
            token = before and before.evolve(mint_id=mint_id)
        else:
            token = _after(effect, before, self.facts)
        if token is not None:
            self.tokens[key] = token

    def add_balances(self, effect: ItemTransferEvent) -> None:
        for key, change in balances_of(effect).items():
            if (reason := self.facts.unusable_balances.get(key)) is not None:
                self._set_aside(effect, BALANCES, key.name, reason)
            else:
                self.balances.add(effect, key, change)

    def add_transfer(self, effect: TransferEvent | ItemTransferEvent) -> None:
        transfer = _transfer(effect, self.facts)
        key = transfer_key(transfer)
        if (reason := self.facts.unusable_transfers.get(key)) is not None:
            self._set_aside(effect, TRANSFERS, "/".join(key), reason)
        else:
            self.transfers.append(transfer)

    def add_result(self, effect: Effect, result: TransactionResult) -> None:
        place = result.place
        if (reason := self.facts.unusable_transactions.get(place)) is not None:
            self._set_aside(effect, TRANSACTIONS, place.name, reason)
        else:
            self.results.append(result)

    def add_outcome(self, effect: Effect, outcome: Outcome) -> None:
        if (reason := self.facts.unusable_mints.get(outcome.mint_id)) is not None:
            self._set_aside(effect, MINTS, outcome.mint_id, reason)
        else:
            self.outcomes.append(outcome)

    def changes(self) -> BlockChanges:
        facts = self.facts
        return BlockChanges(
            before=tuple(
                PriorToken(contract=key.contract, token_id=key.token_id, token=facts.tokens.get(key))
                for key in self.tokens
            ),
            write=Write(
                tokens=tuple(
                    TokenWrite(key, token, key in facts.assumed_new) for key, token in self.tokens.items()
                ),
                balances=self.balances.writes(),
                transfers=tuple(self.transfers),
                results=tuple(self.results),
                outcomes=tuple(self.outcomes),
            ),
            aside=tuple(self.aside.values()),
            balances=self.balances.before(),
        )

    def _set_aside(self, effect: Effect, table: Table, key: str, reason: str) -> None:
        at = 0 if isinstance(effect, TransactionEnded) else effect.log_index
        aside = Aside(
            position=f"{position(effect.block_number, at)}#{table.name}#{key}",
            table=table.name,
            key=key,
            reason=reason,
            block_number=effect.block_number,
            block_hash=effect.block_hash,
            tx_hash=effect.tx_hash,
        )
        self.aside.setdefault((table.name, key), aside)


def _keys(effect: Effect, outcomes: Sequence[Outcome]) -> dict[TokenKey, str | None]:
    """Return the tokens that an effect changes; those that it marks as a mint's own, each with that mint."""
    if isinstance(effect, TransactionEnded):
        return {outcome.token: outcome.mint_id for outcome in outcomes if outcome.token is not None}
    return {TokenKey(effect.contract, effect.token_id): None}


def _ends(effect: Effect, facts: Facts) -> tuple[TransactionResult | None, Sequence[Outcome]]:
    """Return what is written with an effect on transactions and mints.

    It is of the effect's transaction, or of the token that it makes.
    """
    if isinstance(effect, TransactionEnded):
        return facts.results.get(effect.tx_hash), facts.outcomes.get(effect.tx_hash, ())
    if isinstance(effect, TransferEvent) and effect.sender is None:
        redeemed = facts.redeemed.get(TokenKey(effect.contract, effect.token_id))
        return None, () if redeemed is None else (redeemed,)
    return None, ()


def _after(effect: Event, token: Token | None, facts: Facts) -> Token | None:
    """Return a token after an event; None if it is as before."""
    if isinstance(effect, ItemMintedEvent | ItemTransferEvent):
        return _item_after(effect, token, facts)
    if isinstance(effect, MintedEvent):
        # `Minted` follows `Transfer`, so there is a token; one without is no mint of this contract.
        return token and token.evolve(metadata_digest=effect.metadata_digest)
    if token is not None and effect.sender is not None:
        moved = {
            "owner": effect.recipient,
            "block_number": effect.block_number,
            "tx_hash": effect.tx_hash,
        }
        return token.evolve(**moved)
    return Token(
        chain_id=facts.chain_id,
        contract=effect.contract,
        token_id=effect.token_id,
        owner=effect.recipient,
        metadata_digest=None,
        mint_id=_mint_of(effect, facts) if effect.sender is None else None,
        minted_block=effect.block_number,
        block_number=effect.block_number,
        tx_hash=effect.tx_hash,
    )


def _item_after(
    effect: ItemMintedEvent | ItemTransferEvent, token: Token | None, facts: Facts
) -> Token | None:
    digest = effect.metadata_digest if isinstance(effect, ItemMintedEvent) else None
    if token is not None:
        if digest is None or token.metadata_digest is not None:
            return None
        return token.evolve(metadata_digest=digest)
    return Token(
        chain_id=facts.chain_id,
        contract=effect.contract,
        token_id=effect.token_id,
        owner=None,
        metadata_digest=digest,
        mint_id=None,
        minted_block=effect.block_number,
        block_number=effect.block_number,
        tx_hash=effect.tx_hash,
        standard="erc1155",
    )


def _mint_of(effect: TransferEvent, facts: Facts) -> str | None:
    return facts.owned.get(TokenKey(effect.contract, effect.token_id))


def _transfer(effect: TransferEvent | ItemTransferEvent, facts: Facts) -> Transfer:
    return Transfer(
        chain_id=facts.chain_id,
        contract=effect.contract,
        token_id=effect.token_id,
        sender=effect.sender,
        recipient=effect.recipient,
        block_number=effect.block_number,
        block_hash=effect.block_hash,
        log_index=effect.log_index,
        tx_hash=effect.tx_hash,
        timestamp=facts.timestamps[effect.block_hash],
        quantity=effect.quantity if isinstance(effect, ItemTransferEvent) else None,
    )
