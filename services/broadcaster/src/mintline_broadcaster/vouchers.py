"""Vouchers in their users' hands: issued, carried to the chain by the user's own wallet, expired.

::

    built ──VoucherIssued──▶ issued ──SelfRedeem──▶ attempt on record ──▶ sent ──▶ taken:   submitted
                               │                                              └──▶ refused: a problem to read
                               └──the deadline is past, finally──▶ rejected

The wallet is the user's: its fees are never raised and its nonces never filled. What a node refuses is for
the user to fix, so it ends nothing, and another transaction may follow as long as the voucher is good.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from mintline.chain.send_facts import TAKEN, SendAnswer, SendFact
from mintline.errors import Rejected, Throttled, Unavailable
from mintline.eth import keccak256
from mintline.kinds.voucher import issue_voucher
from mintline.messages.intents import IssueVoucher
from mintline.messages.signed import SelfRedeem, SigningRefused, VoucherIssued
from mintline.records.operations import MAX_OWN_TRANSACTIONS, Attempt, Mint
from mintline.records.problems import Problem
from mintline.refusals import problem_of
from mintline.states import MintStatus
from mintline.vouchers import voucher_of
from mintline_broadcaster.on_record import OutcomeRefused, check_redemption, check_refused
from mintline_broadcaster.ports import (
    ChainClient,
    Final,
    MintMoved,
    SignedTransaction,
    TransactionStore,
    VoucherStore,
)
from mintline_broadcaster.settle_from_index import may_be_minted, settle_from_index
from mintline_broadcaster.settle_items import Searches

WAITING = (MintStatus.ISSUED, MintStatus.SUBMITTED)
"""Where a voucher waits for a transaction, or for its transaction to be mined."""
_TRIES = 10
_REASONS: Mapping[SendFact, str] = {
    SendFact.INSUFFICIENT_FUNDS: "Your wallet cannot pay for it. Send it ether, then post this again.",
    SendFact.NONCE_TOO_LOW: "The transaction's nonce is used. Sign it again with your wallet's next nonce.",
    SendFact.NONCE_TOO_HIGH: "Earlier transactions of your wallet are missing. Send those, then this again.",
    SendFact.REPLACEMENT_UNDERPRICED: "Another transaction of your wallet waits with this nonce. "
    "Offer at least an eighth more than it does, or take the next nonce.",
    SendFact.UNDERPRICED: "The fees are below what the node asks. Sign it again with higher ones.",
    SendFact.FEE_CAP_BELOW_BASE_FEE: "The fees are below the base fee. Sign it again with higher ones.",
    SendFact.INTRINSIC_GAS: "The gas limit is below what the chain asks of any transaction. Sign it again.",
    SendFact.EXCEEDS_BLOCK_GAS: "The gas limit is above what the chain allows. Sign it again.",
    SendFact.MALFORMED: "The node cannot read the transaction.",
}
EXPIRED = Problem(code="voucher_expired", reason="The voucher was not redeemed before its deadline.")

log = structlog.get_logger(__name__)


async def issue(message: VoucherIssued, *, vouchers: VoucherStore, now: int) -> None:
    """Put a voucher's signature on its mint's record: from now on its user can redeem it.

    Raises Rejected for a voucher that is not the mint's own.
    """
    intent = message.intent
    try:
        await vouchers.issue(message, at=now)
    except MintMoved as moved:
        mint = moved.mint
        if mint is None or mint.custody != "self" or mint.token_id is None:
            raise Rejected("mint_unknown", "The voucher belongs to no self-custody mint on record.") from None
        if not is_of(intent, mint):
            raise OutcomeRefused("voucher_unknown", intent.mint_id, "voucher") from None
        log.info("voucher_not_needed", mint_id=intent.mint_id, status=mint.status.value)
    else:
        log.info("voucher_issued", mint_id=intent.mint_id, token_id=str(intent.voucher.token_id))


def is_of(intent: IssueVoucher, mint: Mint) -> bool:
    """Tell whether a voucher is a self-custody mint's own, contract and all."""
    if mint.custody != "self" or mint.token_id is None or mint.deadline is None:
        return False
    own = (mint.chain_id, mint.contract, voucher_of(mint))
    return own == (intent.chain_id, intent.contract, intent.voucher)


async def refuse_voucher(
    message: SigningRefused, *, store: TransactionStore, chain: ChainClient, now: int
) -> None:
    """End a self-custody mint whose voucher the enclave refused to issue: it has no nonce to fill.

    A record that was restored from a backup may be older than its voucher, and than the token that it was
    redeemed for: then the mint ends by that token, as soon as it is final, and is not rejected.
    """
    assert isinstance(message.intent, IssueVoucher)
    mint_id = message.intent.mint_id
    problem = problem_of(message.code)
    mint = await store.get(mint_id)
    if not isinstance(mint, Mint) or mint.custody != "self":
        raise Rejected("mint_unknown", "The voucher belongs to no self-custody mint on record.")
    if mint.status is MintStatus.BUILT:
        if mint.deadline is None or mint.token_id is None:
            raise OutcomeRefused("mint_unknown", mint.mint_id, "deadline")
        check_refused(message.intent, issue_voucher(mint, message.intent.signer, await store.envelope(mint)))
        # Read before the token, so that what is final then is final for good.
        final = await store.final()
        settled = await settle_from_index(mint, final, store=store, chain=chain, now=now)
        if settled or await may_be_minted(mint, final, chain=chain):
            log.warning("voucher_redeemed_before", mint_id=mint_id, code=problem.code)
            return
    elif mint.status is not MintStatus.REJECTED:
        raise MintMoved(mint)
    await store.reject(mint, problem, at=now)
    log.warning("mint_rejected", mint_id=mint_id, code=problem.code)


