"""The messages of `broadcast.fifo`: a signed transaction, the enclave's refusal to sign one, and a review."""

from __future__ import annotations

import structlog

from mintline.errors import Rejected
from mintline.eth import keccak256
from mintline.kinds import NotCarried, meaning_of, operation_ids
from mintline.messages.intents import AnyIntent, IssueVoucher, SignBatch, SignNoop
from mintline.messages.signed import Broadcast, SigningRefused
from mintline.messages.work import ReviewMint
from mintline.queue_port import SendingPort
from mintline.records.problems import Problem
from mintline.records.transactions import Transaction, carried_by, transaction_key_of
from mintline.refusals import RefusalCode, problem_of
from mintline.states import UNDECIDED, MintStatus, TransactionState
from mintline_broadcaster.fees import FeeCaps
from mintline_broadcaster.intents import (
    ask_for_nonce,
    first_intent,
    intent_of,
    operations_of,
    resealed,
    sign,
)
from mintline_broadcaster.kinds import depends_on, gets_another_nonce
from mintline_broadcaster.monitor import TransactionMonitor
from mintline_broadcaster.noops import Noops
from mintline_broadcaster.on_record import OutcomeRefused, check_refused, name_of
from mintline_broadcaster.outcomes import (
    act_on,
    context,
    end_operations,
    fill_for_good,
    fill_if_unused,
    log_rejected,
)
from mintline_broadcaster.ports import ChainClient, TransactionMoved, TransactionStore
from mintline_broadcaster.vouchers import refuse_voucher
from mintline_broadcaster.write_ahead import SendDecision, write_ahead

log = structlog.get_logger(__name__)


async def broadcast(
    message: Broadcast,
    *,
    store: TransactionStore,
    chain: ChainClient,
    outbox: SendingPort,
    noops: Noops,
    caps: FeeCaps,
    now: int,
) -> None:
    """Write a signed transaction down, send it, and do what the node's answer asks for.

    `signed_bytes` has checked the bytes. `now` is in Unix milliseconds. Returns when nothing is left to do
    for this message; raises Retryable to see it again, Rejected for one that can never be sent.
    """
    if keccak256(message.raw) != message.tx_hash:
        raise Rejected("hash_mismatch", "The transaction's hash is not that of its bytes.")
    entry = await write_ahead(message, store=store, now=now)
    match entry.decision:
        case SendDecision.CONSUMED:
            log.info("transaction_not_needed", **context(message))
        case SendDecision.FILLING:
            log.info("transaction_gives_way", **context(message))
            # The no-op's message may have been lost between the record and now.
            assert entry.transaction is not None
            await fill_if_unused(entry.transaction, chain=chain, noops=noops, now=now)
        case SendDecision.SEND:
            response = await chain.send_raw(message.raw)
            log.info("transaction_sent", fact=response.fact.value, said=response.message, **context(message))
            await act_on(
                response, message, store=store, chain=chain, outbox=outbox, noops=noops, caps=caps, now=now
            )


async def refuse(
    message: SigningRefused,
    *,
    store: TransactionStore,
    chain: ChainClient,
    outbox: SendingPort,
    noops: Noops,
    now: int,
) -> None:
    """End what the enclave refused to sign, and have the nonce filled that was reserved for it.

    A batch of which one operation was refused goes on without that. What comes after a no-op on its nonce
    only came late: it is let go once the no-op is mined, and a mint asks for another nonce at once. A refused
    replacement changes nothing, as the earlier attempts still stand. It, a refused no-op and a refused top-up
    are an operator's business, and raise Rejected; the top-up's nonce is filled all the same, as the
    treasury's later ones wait for it.
    """
    intent = message.intent
    if isinstance(intent, IssueVoucher):
        await refuse_voucher(message, store=store, chain=chain, now=now)
        return
    problem = problem_of(message.code)
    transaction = await store.transaction(transaction_key_of(intent.signer, intent.nonce))
    came_late = message.code == RefusalCode.NONCE_FILLED
    # Lines may have been left out of a batch after it was signed, and before that was on record.
    other_lines = message.code == RefusalCode.NONCE and isinstance(intent, SignBatch)
    if came_late or other_lines:
        log.info("signing_came_late", kind=intent.type)
        await _give_way(intent, transaction, store=store, outbox=outbox, noops=noops, now=now)
    elif isinstance(intent, SignNoop) or not operation_ids(intent) or not _is_first(intent, transaction):
        log.error("signing_refused", code=problem.code, kind=intent.type)
        if transaction is not None and not operation_ids(intent) and _is_unsent(intent, transaction):
            await fill_for_good(transaction, store=store, noops=noops, now=now)
        raise Rejected(problem.code, problem.reason)
    else:
        await _end_refused(message, problem, transaction, store=store, outbox=outbox, noops=noops, now=now)


