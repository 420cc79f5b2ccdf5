"""Reads a block's events so that they can be believed, and gathers what their effects depend on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from mintline.errors import Unavailable
from mintline.eth import keccak256
from mintline.records import Mint
from mintline.states import MintStatus
from mintline_indexer.bloom import is_blank, may_hold
from mintline_indexer.chain_port import Block, Chain, Event, Moved
from mintline_indexer.effects import UNREADABLE, Effect, Facts, Settled, effects_of_block, first_touches
from mintline_indexer.front_runs import explain_reverts
from mintline_indexer.own_tokens import MintedToken, RefusedOutcome, key_of, minted_tokens, own_token
from mintline_indexer.store_port import Attempted, Outcome, Store, TokenKey

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
    whole: Sequence[Effect],
    chain: Chain,
    store: Store,
    chain_id: int,
    timestamps: Mapping[bytes, int],
) -> Facts:
    """Read what the effects depend on: the tokens they change, and the mints that they decide.

    `whole` are all effects of the blocks at hand, also those that are written already.
    """
    keys, made = first_touches(effects)
    settled = [effect for effect in effects if isinstance(effect, Settled)]
    ended = [effect.tx_hash for effect in whole if isinstance(effect, Settled)]
    tokens, attempted = await asyncio.gather(store.tokens(keys), store.attempts(ended))
    facts = Facts(chain_id=chain_id, timestamps=timestamps, tokens=tokens, assumed_new=made)
    for key in keys:
        if key not in tokens:
            facts.unusable_tokens[key] = UNREADABLE
    minted = minted_tokens(whole)
    mints = await store.mints([*dict.fromkeys(attempt.mint_id for attempt in attempted.values())])
    ours = _own_by_transaction(attempted, mints, minted)
    facts.owned = {key_of(token.made): attempted[tx_hash].mint_id for tx_hash, token in ours.items()}
    strangers = {
        key_of(effect): minted[key_of(effect)]
        for effect in effects
        if isinstance(effect, Moved) and effect.sender is None and key_of(effect) not in facts.owned
    }
    redeemed = await _by_vouchers(strangers, facts, store=store)
    facts.owned |= {key: outcome.mint_id for key, outcome in redeemed.items()}
    facts.redeemed = redeemed
    known = [(effect, attempted[effect.tx_hash]) for effect in settled if effect.tx_hash in attempted]
    strange = [one for one in known if one[0].emitted and one[0].tx_hash not in ours]
    facts.refused += (
        _refused(attempt.mint_id, mints, effect.tx_hash, effect.block_number) for effect, attempt in strange
    )
    outcomes = await asyncio.gather(*(_outcome(chain, *one) for one in known if one not in strange))
    due = [outcome for outcome in outcomes if outcome is not None]
    explained = await explain_reverts(due, strangers, facts, chain=chain, store=store)
    facts.outcomes = _one_each(zip((outcome.tx_hash for outcome in due), explained, strict=True), facts)
    return facts


def _own_by_transaction(
    attempted: Mapping[bytes, Attempted], mints: Mapping[str, Mint], minted: dict[TokenKey, MintedToken]
) -> dict[bytes, MintedToken]:
    """Return the transactions that made the very token of the mint that they were recorded for."""
    ours: dict[bytes, MintedToken] = {}
    for tx_hash, attempt in attempted.items():
        mint = mints.get(attempt.mint_id)
        token = None if mint is None else own_token(mint, minted)
        if token is not None and token.made.tx_hash == tx_hash:
            ours[tx_hash] = token
    return ours


async def _by_vouchers(
    strangers: Mapping[TokenKey, MintedToken], facts: Facts, *, store: Store
) -> dict[TokenKey, Outcome]:
    """Return the outcomes of mints whose voucher its user, or anyone, redeemed without telling us."""
    if not strangers:
        return {}
    vouchers = await store.vouchers(list(strangers))
    mints = await store.mints([*vouchers.values()]) if vouchers else {}
    redeemed: dict[TokenKey, Outcome] = {}
    for key, mint_id in vouchers.items():
        made, mint = strangers[key].made, mints.get(mint_id)
        if mint is not None and strangers[key].belongs_to(mint):
            redeemed[key] = _redeemed(made, mint_id)
        else:
            facts.refused.append(_refused(mint_id, mints, made.tx_hash, made.block_number))
    return redeemed


def _refused(mint_id: str, mints: Mapping[str, Mint], tx_hash: bytes, block_number: int) -> RefusedOutcome:
    mint = mints.get(mint_id)
    return RefusedOutcome(mint_id, None if mint is None else mint.status, tx_hash, block_number)


def _redeemed(effect: Moved, mint_id: str) -> Outcome:
    return Outcome(mint_id, MintStatus.MINED, effect.tx_hash, effect.block_number, effect.block_hash)


def _one_each(outcomes: Iterable[tuple[bytes, Outcome]], facts: Facts) -> dict[bytes, Outcome]:
    """Return outcomes by their transaction, one for each mint: what minted, or else the last that failed.

    No transaction may write one item twice; and whoever else minted first, the token is the mint's.
    """
    chosen: dict[str, tuple[bytes, Outcome]] = {}
    minted = {outcome.mint_id for outcome in facts.redeemed.values()}
    for tx_hash, outcome in outcomes:
        if outcome.mint_id in minted:
            continue
        chosen[outcome.mint_id] = (tx_hash, outcome)
        if outcome.status is MintStatus.MINED:
            minted.add(outcome.mint_id)
    return dict(chosen.values())


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
    failed = MintStatus.ISSUED if attempt.own else MintStatus.REVERTED
    return Outcome(
        mint_id=mint_id,
        status=MintStatus.MINED if problem is None else failed,
        tx_hash=effect.tx_hash,
        block_number=effect.block_number,
        block_hash=effect.block_hash,
        problem=problem,
        sent_at=attempt.at,
        trace=attempt.trace,
    )