async def relay(
    message: SelfRedeem, *, store: TransactionStore, vouchers: VoucherStore, chain: ChainClient, now: int
) -> None:
    """Write the user's transaction down, send it, and tell the user what the node said.

    `now` is in Unix milliseconds. Raises Rejected for one of no such mint, Retryable to see it again.
    """
    if keccak256(message.raw) != message.tx_hash:
        raise Rejected("hash_mismatch", "The transaction's hash is not that of its bytes.")
    mint = await store.get(message.mint_id)
    if not isinstance(mint, Mint) or mint.custody != "self":
        raise Rejected("mint_unknown", "The transaction belongs to no self-custody mint on record.")
    if mint.to != message.sender:
        raise OutcomeRefused("mint_unknown", mint.mint_id, "sender")
    attempt = Attempt(
        tx_hash=message.tx_hash,
        max_fee_per_gas=message.fees.max_fee_per_gas,
        max_priority_fee_per_gas=message.fees.max_priority_fee_per_gas,
        at=now,
        nonce=message.nonce,
    )
    if mint.status not in WAITING:
        log.info("transaction_not_needed", **_context(message))
        return
    check_redemption(message, mint)
    # Both are on record before anything is sent: the indexer knows the mint by its transaction.
    if not await _enter(mint, attempt, vouchers=vouchers):
        log.info("transaction_not_needed", **_context(message))
        return
    await store.record(_transaction(message, len(mint.attempts), now))
    response = await chain.send_raw(message.raw)
    log.info("transaction_sent", fact=response.fact.value, said=response.message, **_context(message))
    try:
        await _act_on(response, message, vouchers=vouchers, chain=chain, now=now)
    except MintMoved:
        log.info("transaction_overtaken", **_context(message))


def expired(mint: Mint, *, final_time: int) -> bool:
    """Tell whether a waiting voucher can never be redeemed any more.

    `final_time` is the timestamp, in Unix seconds, of the newest block that is final and indexed: any
    redemption is in a block no later than the deadline, so in one that the index has seen.
    """
    return (
        mint.custody == "self"
        and mint.status in WAITING
        and mint.deadline is not None
        and mint.deadline < final_time
    )


async def expire(
    mint: Mint,
    final: Final,
    *,
    store: TransactionStore,
    chain: ChainClient,
    now: int,
    searches: Searches | None = None,
) -> bool:
    """Reject a mint whose voucher was not redeemed and never can be any more; tell whether it was so.

    One whose voucher was redeemed, and whose redemption the indexer missed, ends by its token instead
    (`settle_from_index`).
    """
    if not expired(mint, final_time=final.timestamp):
        return False
    if await settle_from_index(mint, final, store=store, chain=chain, now=now, searches=searches):
        return False
    if await may_be_minted(mint, final, chain=chain):
        return False
    try:
        await store.reject(mint, EXPIRED, at=now)
    except MintMoved:
        return False
    log.info("voucher_expired", mint_id=mint.mint_id, deadline=mint.deadline)
    return True


async def _enter(mint: Mint, attempt: Attempt, *, vouchers: VoucherStore) -> bool:
    """Put the attempt on its mint's record, once; tell whether the mint still waits for it."""
    current: Mint | None = mint
    for _ in range(_TRIES):
        if current is None or current.status not in WAITING:
            return False
        if any(earlier.tx_hash == attempt.tx_hash for earlier in current.attempts):
            return True
        if len(current.attempts) >= MAX_OWN_TRANSACTIONS:
            raise Rejected("too_many_attempts", f"A mint has {MAX_OWN_TRANSACTIONS} transactions at most.")
        try:
            await vouchers.attempt(current, attempt)
        except MintMoved as moved:
            current = moved.mint
        else:
            return True
    raise Unavailable("other attempts of the mint kept being written")


async def _act_on(
    response: SendAnswer, message: SelfRedeem, *, vouchers: VoucherStore, chain: ChainClient, now: int
) -> None:
    fact = response.fact
    if fact in TAKEN:
        await vouchers.taken(message.mint_id, at=now)
        return
    if fact is SendFact.POOL_FULL:
        raise Throttled(f"the node's pool is full: {response.message}")
    if fact not in _REASONS:
        raise Unavailable(f"the node refused the transaction: {response.message}")
    if fact is SendFact.NONCE_TOO_LOW and await chain.receipt(message.tx_hash) is not None:
        return  # it is this very transaction that was mined: the indexer tells the rest
    await vouchers.refused(message.mint_id, Problem(code=fact.value, reason=_REASONS[fact]), at=now)


def _transaction(message: SelfRedeem, attempt: int, now: int) -> SignedTransaction:
    return SignedTransaction(
        tx_hash=message.tx_hash,
        kind=message.type,
        mint_id=message.mint_id,
        sender=message.sender,
        nonce=message.nonce,
        chain_id=message.chain_id,
        raw=message.raw,
        attempt=attempt,
        at=now,
        trace=message.trace or None,
    )


def _context(message: SelfRedeem) -> dict[str, object]:
    return {"tx_hash": "0x" + message.tx_hash.hex(), "sender": message.sender, "nonce": message.nonce}