async def _end_refused(
    message: SigningRefused,
    problem: Problem,
    transaction: Transaction | None,
    *,
    store: TransactionStore,
    outbox: SendingPort,
    noops: Noops,
    now: int,
) -> None:
    """Reject the operations of a transaction whose first attempt was refused, or the one that was refused."""
    if transaction is None:
        await _check_unknown(message.intent, store=store)
        raise Rejected("mint_unknown", "The intent belongs to nothing on record.")
    if transaction.own_attempts or transaction.state not in UNDECIDED:
        raise TransactionMoved(transaction)
    refused = message.operation_id
    if transaction.kind == "batch" and refused and refused not in transaction.operations:
        # An earlier delivery has left it out: the rest may not have been sent on.
        await sign(await first_intent(transaction, store=store), outbox=outbox)
        return
    operations = await operations_of(transaction, store=store)
    waiting = [operation for operation in operations if depends_on(operation, transaction)]
    try:
        own = await intent_of(transaction, operations, store=store)
    except NotCarried:
        raise OutcomeRefused("mint_unknown", name_of(message.intent), "nonce") from None
    check_refused(message.intent, own, authorized=bool(waiting))
    if refused and refused not in transaction.operations:
        raise OutcomeRefused("mint_unknown", refused, "operation_id")
    rest = [operation for operation in waiting if operation.operation_id != refused]
    if not refused or not rest:
        await end_operations(transaction, operations, problem, store=store, noops=noops, now=now)
        return
    seal, left = resealed(transaction, rest)
    blamed = next((operation for operation in waiting if operation.operation_id == refused), None)
    if blamed is None:
        await store.reseal(transaction, seal, at=now)  # it ended elsewhere
    else:
        await store.reject(blamed, problem, at=now, carried=transaction, seal=seal)
        log_rejected(blamed, problem, nonce=transaction.nonce)
    await sign(left, outbox=outbox)


async def _give_way(
    intent: AnyIntent,
    transaction: Transaction | None,
    *,
    store: TransactionStore,
    outbox: SendingPort,
    noops: Noops,
    now: int,
) -> None:
    """Have a nonce filled that was kept for something which was never sent, and which came after a no-op.

    The no-op was signed, but may have been lost since: it is asked for again.
    """
    if isinstance(intent, SignNoop):
        return
    if transaction is None:
        await _check_unknown(intent, store=store)
        return
    if transaction.own_attempts or transaction.state not in UNDECIDED:
        return
    if transaction.meaning != meaning_of(intent):
        raise OutcomeRefused("mint_unknown", name_of(intent), "nonce")
    await fill_for_good(transaction, store=store, noops=noops, now=now)
    if len(transaction.operations) == 1:
        [operation] = await operations_of(transaction, store=store)
        if depends_on(operation, transaction) and gets_another_nonce(operation):
            await ask_for_nonce(operation, outbox=outbox)


async def _check_unknown(intent: AnyIntent | IssueVoucher, *, store: TransactionStore) -> None:
    """Raise OutcomeRefused if there are operations of an intent whose nonce was reserved for nothing."""
    if await store.operations(operation_ids(intent)):
        raise OutcomeRefused("mint_unknown", name_of(intent), "nonce")


def _is_first(intent: AnyIntent, transaction: Transaction | None) -> bool:
    """Tell the first attempt at a nonce from a replacement, whose earlier attempts still stand."""
    return transaction is None or intent.attempt == transaction.first_attempt


def _is_unsent(intent: AnyIntent, transaction: Transaction) -> bool:
    """Tell whether a nonce was reserved for that very intent, of which nothing was sent yet."""
    return (
        transaction.state in UNDECIDED
        and transaction.meaning == meaning_of(intent)
        and _is_first(intent, transaction)
        and not transaction.own_attempts
    )


async def review(
    message: ReviewMint, *, store: TransactionStore, monitor: TransactionMonitor, now: int
) -> None:
    """Do at once what the sweep would do with an operation: its user stopped it, or a reorg dropped it.

    Raises Rejected for one that does not exist.
    """
    operation = await store.get(message.mint_id)
    if operation is None:
        raise Rejected("mint_unknown", "There is no record of this mint.")
    place = carried_by(operation)
    transaction = None if place is None else await store.transaction(place)
    if transaction is None or transaction.state in (TransactionState.MINED, TransactionState.FINAL):
        return
    if operation.status in (MintStatus.SUBMITTED, MintStatus.REJECTED):
        await monitor.check([transaction], await store.final(), now=now, urgent=True)
