"""The write-ahead: a transaction and its hash are on record before anything reaches a node.

::

    Broadcast ──▶ transaction: reserved ─▶ submitted  ──▶ attempts:          ──▶ send ──▶ delete the message
                  or one more of its attempts             the signed bytes

A crash anywhere before the deletion brings the message back, and every step up to there may be repeated.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto

from mintline.errors import Deferred, Rejected, Unavailable
from mintline.kinds import NotCarried, meaning_of
from mintline.messages.intents import AnyIntent, SignNoop
from mintline.messages.signed import Broadcast
from mintline.records.operations import Attempt
from mintline.records.transactions import Transaction, transaction_key_of
from mintline.states import TransactionState
from mintline_broadcaster.intents import recorded_intent
from mintline_broadcaster.on_record import OutcomeRefused, check_intent, name_of
from mintline_broadcaster.ports import SignedTransaction, TransactionMoved, TransactionStore

SEALING_SECONDS = 5.0
"""How long a signed batch waits whose operations are not all claimed."""
TRIES = 10
"""Reads of a transaction to which other attempts keep being added."""


class SendDecision(Enum):
    """What to do with a signed transaction, by the records."""

    SEND = auto()
    CONSUMED = auto()
    """There is nothing to send: its nonce is used, or its mint has another one by now."""
    FILLING = auto()
    """It must never be sent, as its nonce is for a no-op, which may have to be asked for."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The decision, and the record that it follows from; None if the record was not read."""

    decision: SendDecision
    transaction: Transaction | None = None


async def write_ahead(message: Broadcast, *, store: TransactionStore, now: int) -> Entry:
    """Write a signed transaction down, and decide whether to send it.

    Raises Rejected for bytes of no transaction on record, OutcomeRefused for those with another meaning,
    and Deferred for a batch that is not sealed.
    """
    intent = message.intent
    attempt = Attempt(
        tx_hash=message.tx_hash,
        max_fee_per_gas=intent.fees.max_fee_per_gas,
        max_priority_fee_per_gas=intent.fees.max_priority_fee_per_gas,
        at=now,
        nonce=intent.nonce,
        fills=True if isinstance(intent, SignNoop) else None,
    )
    # The record first: only what it agrees with is written down at all.
    entry = await _enter(intent, attempt, store=store)
    if entry.decision is SendDecision.SEND:
        await store.record(_signed(message, now))
    return entry


async def _enter(intent: AnyIntent, attempt: Attempt, *, store: TransactionStore) -> Entry:
    """Put the attempt on its transaction's record, once, whatever came before or happens meanwhile."""
    if intent.attempt:
        transaction = await store.transaction(transaction_key_of(intent.signer, intent.nonce))
    else:
        # The usual case needs no read.
        try:
            await store.enter(intent, attempt)
        except TransactionMoved as moved:
            transaction = moved.transaction
        else:
            return Entry(SendDecision.SEND)
    for _ in range(TRIES):
        if transaction is None:
            raise Rejected(
                "transaction_unknown", "The transaction's nonce was reserved for nothing on record."
            )
        if not attempt.fills:
            await _check_own(intent, transaction, store=store)
        decision = _decide(transaction, attempt)
        if decision is not None:
            return Entry(decision, transaction)
        try:
            await store.add_attempt(transaction, attempt)
        except TransactionMoved as moved:
            transaction = moved.transaction
        else:
            return Entry(SendDecision.SEND, transaction)
    raise Unavailable("other attempts at the nonce kept being written")


async def _check_own(intent: AnyIntent, transaction: Transaction, *, store: TransactionStore) -> None:
    """Raise OutcomeRefused, with the field that differs, unless the record says what the intent does."""
    own = (transaction.meaning, transaction.gas, transaction.signer)
    if (meaning_of(intent), intent.gas, intent.signer) == own:
        return
    if not transaction.operations:
        raise Rejected("transaction_unknown", "The transaction is not what its nonce was reserved for.")
    with suppress(NotCarried):
        check_intent(intent, await recorded_intent(transaction, store=store))
    raise OutcomeRefused("mint_unknown", name_of(intent), "nonce")


def _decide(transaction: Transaction, attempt: Attempt) -> SendDecision | None:
    """Return the decision, or None if the attempt is not on record yet; raises Deferred."""
    if transaction.state in (TransactionState.MINED, TransactionState.FINAL):
        return SendDecision.CONSUMED
    if transaction.filling_at is not None and not attempt.fills:
        return SendDecision.FILLING
    if transaction.claiming and not attempt.fills:
        raise Deferred("the batch is not sealed yet", retry_after=SEALING_SECONDS)
    known = any(earlier.tx_hash == attempt.tx_hash for earlier in transaction.attempts)
    return SendDecision.SEND if known else None


def _signed(message: Broadcast, now: int) -> SignedTransaction:
    intent = message.intent
    return SignedTransaction(
        tx_hash=message.tx_hash,
        kind=intent.type,
        sender=intent.signer.address,
        nonce=intent.nonce,
        chain_id=intent.chain_id,
        raw=message.raw,
        attempt=intent.attempt,
        at=now,
        trace=message.trace or None,
    )
