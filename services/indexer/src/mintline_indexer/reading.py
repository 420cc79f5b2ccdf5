"""Reads a block's events so that they can be believed, and gathers what their effects depend on."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import structlog

from mintline.records.operations import Mint
from mintline.states import MintStatus
from mintline_indexer.bloom import is_blank, may_hold
from mintline_indexer.chain_port import (
    TOPICS,
    Block,
    ChainReader,
    Event,
    ItemMintedEvent,
    ItemTransferEvent,
    TransferEvent,
)
from mintline_indexer.effects import (
    UNREADABLE,
    Effect,
    Facts,
    TransactionEnded,
    effects_of_block,
    first_touches,
)
from mintline_indexer.item_balances import touched_balances
from mintline_indexer.kinds import TokenChanges
from mintline_indexer.own_tokens import MintedToken, RefusedOutcome, key_of
from mintline_indexer.store_port import Outcome, Store, TokenKey
from mintline_indexer.transaction_results import Records, decide

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class BlockEffects:
    """A block with its effects for the followed contracts."""

    block: Block
    effects: tuple[Effect, ...]


async def read_block(chain: ChainReader, ref: int | bytes, contracts: Sequence[str]) -> BlockEffects | None:
    """Return a block with its effects, None if the node has none of that number or hash."""
    block = await chain.block(ref, full=True)
    if block is None:
        return None
    transactions = block.transactions or ()
    events = await _events(chain, block, tuple(contracts))
    # Any transaction that mints may be ours; any other, and one that failed, shows by whom it called.
    ended = minting(events) | {
        transaction.hash for transaction in transactions if transaction.to in contracts
    }
    hashes = [transaction.hash for transaction in transactions]
    return BlockEffects(block, effects_of_block(block.number, block.hash, events, hashes, ended))


def minting(events: Sequence[Event]) -> set[bytes]:
    """Return the transactions that minted a token."""
    return {
        event.tx_hash
        for event in events
        if isinstance(event, ItemMintedEvent) or (isinstance(event, TransferEvent) and event.sender is None)
    }


def moving(events: Sequence[Event]) -> set[bytes]:
    """Return the transactions that minted, transferred or burned a token."""
    moves = TransferEvent | ItemTransferEvent | ItemMintedEvent
    return {event.tx_hash for event in events if isinstance(event, moves)}


async def _events(chain: ChainReader, block: Block, contracts: tuple[str, ...]) -> Sequence[Event]:
    """Return a block's events; an empty answer that the header's bloom contradicts is not believed.

    A node answers emptily when it has the header but not yet the receipts. Chains that leave the bloom blank
    are asked for events whenever the block has transactions.
    """
    if not contracts or not block.transactions:
        return ()
    blank = is_blank(block.logs_bloom)
    if not blank and not may_hold(block.logs_bloom, contracts, TOPICS):
        return ()
    events = await chain.events(block.hash, contracts)
    if events or blank:
        return events
    events = await chain.events(block.hash, contracts)
    if events:
        log.warning("events_came_late", block=block.number)
        return events
    return await chain.events_from_receipts(block, contracts)


async def gather_facts(
    effects: Sequence[Effect],
    *,
    chain: ChainReader,
    store: Store,
    contracts: Collection[str],
    chain_id: int,
    timestamps: Mapping[bytes, int],
    epoch: int,
) -> Facts:
    """Read what the effects depend on: what they change, and the operations that they decide.

    `contracts` are those whose events were read, `epoch` is the index's.
    """
    keys, minted = first_touches(effects)
    ends = [effect for effect in effects if isinstance(effect, TransactionEnded)]
    ended = [effect.tx_hash for effect in ends]
    held = touched_balances(effects)
    tokens, balances, attempted = await asyncio.gather(
        store.tokens(keys), store.balances(held, since=epoch), store.attempts(ended)
    )
    facts = Facts(
        chain_id=chain_id, timestamps=timestamps, tokens=tokens, balances=balances, assumed_new=minted
    )
    facts.unusable_tokens |= {key: UNREADABLE for key in keys if key not in tokens}
    facts.unusable_balances |= {key: UNREADABLE for key in held if key not in balances}
    records = await Records.read(attempted, store=store)
    changes = TokenChanges.of(effects)
    done = {tx_hash: records.done(tx_hash, changes) for tx_hash in attempted}
    for tx_hash, operations in done.items():
        facts.owned |= records.owned(tx_hash, operations)
    strangers = {
        key_of(effect): changes.minted[key_of(effect)]
        for effect in effects
        if isinstance(effect, TransferEvent) and effect.sender is None and key_of(effect) not in facts.owned
    }
    redeemed = await _by_vouchers(strangers, facts, store=store)
    facts.owned |= {key: outcome.mint_id for key, outcome in redeemed.items()}
    facts.redeemed = redeemed
    await decide(ends, records, done, strangers, facts, contracts=contracts, chain=chain, store=store)
    return facts


async def _by_vouchers(
    strangers: Mapping[TokenKey, MintedToken], facts: Facts, *, store: Store
) -> dict[TokenKey, Outcome]:
    """Return the outcomes of mints whose voucher its user, or anyone, redeemed without telling us."""
    if not strangers:
        return {}
    vouchers = await store.vouchers(list(strangers))
    mints = await store.operations([*vouchers.values()]) if vouchers else {}
    redeemed: dict[TokenKey, Outcome] = {}
    for key, mint_id in vouchers.items():
        event, mint = strangers[key].event, mints.get(mint_id)
        if isinstance(mint, Mint) and strangers[key].belongs_to(mint):
            redeemed[key] = _redeemed(event, mint_id)
        else:
            status = None if mint is None else mint.status
            facts.refused.append(RefusedOutcome(mint_id, status, event.tx_hash, event.block_number))
    return redeemed


def _redeemed(effect: TransferEvent | ItemMintedEvent, mint_id: str) -> Outcome:
    return Outcome(mint_id, MintStatus.MINED, effect.tx_hash, effect.block_number, effect.block_hash)
