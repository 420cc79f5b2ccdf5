"""From a node's answer to the next step: send errors are facts, not failures."""

from __future__ import annotations

import asyncio

import structlog

from mintline.chain.send_facts import SendAnswer, SendFact
from mintline.errors import Deferred, Rejected, Throttled, Unavailable
from mintline.messages import AnyIntent, Broadcast, SignMint, SignTopUp
from mintline.queueing import SendingPort
from mintline.records import CANCELLED, Mint, Problem
from mintline.states import MintStatus
from mintline_broadcaster.fees import FeeCaps, bump
from mintline_broadcaster.finality import final_count
from mintline_broadcaster.intents import ask_for_funds, ask_for_nonce, cost_of, sign_again
from mintline_broadcaster.noops import Noops
from mintline_broadcaster.ports import Chain, Final, Ledger, MintMoved, TreasuryLow
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
        await _give_up(intent, fact, ledger=ledger, noops=noops, now=now)
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
    """Reject a mint and have its nonce filled: again if it is rejected already, not at all if it lives.

    Raises Rejected, with nothing done, for an intent that is not the mint's own.
    """
    mint = await ledger.get(intent.mint_id)
    if mint is None or (mint.nonce, mint.sender) != (intent.nonce, intent.signer):
        raise Rejected("unknown_mint", "The intent belongs to no mint on record.")
    try:
        await ledger.reject(intent.mint_id, problem, source=source, at=now, unfilled=True)
    except MintMoved as moved:
        if moved.mint is None or moved.mint.status is not MintStatus.REJECTED:
            raise
    else:
        log.warning("mint_rejected", mint_id=intent.mint_id, code=problem.code, nonce=intent.nonce)
    await noops.fill_nonce(intent, now=now)


async def fill_if_unused(intent: SignMint, *, chain: Chain, noops: Noops, now: int) -> None:
    """Have a dead mint's nonce filled, unless the chain has used it: whoever did has filled it."""
    if await chain.transaction_count(intent.signer.address) <= intent.nonce:
        await noops.fill_nonce(intent, now=now)


async def _give_up(intent: AnyIntent, fact: SendFact, *, ledger: Ledger, noops: Noops, now: int) -> None:
    problem = Problem(code=fact.value, reason=_GAS_REASONS[fact])
    if not isinstance(intent, SignMint):
        log.error("transaction_can_never_be_sent", kind=intent.type, nonce=intent.nonce, code=problem.code)
        if isinstance(intent, SignTopUp):
            await noops.fill_nonce(intent, now=now)
        raise Rejected(problem.code, problem.reason)
    await end(intent, problem, source=MintStatus.SUBMITTED, ledger=ledger, noops=noops, now=now)


async def _look_who_used_the_nonce(
    message: Broadcast, *, ledger: Ledger, chain: Chain, outbox: SendingPort, now: int
) -> None:
    """Find out which transaction has the nonce: one of ours means that all is well."""
    intent = message.intent
    if not isinstance(intent, SignMint):
        if await chain.receipt(message.tx_hash) is None:
            # The nonce is used, which is all that a no-op is for; the builder settles top-ups by the chain.
            log.warning("nonce_used_by_another", kind=intent.type, **context(message))
        return
    mint = await ledger.get(intent.mint_id)
    if mint is not None and mint.status is MintStatus.SUBMITTED and mint.nonce == intent.nonce:
        final = await ledger.final()
        await settle_used_nonce(mint, final, ledger=ledger, chain=chain, outbox=outbox, now=now)


