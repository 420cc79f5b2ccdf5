"""The write-ahead: a transaction and its hash are on record before anything reaches a node.

::

    Broadcast ──▶ attempts: the signed bytes ──┐
             └──▶ mint: built ─▶ submitted     ├──▶ send ──▶ delete the message
                  or one more of its attempts ─┘

A crash anywhere before the deletion brings the message back, and every step up to there may be repeated.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto

from mintline.errors import Rejected, Unavailable
from mintline.messages import AnyIntent, Broadcast, SignMint
from mintline.records import Attempt, Mint
from mintline.states import MintStatus
from mintline_broadcaster.ports import Ledger, MintMoved, SignedTransaction

TRIES = 10
"""Reads of a mint to which other attempts keep being added."""


class Standing(Enum):
    """What the records say to do with a signed transaction."""

    SEND = auto()
    SETTLED = auto()
    """Its mint is mined: there is nothing to send."""
    DEAD = auto()
    """Its mint was rejected: it must never be sent, but its nonce may need filling."""


async def write_ahead(message: Broadcast, *, ledger: Ledger, now: int) -> tuple[Standing, Mint | None]:
    """Write a signed transaction down, and tell whether to send it.

    The mint is returned where its record had to be read. Raises Rejected for a transaction of no such mint.
    """
    intent = message.intent
    recording = ledger.record(_transaction(message, intent, now))
    if not isinstance(intent, SignMint):
        await recording
        return Standing.SEND, None
    attempt = Attempt(
        tx_hash=message.tx_hash,
        max_fee_per_gas=intent.fees.max_fee_per_gas,
        max_priority_fee_per_gas=intent.fees.max_priority_fee_per_gas,
        at=now,
    )
    # Both writes end before either failure is reported: nothing of this message runs on behind its back.
    recorded, entered = await asyncio.gather(
        recording, _enter(intent, attempt, ledger=ledger), return_exceptions=True
    )
    if isinstance(recorded, BaseException):
        raise recorded
    if isinstance(entered, BaseException):
        raise entered
    return entered


async def _enter(intent: SignMint, attempt: Attempt, *, ledger: Ledger) -> tuple[Standing, Mint | None]:
    """Put the attempt on its mint's record, once, whatever came before or happens besides."""
    try:
        await ledger.submit(intent.mint_id, attempt, nonce=intent.nonce)
    except MintMoved as moved:
        mint = moved.mint
    else:
        return Standing.SEND, None
    for _ in range(TRIES):
        if mint is None or mint.nonce != intent.nonce:
            raise Rejected("unknown_mint", "The transaction belongs to no mint on record.")
        standing = _standing(mint, attempt)
        if standing is not None:
            return standing, mint
        try:
            await ledger.add_attempt(mint, attempt)
        except MintMoved as moved:
            mint = moved.mint
        else:
            return Standing.SEND, mint
    raise Unavailable("other attempts of the mint kept being written")


def _standing(mint: Mint, attempt: Attempt) -> Standing | None:
    """Return what to do, or None if the attempt is not on the mint's record yet."""
    match mint.status:
        case MintStatus.SUBMITTED:
            known = any(earlier.tx_hash == attempt.tx_hash for earlier in mint.attempts)
            return Standing.SEND if known else None
        case MintStatus.MINED | MintStatus.FINALIZED | MintStatus.REVERTED:
            return Standing.SETTLED
        case MintStatus.REJECTED:
            return Standing.DEAD
        case MintStatus.ACCEPTED | MintStatus.BUILT | MintStatus.ISSUED:
            raise Unavailable("the mint was built again meanwhile")


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
    )
