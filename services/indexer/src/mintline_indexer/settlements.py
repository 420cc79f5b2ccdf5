"""What a mined transaction of ours decides: its own record, and with it every mint that it carries.

::

    it made every token that it was for     succeeded: its mints are mined by it
    it made some of them, or none           nothing: a mint whose token it made has that on its own record
    it failed                               failed: its mints are reverted by it,
                                            but for one whose token another transaction made before

What it made counts only as far as the mints' records agree; what they refuse is told of. A transaction of a
user's own wallet has no record, and neither has one from before they were kept: those decide their mint's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import structlog

from mintline.errors import Unavailable
from mintline.records import TOKEN_TAKEN, Mint, Problem
from mintline.states import MintStatus
from mintline.transaction_records import Place, Transaction, carried_by
from mintline_indexer.chain_port import Chain
from mintline_indexer.effects import Facts, Settled
from mintline_indexer.front_runs import explain_reverts
from mintline_indexer.own_tokens import MintedToken, RefusedOutcome, key_of, own_token
from mintline_indexer.store_port import Attempted, Outcome, Settlement, Store, TokenKey

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Signed:
    """A transaction that was signed for us, and what it is for."""

    attempt: Attempted
    transaction: Transaction | None
    """Its record, of which it is an attempt; None if it has none."""
    mint_ids: tuple[str, ...]
    """Empty if no record has it."""


@dataclass(frozen=True, slots=True)
class Records:
    """The records that some transactions may decide."""

    signed: Mapping[bytes, Signed]
    transactions: Mapping[Place, Transaction]
    mints: Mapping[str, Mint]

    @classmethod
    async def read(cls, attempted: Mapping[bytes, Attempted], *, store: Store) -> Records:
        """Read what attempts lead to."""
        places = {attempt.place for attempt in attempted.values() if attempt.place is not None}
        transactions = await store.transactions(places) if places else {}
        signed = {tx_hash: _signed(tx_hash, attempt, transactions) for tx_hash, attempt in attempted.items()}
        ids = dict.fromkeys(mint_id for one in signed.values() for mint_id in one.mint_ids)
        mints = await store.mints([*ids], transactions) if ids else {}
        others = {place for mint in mints.values() if (place := carried_by(mint)) is not None}
        if others - transactions.keys():
            transactions = {**transactions, **await store.transactions(others - transactions.keys())}
        return cls(signed, transactions, mints)

    def own_tokens(self, tx_hash: bytes, minted: dict[TokenKey, MintedToken]) -> dict[str, TokenKey]:
        """Return the mints whose very token a transaction made, each with that."""
        own: dict[str, TokenKey] = {}
        for mint_id in self.signed[tx_hash].mint_ids:
            mint = self.mints.get(mint_id)
            token = None if mint is None else own_token(mint, minted)
            if token is not None and token.made.tx_hash == tx_hash:
                own[mint_id] = key_of(token.made)
        return own

    def carried(self, mint_id: str) -> Transaction | None:
        """Return the transaction that carries a mint."""
        mint = self.mints.get(mint_id)
        place = None if mint is None else carried_by(mint)
        return None if place is None else self.transactions.get(place)


def _signed(tx_hash: bytes, attempt: Attempted, transactions: Mapping[Place, Transaction]) -> Signed:
    transaction = None if attempt.place is None else transactions.get(attempt.place)
    if transaction is not None and any(own.tx_hash == tx_hash for own in transaction.own_attempts):
        return Signed(attempt, transaction, transaction.operations)
    return Signed(attempt, None, () if attempt.mint_id is None else (attempt.mint_id,))


async def decide(
    effects: Sequence[Settled],
    records: Records,
    ours: Mapping[bytes, Mapping[str, TokenKey]],
    made: Mapping[TokenKey, MintedToken],
    facts: Facts,
    *,
    chain: Chain,
    store: Store,
) -> None:
    """Add to the facts what is due for the transactions of ours among `effects`.

    `ours` are the tokens that each of ours made for its mints, `made` those that strangers made.
    """
    known = [effect for effect in effects if effect.tx_hash in records.signed]
    problems = await asyncio.gather(*(_problem(chain, effect, records) for effect in known))
    due: list[tuple[bytes, Outcome]] = []
    for effect, problem in zip(known, problems, strict=True):
        signed = records.signed[effect.tx_hash]
        outcomes: list[Outcome] = []
        if not signed.mint_ids:
            facts.refused.append(RefusedOutcome(None, None, effect.tx_hash, effect.block_number))
        elif problem is not None:
            outcomes = _failed(effect, signed, problem, records, facts)
        elif effect.emitted:
            outcomes = _succeeded(effect, signed, ours[effect.tx_hash], records, facts)
        due += ((effect.tx_hash, outcome) for outcome in outcomes)
    explained = await explain_reverts(
        [outcome for _, outcome in due], records.mints, made, facts, chain=chain, store=store
    )
    _assemble(zip((tx_hash for tx_hash, _ in due), explained, strict=True), facts)


def _succeeded(
    effect: Settled, signed: Signed, own: Mapping[str, TokenKey], records: Records, facts: Facts
) -> list[Outcome]:
    """Settle the transaction if it did all that it was for; return what mints have on their own records."""
    missing = [mint_id for mint_id in signed.mint_ids if mint_id not in own]
    facts.refused += (_refused(mint_id, effect, records) for mint_id in missing)
    settles = signed.transaction is not None and not missing
    standing: list[str] = []
    outcomes: list[Outcome] = []
    for mint_id in own:
        carried = records.carried(mint_id)
        if not settles or carried is not signed.transaction:
            status = MintStatus.MINED
            outcomes.append(_outcome(mint_id, status, effect, signed, carried=carried is not None))
        elif _is_open(records.mints[mint_id]):
            standing.append(mint_id)
        elif records.mints[mint_id].status is MintStatus.REJECTED:
            facts.refused.append(_refused(mint_id, effect, records))
    if settles:
        assert signed.transaction is not None
        settlement = _settlement(signed.transaction, "succeeded", effect, signed)
        facts.settlements[effect.tx_hash] = replace(settlement, mints=tuple(standing))
    return outcomes


def _failed(
    effect: Settled, signed: Signed, problem: Problem, records: Records, facts: Facts
) -> list[Outcome]:
    """Settle the transaction; return how its mints ended by it, if no other transaction made their tokens."""
    if signed.transaction is None:
        status = MintStatus.ISSUED if signed.attempt.own else MintStatus.REVERTED
        # One that another transaction carries by now goes on with that.
        left = [mint_id for mint_id in signed.mint_ids if records.carried(mint_id) is None]
        return [_outcome(mint_id, status, effect, signed, problem=problem) for mint_id in left]
    settlement = _settlement(signed.transaction, "failed", effect, signed)
    facts.settlements[effect.tx_hash] = replace(settlement, problem=problem)
    outcomes: list[Outcome] = []
    for mint_id in signed.mint_ids:
        if records.carried(mint_id) is not signed.transaction:
            continue
        if _is_open(records.mints[mint_id]):
            status = MintStatus.REVERTED
            outcomes.append(_outcome(mint_id, status, effect, signed, carried=True, problem=problem))
        elif records.mints[mint_id].status is MintStatus.REJECTED:
            facts.refused.append(_refused(mint_id, effect, records))
    return outcomes


def _assemble(explained: Iterable[tuple[bytes, Outcome]], facts: Facts) -> None:
    """Add to each transaction that failed the mints that are reverted by it; the others have their own."""
    left: list[tuple[bytes, Outcome]] = []
    for tx_hash, outcome in explained:
        settlement = facts.settlements.get(tx_hash)
        if settlement is None or outcome.status is not MintStatus.REVERTED:
            left.append((tx_hash, outcome))
            continue
        taken = TOKEN_TAKEN in (settlement.problem, outcome.problem)
        facts.settlements[tx_hash] = replace(
            settlement,
            mints=(*settlement.mints, outcome.mint_id),
            problem=TOKEN_TAKEN if taken else settlement.problem,
        )
    facts.outcomes = one_each(left, facts)
    decided = {outcome.mint_id for outcomes in facts.outcomes.values() for outcome in outcomes}
    for tx_hash, settlement in facts.settlements.items():
        mints = tuple(mint_id for mint_id in settlement.mints if mint_id not in decided)
        facts.settlements[tx_hash] = replace(settlement, mints=mints)


def one_each(outcomes: Iterable[tuple[bytes, Outcome]], facts: Facts) -> dict[bytes, tuple[Outcome, ...]]:
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
    by_transaction: dict[bytes, tuple[Outcome, ...]] = {}
    for tx_hash, outcome in chosen.values():
        by_transaction[tx_hash] = (*by_transaction.get(tx_hash, ()), outcome)
    return by_transaction


def _settlement(
    transaction: Transaction, outcome: Literal["succeeded", "failed"], effect: Settled, signed: Signed
) -> Settlement:
    return Settlement(
        place=transaction.place,
        outcome=outcome,
        tx_hash=effect.tx_hash,
        block_number=effect.block_number,
        block_hash=effect.block_hash,
        sent_at=signed.attempt.at,
        trace=signed.attempt.trace,
    )


def _is_open(mint: Mint) -> bool:
    """Tell whether nothing but its transaction decides a mint: it stands where that does."""
    return mint.status not in (MintStatus.MINED, MintStatus.FINALIZED, MintStatus.REJECTED)


def _outcome(
    mint_id: str,
    status: MintStatus,
    effect: Settled,
    signed: Signed,
    *,
    carried: bool = False,
    problem: Problem | None = None,
) -> Outcome:
    return Outcome(
        mint_id=mint_id,
        status=status,
        tx_hash=effect.tx_hash,
        block_number=effect.block_number,
        block_hash=effect.block_hash,
        problem=problem,
        sent_at=signed.attempt.at,
        trace=signed.attempt.trace,
        carried=carried,
    )


def _refused(mint_id: str, effect: Settled, records: Records) -> RefusedOutcome:
    mint = records.mints.get(mint_id)
    status = None if mint is None else mint.status
    return RefusedOutcome(mint_id, status, effect.tx_hash, effect.block_number)


async def _problem(chain: Chain, effect: Settled, records: Records) -> Problem | None:
    """Return why a transaction failed, None if it did not."""
    mint_ids = records.signed[effect.tx_hash].mint_ids
    if effect.emitted or not mint_ids:
        return None
    # Redeeming a voucher always emits, so this one failed: the receipt decides.
    ended = await chain.outcome(effect.tx_hash)
    if ended is None or ended.block_hash != effect.block_hash:
        raise Unavailable(f"no receipt yet in block {effect.block_number}")
    if ended.problem is None:
        log.error("mint_without_events", mint_ids=mint_ids, tx_hash="0x" + effect.tx_hash.hex())
    return ended.problem
