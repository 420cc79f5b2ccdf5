"""From a node's answer to the next step: send errors are facts, not failures."""

from __future__ import annotations

import asyncio

import structlog

from mintline.chain.send_facts import SendAnswer, SendFact
from mintline.errors import Deferred, Rejected, Throttled, Unavailable
from mintline.messages import AnyIntent, Broadcast, SignMint, SignNoop, SignTopUp
from mintline.queueing import SendingPort
from mintline.records import CANCELLED, Mint, Problem
from mintline.states import MintStatus, TransactionState
from mintline.transaction_records import Outcome, Transaction, place_of
from mintline_broadcaster.fees import FeeCaps, bump
from mintline_broadcaster.finality import final_count
from mintline_broadcaster.intents import ask_for_funds, ask_for_nonce, cost_of, sign_again
from mintline_broadcaster.noops import Noops
from mintline_broadcaster.ports import Chain, Final, Ledger, MintMoved, TransactionMoved, TreasuryLow
from mintline_broadcaster.redeemed import end_by_token, may_be_minted

FUNDS_SECONDS = 2.0
"""How long a wallet waits between two looks for its gas money: a top-up takes about two blocks."""
TREASURY_SECONDS = 30.0
"""The same for the treasury, which only its owner can fill."""
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
    answer: SendAnswer,
    message: Broadcast,
    *,
    ledger: Ledger,
    chain: Chain,
    outbox: SendingPort,
    noops: Noops,
    caps: FeeCaps,
    now: int,
) -> None:
    """Do what a fact asks for; returns when nothing is left to do for the message."""
    fact, intent = answer.fact, message.intent
    if fact in _FEE_FACTS:
        await _raise_fees(message, fact, ledger=ledger, chain=chain, outbox=outbox, caps=caps)
    elif fact in _GAS_REASONS:
        await _end_unsendable(intent, fact, ledger=ledger, noops=noops, now=now)
    elif fact is SendFact.NONCE_TOO_LOW:
        await _look_who_used_the_nonce(message, ledger=ledger, chain=chain, outbox=outbox, now=now)
    elif fact is SendFact.INSUFFICIENT_FUNDS:
        await _wait_for_funds(intent, chain=chain, outbox=outbox, now=now)
    elif fact is SendFact.NONCE_TOO_HIGH:
        raise Deferred("earlier nonces have not arrived yet", retry_after=NONCE_GAP_SECONDS)
    elif fact is SendFact.POOL_FULL:
        raise Throttled(f"the node's pool is full: {answer.message}")
    elif fact is SendFact.MALFORMED:
        raise Rejected("malformed", f"The node cannot read the transaction: {answer.message}")
    elif fact is SendFact.UNKNOWN:
        raise Unavailable(f"the node refused the transaction: {answer.message}")


async def end(
    intent: SignMint,
    problem: Problem,
    *,
    source: MintStatus,
    ledger: Ledger,
    noops: Noops,
    now: int,
) -> None:
    """Reject a mint in `source` and have its nonce filled: again if it is rejected already.

    Raises Rejected, with nothing done, for an intent that is not the mint's own, and MintMoved for a mint
    that is anywhere else.
    """
    mint = await ledger.get(intent.mint_id)
    transaction = await ledger.transaction(place_of(intent.signer, intent.nonce))
    if mint is None or transaction is None or (mint.nonce, mint.sender) != (intent.nonce, intent.signer):
        raise Rejected("unknown_mint", "The intent belongs to no mint on record.")
    if mint.status not in (source, MintStatus.REJECTED):
        raise MintMoved(mint)
    if mint.status is source:
        await ledger.reject(mint, problem, at=now, carried=transaction)
        log.warning("mint_rejected", mint_id=intent.mint_id, code=problem.code, nonce=intent.nonce)
    await noops.fill(transaction, now=now)


async def fill_if_unused(transaction: Transaction, *, chain: Chain, noops: Noops, now: int) -> None:
    """Have a nonce filled that is for a no-op, unless the chain has used it: whoever did has filled it."""
    if await chain.transaction_count(transaction.signer.address) <= transaction.nonce:
        await noops.fill(transaction, now=now)


async def fill_for_good(transaction: Transaction, *, ledger: Ledger, noops: Noops, now: int) -> None:
    """Have the nonce of a transaction filled that can never be sent, and carries nothing."""
    if transaction.filling_at is None:
        await ledger.fill(transaction, at=now)
    await noops.fill(transaction, now=now)


async def _end_unsendable(
    intent: AnyIntent, fact: SendFact, *, ledger: Ledger, noops: Noops, now: int
) -> None:
    problem = Problem(code=fact.value, reason=_GAS_REASONS[fact])
    if isinstance(intent, SignMint):
        await end(intent, problem, source=MintStatus.SUBMITTED, ledger=ledger, noops=noops, now=now)
        return
    log.error("transaction_can_never_be_sent", kind=intent.type, nonce=intent.nonce, code=problem.code)
    transaction = await ledger.transaction(place_of(intent.signer, intent.nonce))
    if transaction is not None and not isinstance(intent, SignNoop):
        await fill_for_good(transaction, ledger=ledger, noops=noops, now=now)
    raise Rejected(problem.code, problem.reason)


