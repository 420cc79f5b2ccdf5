"""The write-ahead: a transaction and its hash are on record before anything reaches a node.

::

    Broadcast ──▶ mint: built ─▶ submitted    ──▶ attempts:          ──▶ send ──▶ delete the message
                  or one more of its attempts     the signed bytes

A crash anywhere before the deletion brings the message back, and every step up to there may be repeated.
"""

from __future__ import annotations

from enum import Enum, auto

from mintline.errors import Rejected, Unavailable
from mintline.messages import AnyIntent, Broadcast, SignMint
from mintline.records import Attempt, Mint
from mintline.states import MintStatus
from mintline_broadcaster.on_record import check_identity, check_intent
from mintline_broadcaster.ports import Ledger, MintMoved, SignedTransaction

TRIES = 10
"""Reads of a mint to which other attempts keep being added."""


class Standing(Enum):
    """What the records say to do with a signed transaction."""

    SEND = auto()
    SETTLED = auto()
    """There is nothing to send: its mint is mined, has another nonce by now, or gives this one to a no-op."""
    DEAD = auto()
    """Its mint was rejected: it must never be sent, but its nonce may need filling."""


async def write_ahead(message: Broadcast, *, ledger: Ledger, now: int) -> Standing:
    """Write a signed transaction down, and tell whether to send it.

    Raises Rejected for a transaction of no such mint, OutcomeRefused for one that is not the mint's own.
    """
    intent = message.intent
    transaction = _transaction(message, intent, now)
    if not isinstance(intent, SignMint):
        await ledger.record(transaction)
        return Standing.SEND
    attempt = Attempt(
        tx_hash=message.tx_hash,
        max_fee_per_gas=intent.fees.max_fee_per_gas,
        max_priority_fee_per_gas=intent.fees.max_priority_fee_per_gas,
        at=now,
        nonce=intent.nonce,
    )
    # The mint first: only what its record agrees with is written down at all.
    standing = await _enter(intent, attempt, ledger=ledger)
    if standing is Standing.SEND:
        await ledger.record(transaction)
    return standing


async def _enter(intent: SignMint, attempt: Attempt, *, ledger: Ledger) -> Standing:
    """Put the attempt on its mint's record, once, whatever came before or happens besides."""
    if intent.attempt:
        mint = await ledger.get(intent.mint_id)
    else:
        # The usual case needs no read.
        try:
            await ledger.submit(intent, attempt)
        except MintMoved as moved:
            mint = moved.mint
        else:
            return Standing.SEND
    for _ in range(TRIES):
        if mint is None or mint.nonce != intent.nonce:
            return _of_another_nonce(mint, intent)
        check_intent(intent, mint)
        standing = _standing(mint, attempt)
        if standing is not None:
            return standing
        try:
            if mint.status is MintStatus.BUILT:
                await ledger.submit(intent, attempt, earlier=mint.attempts)
            else:
                await ledger.add_attempt(mint, attempt)
        except MintMoved as moved:
            mint = moved.mint
        else:
            return Standing.SEND
    raise Unavailable("other attempts of the mint kept being written")


def _of_another_nonce(mint: Mint | None, intent: SignMint) -> Standing:
    """Tell a late attempt under a nonce that a stranger took from one that was never the mint's."""
    if mint is None or all(earlier.nonce != intent.nonce for earlier in mint.attempts):
        raise Rejected("unknown_mint", "The transaction belongs to no mint on record.")
    check_identity(intent, mint)
    return Standing.SETTLED


def _standing(mint: Mint, attempt: Attempt) -> Standing | None:
    """Return what to do, or None if the attempt is not on the mint's record yet."""
    match mint.status:
        case MintStatus.BUILT:
            return None
        case MintStatus.SUBMITTED if mint.cancel_requested_at is not None:
            return Standing.SETTLED
        case MintStatus.SUBMITTED:
            known = any(earlier.tx_hash == attempt.tx_hash for earlier in mint.attempts)
            return Standing.SEND if known else None
        case MintStatus.MINED | MintStatus.FINALIZED | MintStatus.REVERTED:
            return Standing.SETTLED
        case MintStatus.REJECTED:
            return Standing.DEAD
        case MintStatus.ACCEPTED | MintStatus.ISSUED:
            raise Unavailable("the mint is not as far as its transaction")


def _transaction(message: Broadcast, intent: AnyIntent, now: int) -> SignedTransaction:
    return SignedTransaction(
        tx_hash=message.tx_hash,
        kind=intent.type,
        mint_id=intent.mint_id if isinstance(intent, SignMint) else None,
        sender=intent.signer.address,
        nonce=intent.nonce,
        chain_id=intent.chain_id,
        raw=message.raw,
        attempt=intent.attempt,
        at=now,
        trace=message.trace or None,
        intent=None if isinstance(intent, SignMint) else intent,
    )
