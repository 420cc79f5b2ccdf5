"""What a mined transaction of ours decides: its own record, and with it every operation that it carries.

::

    it succeeded    succeeded: what it did, by its kind (`mintline_indexer.kinds`), is mined by it;
                    an operation that it did not do is reported, and named in `not_made`: it is reverted
    it failed       failed: its operations are reverted by it,
                    but for a mint whose token another transaction made before, and for those of a batch,
                    which go again: the broadcaster closes that

What it did counts only as far as the operations' records agree. One whose record cannot be read is not
judged: once it is repaired it is as far as its transaction, and `reconcile` holds it to the chain. Nothing is
decided by the events of other contracts than the operations': theirs may not be read yet.

A transaction of a user's own wallet has no record, and neither has one from before they were kept: those
decide their mint's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import structlog

from mintline.errors import Unavailable
from mintline.records.operations import Mint, Operation
from mintline.records.problems import TOKEN_TAKEN, Problem
from mintline.records.transactions import Transaction, TransactionKey, carried_by
from mintline.states import MintStatus
from mintline_indexer.chain_port import ChainReader
from mintline_indexer.effects import Facts, TransactionEnded
from mintline_indexer.front_runs import explain_reverts
from mintline_indexer.kinds import KINDS, VOUCHER, IndexedKind, TokenChanges
from mintline_indexer.own_tokens import MintedToken, RefusedOutcome
from mintline_indexer.store_port import Attempted, Outcome, Store, TokenKey, TransactionResult

TOLD = 10
"""Operations of one transaction that a log line names."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Signed:
    """A transaction that was signed for us, and what it is for."""

    attempt: Attempted
    kind: IndexedKind
    transaction: Transaction | None
    """Its record, of which it is an attempt; None if it has none."""
    operations: tuple[str, ...]
    """Empty if it carries none, or no record has it."""

    def is_on_record(self, effect: TransactionEnded) -> bool:
        """Tell whether the record has this end of it: what did not fit was reported when that was written.

        A backfill meets it again: of an index that is rebuilt, or a range that is written again.
        """
        kept = self.transaction
        return kept is not None and (kept.tx_hash, kept.block_hash) == (effect.tx_hash, effect.block_hash)

    def was_reported(self, effect: TransactionEnded, operation_id: str) -> bool:
        """Tell whether it is on record that the transaction ended without doing an operation."""
        kept = self.transaction
        return kept is not None and self.is_on_record(effect) and operation_id in (kept.not_made or ())


@dataclass(frozen=True, slots=True)
class Records:
    """The records that some transactions may decide."""

    signed: Mapping[bytes, Signed]
    transactions: Mapping[TransactionKey, Transaction]
    operations: Mapping[str, Operation]

    @classmethod
    async def read(cls, attempted: Mapping[bytes, Attempted], *, store: Store) -> Records:
        """Read what attempts lead to."""
        places = {attempt.key for attempt in attempted.values() if attempt.key is not None}
        transactions = await store.transactions(places) if places else {}
        signed = {tx_hash: _signed(tx_hash, attempt, transactions) for tx_hash, attempt in attempted.items()}
        ids = dict.fromkeys(operation_id for each in signed.values() for operation_id in each.operations)
        operations = await store.operations([*ids], transactions) if ids else {}
        others = {place for operation in operations.values() if (place := carried_by(operation)) is not None}
        if others - transactions.keys():
            transactions = {**transactions, **await store.transactions(others - transactions.keys())}
        return cls(signed, transactions, operations)

    def done(self, tx_hash: bytes, changes: TokenChanges) -> frozenset[str]:
        """Return the operations of a transaction that it did."""
        signed = self.signed[tx_hash]
        return frozenset(
            operation_id
            for operation_id in signed.operations
            if (operation := self.operations.get(operation_id)) is not None
            and signed.kind.did(operation, tx_hash, changes)
        )

    def owned(self, tx_hash: bytes, done: Iterable[str]) -> dict[TokenKey, str]:
        """Return the tokens that a transaction made for its mints, each with its mint."""
        if not self.signed[tx_hash].kind.makes_tokens:
            return {}
        mints = (self.operations[mint_id] for mint_id in done)
        return {
            TokenKey(mint.contract, mint.token_id): mint.operation_id
            for mint in mints
            if mint.token_id is not None
        }

    def carried(self, operation_id: str) -> Transaction | None:
        """Return the transaction that carries an operation."""
        operation = self.operations.get(operation_id)
        place = None if operation is None else carried_by(operation)
        return None if place is None else self.transactions.get(place)


