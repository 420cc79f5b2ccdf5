"""The step after a node's response to a transaction: send errors are facts, not failures."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from mintline.chain.send_facts import SendAnswer, SendFact
from mintline.errors import Deferred, Rejected, Throttled, Unavailable
from mintline.messages.intents import AnyIntent, SignNoop
from mintline.messages.signed import Broadcast
from mintline.queue_port import SendingPort
from mintline.records.operations import Operation
from mintline.records.problems import Problem
from mintline.records.transactions import Outcome, Transaction, transaction_key_of
from mintline.states import UNDECIDED, TransactionState
from mintline_broadcaster.fees import FeeCaps, bump
from mintline_broadcaster.finality import final_count
from mintline_broadcaster.intents import ask_for_funds, cost_of, first_intent, operations_of, sign_again
from mintline_broadcaster.kinds import NonceRelease, about, alone_in, depends_on, event_of, payer_of
from mintline_broadcaster.noops import Noops
from mintline_broadcaster.ports import (
    ChainClient,
    Final,
    MintMoved,
    TransactionMoved,
    TransactionStore,
    TreasuryLow,
)

FUNDS_SECONDS = 2.0
"""How long a wallet waits between two checks for its gas money: a top-up takes about two blocks."""
TREASURY_SECONDS = 30.0
"""The same for the treasury, which only an operator can fund."""
RELAYER_SECONDS = 10.0
"""The same for a relayer, which the treasury or an operator funds."""
MAX_RELEASES = 100
"""Operations of one transaction that one pass releases, at most."""
FEES_SECONDS = 15.0
"""How long a transaction at the fee cap waits for the market to come down."""
NONCE_GAP_SECONDS = 1.0
_GAS_REASONS = {
    SendFact.INTRINSIC_GAS: "The transaction's gas limit is below what the chain asks of any transaction.",
    SendFact.EXCEEDS_BLOCK_GAS: "The transaction's gas limit is above what the chain allows.",
}
_FEE_FACTS = frozenset(
    {SendFact.REPLACEMENT_UNDERPRICED, SendFact.UNDERPRICED, SendFact.FEE_CAP_BELOW_BASE_FEE}
)

log = structlog.get_logger(__name__)


async def act_on(
    response: SendAnswer,
    message: Broadcast,
    *,
    store: TransactionStore,
    chain: ChainClient,
    outbox: SendingPort,
    noops: Noops,
    caps: FeeCaps,
    now: int,
) -> None:
    """Take the step that a fact requires; returns when nothing is left to do for the message."""
    fact, intent = response.fact, message.intent
    if fact in _FEE_FACTS:
        await _raise_fees(message, fact, store=store, chain=chain, outbox=outbox, caps=caps)
    elif fact in _GAS_REASONS:
        await _end_unsendable(intent, fact, store=store, noops=noops, now=now)
    elif fact is SendFact.NONCE_TOO_LOW:
        await _check_consumed_nonce(message, store=store, chain=chain, outbox=outbox, now=now)
    elif fact is SendFact.INSUFFICIENT_FUNDS:
        await _wait_for_funds(intent, chain=chain, outbox=outbox, now=now)
    elif fact is SendFact.NONCE_TOO_HIGH:
        raise Deferred("earlier nonces have not arrived yet", retry_after=NONCE_GAP_SECONDS)
    elif fact is SendFact.POOL_FULL:
        raise Throttled(f"the node's pool is full: {response.message}")
    elif fact is SendFact.MALFORMED:
        raise Rejected("malformed", f"The node cannot read the transaction: {response.message}")
    elif fact is SendFact.UNKNOWN:
        raise Unavailable(f"the node refused the transaction: {response.message}")


async def end_operations(
    transaction: Transaction,
    operations: Sequence[Operation],
    problem: Problem,
    *,
    store: TransactionStore,
    noops: Noops,
    now: int,
) -> None:
    """Reject the operations of a transaction that can never be sent, and have its nonce filled.

    May be repeated. Raises TransactionMoved if its nonce is used, with nothing done.
    """
    if transaction.state not in UNDECIDED:
        raise TransactionMoved(transaction)
    carried = alone_in(transaction)
    if carried is None and transaction.filling_at is None:
        # First of all, so that no attempt is sent while they end one by one.
        await store.fill(transaction, at=now)
    waiting = [operation for operation in operations if depends_on(operation, transaction)]
    await asyncio.gather(
        *(_end(operation, problem, transaction, carried, store=store, now=now) for operation in waiting)
    )
    await noops.fill(transaction, now=now)


async def _end(
    operation: Operation,
    problem: Problem,
    transaction: Transaction,
    carried: Transaction | None,
    *,
    store: TransactionStore,
    now: int,
) -> None:
    try:
        await store.reject(operation, problem, at=now, carried=carried)
    except MintMoved:
        if carried is not None:
            raise
        return  # the others of its batch are ended all the same
    log_rejected(operation, problem, nonce=transaction.nonce)


def log_rejected(operation: Operation, problem: Problem, *, nonce: int) -> None:
    """Log that an operation was rejected that a transaction carried."""
    log.warning(event_of(operation, "rejected"), **about(operation), code=problem.code, nonce=nonce)


async def fill_if_unused(transaction: Transaction, *, chain: ChainClient, noops: Noops, now: int) -> None:
    """Have a nonce filled that is for a no-op, unless the chain has used it already."""
    if await chain.transaction_count(transaction.signer.address) <= transaction.nonce:
        await noops.fill(transaction, now=now)


async def fill_for_good(transaction: Transaction, *, store: TransactionStore, noops: Noops, now: int) -> None:
    """Have the nonce of a transaction filled that can never be sent, and carries nothing."""
    if transaction.filling_at is None:
        await store.fill(transaction, at=now)
    await noops.fill(transaction, now=now)


async def _end_unsendable(
    intent: AnyIntent, fact: SendFact, *, store: TransactionStore, noops: Noops, now: int
) -> None:
    problem = Problem(code=fact.value, reason=_GAS_REASONS[fact])
    transaction = await store.transaction(transaction_key_of(intent.signer, intent.nonce))
    fills = isinstance(intent, SignNoop)
    if transaction is not None and transaction.operations and not fills:
        operations = await operations_of(transaction, store=store)
        await end_operations(transaction, operations, problem, store=store, noops=noops, now=now)
        return
    log.error("transaction_can_never_be_sent", kind=intent.type, nonce=intent.nonce, code=problem.code)
    if transaction is not None and not fills:
        await fill_for_good(transaction, store=store, noops=noops, now=now)
    raise Rejected(problem.code, problem.reason)


async def _check_consumed_nonce(
    message: Broadcast, *, store: TransactionStore, chain: ChainClient, outbox: SendingPort, now: int
) -> None:
    """End the transaction if its nonce is consumed in a final block; until then the monitor checks again."""
    intent = message.intent
    final = await store.final()
    transaction, consumed = await asyncio.gather(
        store.transaction(transaction_key_of(intent.signer, intent.nonce)),
        final_count(intent.signer.address, final, chain=chain),
    )
    if transaction is None or transaction.state is not TransactionState.SUBMITTED:
        return
    if intent.nonce < consumed:
        await end_consumed_transaction(transaction, final, store=store, chain=chain, outbox=outbox, now=now)
    else:
        log.info("nonce_used_not_finally", kind=intent.type, **context(message))


async def end_consumed_transaction(
    transaction: Transaction,
    final: Final,
    *,
    store: TransactionStore,
    chain: ChainClient,
    outbox: SendingPort,
    now: int,
) -> None:
    """Determine the outcome of a transaction whose nonce is consumed in a final block, and close it.

    For one that carries operations the index decides: it has read every block up to `final`, so it has moved
    the transaction on if one of these held an attempt, even if no node has the receipt. If it did not,
    another transaction has the nonce, or the index could not use the record by then. Each operation is
    released before the record is closed (`mintline_broadcaster.kinds`), a bounded number of a batch at once.
    The same holds for a batch that failed.
    """
    operations = await store.operations(transaction.operations) if transaction.operations else {}
    waiting = [operation for operation in operations.values() if depends_on(operation, transaction)]
    if waiting or len(operations) < len(transaction.operations):
        nonce_release = NonceRelease(
            transaction=transaction, final=final, store=store, chain=chain, outbox=outbox, now=now
        )
        for operation in _some_of(waiting, now=now):
            await nonce_release.release(operation)
        return
    await close(transaction, _outcome_of(transaction, operations), store=store, now=now)


async def close(transaction: Transaction, outcome: Outcome, *, store: TransactionStore, now: int) -> None:
    """Close a transaction whose nonce is consumed, unless another writer moved it on."""
    try:
        await store.close(transaction, outcome, at=now)
    except TransactionMoved:
        log.info("transaction_moved_meanwhile", sender=transaction.sender_id, nonce=transaction.nonce)


def _some_of(waiting: Sequence[Operation], *, now: int) -> Sequence[Operation]:
    """Return as many as one pass releases; others each time, so that none waits for those that stay."""
    first = now // 1000 % len(waiting) if len(waiting) > MAX_RELEASES else 0
    return [*waiting[first:], *waiting[:first]][:MAX_RELEASES]


def _outcome_of(transaction: Transaction, operations: Mapping[str, Operation]) -> Outcome:
    if transaction.to_be_split:
        return "failed"
    own = {attempt.tx_hash for attempt in transaction.own_attempts}
    mined = any(operation.tx_hash in own for operation in operations.values())
    return "filled" if transaction.operations and not mined else "used"


async def _raise_fees(
    message: Broadcast,
    fact: SendFact,
    *,
    store: TransactionStore,
    chain: ChainClient,
    outbox: SendingPort,
    caps: FeeCaps,
) -> None:
    """Send the intent back to be signed at a higher price; wait at the cap."""
    intent = message.intent
    transaction = await store.transaction(transaction_key_of(intent.signer, intent.nonce))
    if transaction is not None and _is_superseded(transaction, intent):
        log.info("transaction_superseded", **context(message))
        return
    # A replacement must outbid one transaction, the others the market.
    market = None if fact is SendFact.REPLACEMENT_UNDERPRICED else await chain.fees()
    fees = bump(intent.fees, caps, market)
    if fees is None:
        log.warning("fee_cap_reached", max_fee_per_gas=intent.fees.max_fee_per_gas, **context(message))
        raise Deferred("the fee cap is reached", retry_after=FEES_SECONDS)
    if transaction is not None and transaction.operations and not isinstance(intent, SignNoop):
        # With its authorization, which signed transactions come without.
        own = await first_intent(transaction, store=store)
        intent = own.evolve(fees=intent.fees, attempt=intent.attempt)
    await sign_again(intent, fees, outbox=outbox)
    log.info("transaction_bumped", max_fee_per_gas=fees.max_fee_per_gas, **context(message))


async def _wait_for_funds(intent: AnyIntent, *, chain: ChainClient, outbox: SendingPort, now: int) -> None:
    payer = payer_of(intent)
    if payer == "treasury":
        log.warning("treasury_low", treasury=intent.signer.address, required=cost_of(intent))
        raise TreasuryLow("the treasury is low", retry_after=TREASURY_SECONDS)
    balance = await chain.balance(intent.signer.address)
    await ask_for_funds(intent, balance, outbox=outbox, now=now)
    if payer == "relayer":
        # The builder tops it up if its settings say so.
        raise Deferred("the relayer is low", retry_after=RELAYER_SECONDS)
    raise Deferred("the wallet waits for gas money", retry_after=FUNDS_SECONDS)


def _is_superseded(transaction: Transaction, intent: AnyIntent) -> bool:
    """Tell whether an attempt at a higher price is on record: its own message goes on from here."""
    price = intent.fees.max_fee_per_gas
    return any(attempt.max_fee_per_gas > price for attempt in transaction.attempts)


def context(message: Broadcast) -> dict[str, object]:
    """Return what identifies a transaction in a log line."""
    intent = message.intent
    return {
        "tx_hash": "0x" + message.tx_hash.hex(),
        "sender": intent.signer.address,
        "nonce": intent.nonce,
        "attempt": intent.attempt,
    }