async def _look_who_used_the_nonce(
    message: Broadcast, *, ledger: Ledger, chain: Chain, outbox: SendingPort, now: int
) -> None:
    """Settle the nonce if it is used for good; until then the index may tell, and the monitor looks again."""
    intent = message.intent
    final = await ledger.final()
    transaction, settled = await asyncio.gather(
        ledger.transaction(place_of(intent.signer, intent.nonce)),
        final_count(intent.signer.address, final, chain=chain),
    )
    if transaction is None or transaction.state is not TransactionState.SUBMITTED:
        return
    if intent.nonce < settled:
        await settle_used_nonce(transaction, final, ledger=ledger, chain=chain, outbox=outbox, now=now)
    else:
        log.info("nonce_used_not_finally", kind=intent.type, **context(message))


async def settle_used_nonce(
    transaction: Transaction, final: Final, *, ledger: Ledger, chain: Chain, outbox: SendingPort, now: int
) -> None:
    """Find out what became of an open transaction whose nonce is used for good, and close it.

    What carries operations is the index's to tell: it has read every block up to `final`, so it has moved
    the transaction on if one of these held an attempt, even if no node that answers has the receipt. If it
    did not, another transaction has the nonce, or the index could not use the record by then. Each operation
    is let go before the record is closed: a mint ends by its token, whoever made that; one that its user
    asked to stop ends without; any other gets a new nonce, and keeps its token id.

    Nothing of that hangs on one node's word.
    """
    mints = await ledger.operations(transaction.operations)
    waiting = [mint for mint in mints.values() if isinstance(mint, Mint) and _depends_on(mint, transaction)]
    if waiting or len(mints) < len(transaction.operations):
        for mint in waiting:
            await _let_go(mint, transaction, final, ledger=ledger, chain=chain, outbox=outbox, now=now)
        return
    own = {attempt.tx_hash for attempt in transaction.own_attempts}
    mined = any(mint.tx_hash in own for mint in mints.values())
    outcome: Outcome = "filled" if transaction.operations and not mined else "used"
    try:
        await ledger.close(transaction, outcome, at=now)
    except TransactionMoved:
        log.info("transaction_moved_meanwhile", sender=transaction.sender_id, nonce=transaction.nonce)


def _depends_on(mint: Mint, transaction: Transaction) -> bool:
    """Tell whether a mint is still carried by a transaction, and not at its end."""
    if (mint.nonce, mint.sender) != (transaction.nonce, transaction.signer):
        return False
    return mint.status in (MintStatus.BUILT, MintStatus.SUBMITTED, MintStatus.MINED)


async def _let_go(
    mint: Mint,
    transaction: Transaction,
    final: Final,
    *,
    ledger: Ledger,
    chain: Chain,
    outbox: SendingPort,
    now: int,
) -> None:
    """See to it that a mint depends no more on a nonce that is used for good.

    Its token decides. An attempt of ours that succeeded has made it, so then the index is behind.
    """
    about = {"mint_id": mint.mint_id, "sender": transaction.signer.address, "nonce": transaction.nonce}
    if await end_by_token(mint, final, ledger=ledger, chain=chain, now=now, carried=transaction):
        log.warning("mint_front_run", **about)
    elif await _succeeded(transaction, chain=chain) or await may_be_minted(mint, final, chain=chain):
        log.info("mint_waits_for_index", **about)
    elif mint.status is MintStatus.MINED:
        log.error("mint_without_token", **about)
    elif mint.cancel_requested_at is not None:
        try:
            await ledger.reject(mint, CANCELLED, at=now, carried=transaction)
        except MintMoved:
            return
        log.info("mint_cancelled", **about)
    else:
        log.warning("nonce_taken", **about)
        await ask_for_nonce(mint, outbox=outbox)


async def _succeeded(transaction: Transaction, *, chain: Chain) -> bool:
    """Tell whether a node has the receipt of an attempt of ours that did what it was for."""
    receipts = [await chain.receipt(attempt.tx_hash) for attempt in transaction.own_attempts]
    return any(receipt is not None and receipt.status for receipt in receipts)


async def _raise_fees(
    message: Broadcast, fact: SendFact, *, ledger: Ledger, chain: Chain, outbox: SendingPort, caps: FeeCaps
) -> None:
    """Send the intent back to be signed at a higher price; wait at the cap."""
    intent = message.intent
    transaction = await ledger.transaction(place_of(intent.signer, intent.nonce))
    if transaction is not None and _is_superseded(transaction, intent):
        log.info("transaction_superseded", **context(message))
        return
    # A replacement must outbid one transaction, the others the market.
    market = None if fact is SendFact.REPLACEMENT_UNDERPRICED else await chain.fees()
    fees = bump(intent.fees, caps, market)
    if fees is None:
        log.warning("fee_cap_reached", max_fee_per_gas=intent.fees.max_fee_per_gas, **context(message))
        raise Deferred("the fee cap is reached", retry_after=FEES_SECONDS)
    if isinstance(intent, SignMint) and (mint := await ledger.get(intent.mint_id)) is not None:
        intent = intent.evolve(authorization=await ledger.envelope(mint))
    await sign_again(intent, fees, outbox=outbox)
    log.info("transaction_bumped", max_fee_per_gas=fees.max_fee_per_gas, **context(message))


async def _wait_for_funds(intent: AnyIntent, *, chain: Chain, outbox: SendingPort, now: int) -> None:
    if isinstance(intent, SignTopUp):
        log.warning("treasury_low", treasury=intent.signer.address, required=cost_of(intent))
        raise TreasuryLow("the treasury is low", retry_after=TREASURY_SECONDS)
    balance = await chain.balance(intent.signer.address)
    await ask_for_funds(intent, balance, outbox=outbox, now=now)
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