async def settle_used_nonce(
    mint: Mint, final: Final, *, ledger: Ledger, chain: Chain, outbox: SendingPort, now: int
) -> None:
    """Find out who has the nonce of a submitted mint, which the chain says is used.

    One of the mint's own attempts: the indexer will tell. Another transaction: nothing until it is final,
    since a reorg may still let ours in, and the sweep looks again. Then the mint ends by its token, if a
    stranger redeemed the voucher. Otherwise one that its user asked to stop ends without; any other gets a
    new nonce, and keeps its token id.

    None of that hangs on one node's word. The index has read every block up to `final`, so it has moved the
    mint on if one of these was the mint's own, even if no node that answers has the receipt; and what is
    written here only befalls a mint that is still submitted under this nonce.
    """
    assert mint.nonce is not None
    assert mint.sender is not None
    hashes = [attempt.tx_hash for attempt in mint.attempts if attempt.nonce in (None, mint.nonce)]
    settled, receipts = await asyncio.gather(
        final_count(mint.sender.address, final, chain=chain),
        asyncio.gather(*(chain.receipt(tx_hash) for tx_hash in hashes)),
    )
    if any(receipt is not None for receipt in receipts):
        return
    about = {"mint_id": mint.mint_id, "sender": mint.sender.address, "nonce": mint.nonce}
    if settled <= mint.nonce:
        log.info("nonce_used_by_another_not_finally", **about)
    elif await end_by_token(mint, final, ledger=ledger, chain=chain, now=now):
        log.warning("mint_front_run", **about)
    elif await may_be_minted(mint, final, chain=chain):
        log.info("mint_waits_for_index", **about)
    elif mint.cancel_requested_at is not None:
        await ledger.reject(mint.mint_id, CANCELLED, source=MintStatus.SUBMITTED, at=now)
        log.info("mint_cancelled", **about)
    else:
        log.warning("nonce_taken", **about)
        await ask_for_nonce(mint, outbox=outbox)


async def _raise_fees(
    message: Broadcast, fact: SendFact, *, ledger: Ledger, chain: Chain, outbox: SendingPort, caps: FeeCaps
) -> None:
    """Send the intent back to be signed at a higher price; wait at the cap."""
    intent = message.intent
    mint = await ledger.get(intent.mint_id) if isinstance(intent, SignMint) else None
    if isinstance(intent, SignMint) and _is_superseded(mint, intent):
        log.info("transaction_superseded", **context(message))
        return
    # A replacement must outbid one transaction, the others the market.
    market = None if fact is SendFact.REPLACEMENT_UNDERPRICED else await chain.fees()
    fees = bump(intent.fees, caps, market)
    if fees is None:
        log.warning("fee_cap_reached", max_fee_per_gas=intent.fees.max_fee_per_gas, **context(message))
        raise Deferred("the fee cap is reached", retry_after=FEES_SECONDS)
    await sign_again(intent, fees, mint, ledger=ledger, outbox=outbox)
    log.info("transaction_bumped", max_fee_per_gas=fees.max_fee_per_gas, **context(message))


async def _wait_for_funds(intent: AnyIntent, *, chain: Chain, outbox: SendingPort, now: int) -> None:
    if isinstance(intent, SignTopUp):
        log.warning("treasury_low", treasury=intent.signer.address, required=cost_of(intent))
        raise TreasuryLow("the treasury is low", retry_after=TREASURY_SECONDS)
    balance = await chain.balance(intent.signer.address)
    await ask_for_funds(intent, balance, outbox=outbox, now=now)
    raise Deferred("the wallet waits for gas money", retry_after=FUNDS_SECONDS)


def _is_superseded(mint: Mint | None, intent: SignMint) -> bool:
    """Tell whether an attempt at a higher price is on record: its own message goes on from here."""
    price = intent.fees.max_fee_per_gas
    return mint is not None and any(
        attempt.max_fee_per_gas > price and attempt.nonce in (None, intent.nonce) for attempt in mint.attempts
    )


def context(message: Broadcast) -> dict[str, object]:
    """Return what identifies a transaction in a log line."""
    intent = message.intent
    return {
        "tx_hash": "0x" + message.tx_hash.hex(),
        "sender": intent.signer.address,
        "nonce": intent.nonce,
        "attempt": intent.attempt,
    }