def _signed(tx_hash: bytes, attempt: Attempted, transactions: Mapping[TransactionKey, Transaction]) -> Signed:
    transaction = None if attempt.key is None else transactions.get(attempt.key)
    if transaction is not None and any(own.tx_hash == tx_hash for own in transaction.own_attempts):
        return Signed(attempt, KINDS[transaction.kind], transaction, transaction.operations)
    kind = VOUCHER if attempt.own else KINDS["mint"]
    return Signed(attempt, kind, None, () if attempt.mint_id is None else (attempt.mint_id,))


async def decide(
    effects: Sequence[TransactionEnded],
    records: Records,
    done: Mapping[bytes, Collection[str]],
    minted: Mapping[TokenKey, MintedToken],
    facts: Facts,
    *,
    contracts: Collection[str],
    chain: ChainReader,
    store: Store,
) -> None:
    """Add to the facts what is due for the transactions of ours among `effects`.

    `done` are the operations that each of ours did, `made` the tokens that strangers made, `contracts` those
    whose events were read.
    """
    known = [effect for effect in effects if effect.tx_hash in records.signed]
    problems = await asyncio.gather(*(_problem(chain, effect, records) for effect in known))
    due: list[tuple[bytes, Outcome]] = []
    for effect, problem in zip(known, problems, strict=True):
        signed = records.signed[effect.tx_hash]
        outcomes: list[Outcome] = []
        if not signed.operations:
            if signed.transaction is None:
                facts.refused.append(RefusedOutcome(None, None, effect.tx_hash, effect.block_number))
        elif problem is not None:
            outcomes = _failed(effect, signed, problem, records, facts)
        elif signed.kind.by_receipt or (effect.emitted and _is_read(signed, records, contracts)):
            outcomes = _succeeded(effect, signed, done[effect.tx_hash], records, facts)
        due += ((effect.tx_hash, outcome) for outcome in outcomes)
    mints = {mint_id: mint for mint_id, mint in records.operations.items() if isinstance(mint, Mint)}
    explained = await explain_reverts(
        [outcome for _, outcome in due], mints, minted, facts, chain=chain, store=store
    )
    _assemble(zip((tx_hash for tx_hash, _ in due), explained, strict=True), facts)


def _is_read(signed: Signed, records: Records, contracts: Collection[str]) -> bool:
    """Tell whether the events at hand are those of a transaction's operations: all are of one contract."""
    known = [
        records.operations[operation_id]
        for operation_id in signed.operations
        if operation_id in records.operations
    ]
    return not known or any(operation.contract in contracts for operation in known)


def _succeeded(
    effect: TransactionEnded, signed: Signed, done: Collection[str], records: Records, facts: Facts
) -> list[Outcome]:
    """Add the result of the transaction; return what operations have on their own records."""
    standing: list[str] = []
    not_made: list[str] = []
    outcomes: list[Outcome] = []
    for operation_id in signed.operations:
        carried = records.carried(operation_id)
        here = signed.transaction is not None and carried is signed.transaction
        if operation_id not in done:
            if not signed.was_reported(effect, operation_id):
                facts.refused.append(_refused(operation_id, effect, records))
            if here:
                not_made.append(operation_id)
        elif not here:
            outcomes.append(
                _outcome(operation_id, MintStatus.MINED, effect, signed, carried=carried is not None)
            )
        elif _is_open(records.operations[operation_id]):
            standing.append(operation_id)
        elif records.operations[operation_id].status is MintStatus.REJECTED and not signed.is_on_record(
            effect
        ):
            facts.refused.append(_refused(operation_id, effect, records))
    if signed.transaction is not None:
        result = _settlement(signed.transaction, "succeeded", effect, signed)
        facts.results[effect.tx_hash] = replace(result, operations=tuple(standing), not_made=tuple(not_made))
    return outcomes


