"""Folds effects of a block into what is written: each item once, with its last state. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mintline.records.index import Token, Transfer
from mintline.records.keys import position
from mintline.resource_types import Table
from mintline.resources import BALANCES, MINTS, TOKENS, TRANSACTIONS, TRANSFERS
from mintline_indexer.chain_port import Event, ItemMintedEvent, ItemTransferEvent, MintedEvent, TransferEvent
from mintline_indexer.effects import Effect, Facts, TransactionEnded
from mintline_indexer.item_balances import BalanceCount, balances_of
from mintline_indexer.store_port import (
    Aside,
    Outcome,
    PriorBalance,
    PriorToken,
    TokenKey,
    TokenWrite,
    TransactionResult,
    Write,
)
from mintline_indexer.writes import transfer_key


@dataclass(frozen=True, slots=True)
class BlockChanges:
    """What effects change, and the tokens and balances as they were before."""

    before: tuple[PriorToken, ...]
    write: Write
    aside: tuple[Aside, ...] = ()
    balances: tuple[PriorBalance, ...] = ()


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
        place = result.key
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
