"""Reads a block's events so that they can be believed, and gathers what their effects depend on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from mintline.errors import Unavailable
from mintline.eth import keccak256
from mintline.states import MintStatus
from mintline_indexer.bloom import is_blank, may_hold
from mintline_indexer.effects import Effect, Facts, Settled, effects_of_block, first_touches
from mintline_indexer.ports import Attempted, Block, Chain, Event, Moved, Outcome, Store

TOPICS = (
    keccak256(b"Transfer(address,address,uint256)"),
    keccak256(b"Minted(uint256,address,bytes32)"),
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Found:
    """A block with its effects for the followed contracts."""

    block: Block
    effects: tuple[Effect, ...]


async def read_block(chain: Chain, ref: int | bytes, contracts: Sequence[str]) -> Found | None:
    """Return a block with its effects, None if the node has none of that number or hash."""
    block = await chain.block(ref, full=True)
    if block is None:
        return None
    transactions = block.transactions or ()
    events = await _events(chain, block, tuple(contracts))
    # Any transaction that mints may be ours; one that failed shows only by whom it called.
    settling = minting(events) | {found.hash for found in transactions if found.to in contracts}
    hashes = [transaction.hash for transaction in transactions]
    return Found(block, effects_of_block(block.number, block.hash, events, hashes, settling))


def minting(events: Sequence[Event]) -> set[bytes]:
    """Return the transactions that minted a token."""
    return {event.tx_hash for event in events if isinstance(event, Moved) and event.sender is None}


async def _events(chain: Chain, block: Block, contracts: tuple[str, ...]) -> Sequence[Event]:
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
    chain: Chain,
    store: Store,
    chain_id: int,
    timestamps: Mapping[bytes, int],
) -> Facts:
    """Read what the effects depend on: the tokens they change, and the mints of their transactions."""
    keys, made = first_touches(effects)
    settled = [effect for effect in effects if isinstance(effect, Settled)]
    tokens, attempted = await asyncio.gather(
        store.tokens(keys), store.attempts([effect.tx_hash for effect in settled])
    )
    outcomes = await asyncio.gather(
        *(
            _outcome(chain, effect, attempted[effect.tx_hash])
            for effect in settled
            if effect.tx_hash in attempted
        )
    )
    return Facts(
        chain_id=chain_id,
        timestamps=timestamps,
        tokens=tokens,
        assumed_new=made,
        mints={tx_hash: attempt.mint_id for tx_hash, attempt in attempted.items()},
        outcomes={outcome.tx_hash: outcome for outcome in outcomes if outcome is not None},
    )


async def _outcome(chain: Chain, effect: Settled, attempt: Attempted) -> Outcome | None:
    mint_id = attempt.mint_id
    problem = None
    if not effect.emitted:
        # Redeeming a voucher always emits, so this one failed: the receipt decides.
        ended = await chain.outcome(effect.tx_hash)
        if ended is None or ended.block_hash != effect.block_hash:
            raise Unavailable(f"no receipt yet in block {effect.block_number}")
        problem = ended.problem
        if problem is None:
            log.error("mint_without_events", mint_id=mint_id, tx_hash="0x" + effect.tx_hash.hex())
            return None
    return Outcome(
        mint_id=mint_id,
        status=MintStatus.MINED if problem is None else MintStatus.REVERTED,
        tx_hash=effect.tx_hash,
        block_number=effect.block_number,
        block_hash=effect.block_hash,
        problem=problem,
        sent_at=attempt.at,
        trace=attempt.trace,
    )
