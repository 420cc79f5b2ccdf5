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
from mintline.kinds import Moved, meaning_of
from mintline.messages import AnyIntent, Broadcast, SignNoop
from mintline.records import Attempt
from mintline.states import TransactionState
from mintline.transaction_records import Transaction, place_of
from mintline_broadcaster.intents import recorded_intent
from mintline_broadcaster.on_record import OutcomeRefused, check_intent, name_of
from mintline_broadcaster.ports import SignedTransaction, TransactionMoved, TransactionStore

SEALING_SECONDS = 5.0
"""How long a signed batch waits whose operations are not all claimed."""
TRIES = 10
"""Reads of a transaction to which other attempts keep being added."""


class Standing(Enum):
    """What the records say to do with a signed transaction."""

    SEND = auto()
    SETTLED = auto()
    """There is nothing to send: its nonce is used, or its mint has another one by now."""
    FILLING = auto()
    """It must never be sent, as its nonce is for a no-op, which may have to be asked for."""


@dataclass(frozen=True, slots=True)
class Entered:
    """What to do, and the record that says so; None if it was not read, as nothing came before."""

    standing: Standing
    transaction: Transaction | None = None


async def write_ahead(message: Broadcast, *, store: TransactionStore, now: int) -> Entered:
    """Write a signed transaction down, and tell whether to send it.

    Raises Rejected for bytes of no transaction on record, OutcomeRefused for those that mean something else,
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
    entered = await _enter(intent, attempt, store=store)
    if entered.standing is Standing.SEND:
        await store.record(_signed(message, now))
    return entered


async def _enter(intent: AnyIntent, attempt: Attempt, *, store: TransactionStore) -> Entered:
    """Put the attempt on its transaction's record, once, whatever came before or happens meanwhile."""
    if intent.attempt:
        transaction = await store.transaction(place_of(intent.signer, intent.nonce))
    else:
        # The usual case needs no read.
        try:
            await store.enter(intent, attempt)
        except TransactionMoved as moved:
            transaction = moved.transaction
        else:
            return Entered(Standing.SEND)
    for _ in range(TRIES):
        if transaction is None:
            raise Rejected(
                "unknown_transaction", "The transaction's nonce was reserved for nothing on record."
            )
        if not attempt.fills:
            await _check_own(intent, transaction, store=store)
        standing = _standing(transaction, attempt)
        if standing is not None:
            return Entered(standing, transaction)
        try:
            await store.add_attempt(transaction, attempt)
        except TransactionMoved as moved:
            transaction = moved.transaction
        else:
            return Entered(Standing.SEND, transaction)
    raise Unavailable("other attempts at the nonce kept being written")


async def _check_own(intent: AnyIntent, transaction: Transaction, *, store: TransactionStore) -> None:
    """Raise OutcomeRefused, with the field that differs, unless the record says what the intent does."""
    own = (transaction.meaning, transaction.gas, transaction.signer)
    if (meaning_of(intent), intent.gas, intent.signer) == own:
        return
    if not transaction.operations:
        raise Rejected("unknown_transaction", "The transaction is not what its nonce was reserved for.")
    with suppress(Moved):
        check_intent(intent, await recorded_intent(transaction, store=store))
    raise OutcomeRefused("unknown_mint", name_of(intent), "nonce")


def _standing(transaction: Transaction, attempt: Attempt) -> Standing | None:
    """Return what to do, or None if the attempt is not on record yet; raises Deferred."""
    if transaction.state in (TransactionState.MINED, TransactionState.FINAL):
        return Standing.SETTLED
    if transaction.filling_at is not None and not attempt.fills:
        return Standing.FILLING
    if transaction.claiming and not attempt.fills:
        raise Deferred("the batch is not sealed yet", retry_after=SEALING_SECONDS)
    known = any(earlier.tx_hash == attempt.tx_hash for earlier in transaction.attempts)
    return Standing.SEND if known else None


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