def _failed(
    effect: TransactionEnded, signed: Signed, problem: Problem, records: Records, facts: Facts
) -> list[Outcome]:
    """Add the transaction's result; return how its operations ended by it, if no other made their tokens."""
    status = signed.kind.when_failed
    if signed.transaction is None:
        assert status is not None, "a mint's"
        # One that another transaction carries by now goes on with that.
        left = [operation_id for operation_id in signed.operations if records.carried(operation_id) is None]
        return [_outcome(operation_id, status, effect, signed, problem=problem) for operation_id in left]
    result = _settlement(signed.transaction, "failed", effect, signed)
    facts.results[effect.tx_hash] = replace(result, problem=problem, to_be_split=status is None)
    if status is None:
        return []
    outcomes: list[Outcome] = []
    for operation_id in signed.operations:
        if records.carried(operation_id) is not signed.transaction:
            continue
        if _is_open(records.operations[operation_id]):
            outcomes.append(_outcome(operation_id, status, effect, signed, carried=True, problem=problem))
        elif records.operations[operation_id].status is MintStatus.REJECTED and not signed.is_on_record(
            effect
        ):
            facts.refused.append(_refused(operation_id, effect, records))
    return outcomes


def _assemble(explained: Iterable[tuple[bytes, Outcome]], facts: Facts) -> None:
    """Add to each transaction that failed what is reverted by it; the others have their own outcomes."""
    left: list[tuple[bytes, Outcome]] = []
    for tx_hash, outcome in explained:
        result = facts.results.get(tx_hash)
        if result is None or outcome.status is not MintStatus.REVERTED:
            left.append((tx_hash, outcome))
            continue
        taken = TOKEN_TAKEN in (result.problem, outcome.problem)
        facts.results[tx_hash] = replace(
            result,
            operations=(*result.operations, outcome.mint_id),
            problem=TOKEN_TAKEN if taken else result.problem,
        )
    facts.outcomes = one_each(left, facts)
    decided = {outcome.mint_id for outcomes in facts.outcomes.values() for outcome in outcomes}
    for tx_hash, result in facts.results.items():
        left_open = tuple(operation_id for operation_id in result.operations if operation_id not in decided)
        facts.results[tx_hash] = replace(result, operations=left_open)


def one_each(outcomes: Iterable[tuple[bytes, Outcome]], facts: Facts) -> dict[bytes, tuple[Outcome, ...]]:
    """Return outcomes by their transaction, one for each mint: what minted, or else the last that failed.

    No transaction may write one item twice; and whichever transaction minted first, the token is the mint's.
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
    transaction: Transaction,
    outcome: Literal["succeeded", "failed"],
    effect: TransactionEnded,
    signed: Signed,
) -> TransactionResult:
    return TransactionResult(
        key=transaction.key,
        outcome=outcome,
        tx_hash=effect.tx_hash,
        block_number=effect.block_number,
        block_hash=effect.block_hash,
        minting=signed.kind.makes_tokens,
        sent_at=signed.attempt.at,
        trace=signed.attempt.trace,
    )


def _is_open(operation: Operation) -> bool:
    """Tell whether nothing but its transaction decides an operation: it stands where that does."""
    return operation.status not in (MintStatus.MINED, MintStatus.FINALIZED, MintStatus.REJECTED)


def _outcome(
    mint_id: str,
    status: MintStatus,
    effect: TransactionEnded,
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


def _refused(operation_id: str, effect: TransactionEnded, records: Records) -> RefusedOutcome:
    operation = records.operations.get(operation_id)
    status = None if operation is None else operation.status
    return RefusedOutcome(operation_id, status, effect.tx_hash, effect.block_number)


async def _problem(chain: ChainReader, effect: TransactionEnded, records: Records) -> Problem | None:
    """Return why a transaction failed, None if it did not."""
    signed = records.signed[effect.tx_hash]
    if not signed.operations or (effect.emitted and not signed.kind.by_receipt):
        return None
    # What is asked for at tokens always emits, so this one failed: the receipt decides.
    ended = await chain.outcome(effect.tx_hash)
    if ended is None or ended.block_hash != effect.block_hash:
        raise Unavailable(f"no receipt yet in block {effect.block_number}")
    if ended.problem is None and not signed.kind.by_receipt:
        log.error(
            "mint_without_events", mint_ids=signed.operations[:TOLD], tx_hash="0x" + effect.tx_hash.hex()
        )
    return signed.kind.problem(ended)
