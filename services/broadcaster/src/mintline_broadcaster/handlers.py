"""The messages of `broadcast.fifo`: a signed transaction, the enclave's refusal to sign one, and a review."""

from __future__ import annotations

import structlog

from mintline.errors import Rejected
from mintline.eth import keccak256
from mintline.kinds import meaning_of
from mintline.messages import (
    AnyIntent,
    Broadcast,
    IssueVoucher,
    ReviewMint,
    SigningRefused,
    SignMint,
    SignTopUp,
)
from mintline.queueing import SendingPort
from mintline.refusals import RefusalCode, problem_of
from mintline.states import UNDECIDED, MintStatus, TransactionState
from mintline.transaction_records import Transaction, carried_by, place_of
from mintline_broadcaster.fees import FeeCaps
from mintline_broadcaster.intents import ask_for_nonce
from mintline_broadcaster.noops import Noops
from mintline_broadcaster.on_record import check_identity, check_refused
from mintline_broadcaster.outcomes import act_on, context, end, fill_for_good, fill_if_unused
from mintline_broadcaster.ports import Chain, Ledger
from mintline_broadcaster.vouchers import refuse_voucher
from mintline_broadcaster.watch import Watch
from mintline_broadcaster.write_ahead import Standing, write_ahead

log = structlog.get_logger(__name__)


async def broadcast(
    message: Broadcast,
    *,
    ledger: Ledger,
    chain: Chain,
    outbox: SendingPort,
    noops: Noops,
    caps: FeeCaps,
    now: int,
) -> None:
    """Write a signed transaction down, send it, and do what the node's answer asks for.

    The bytes carry the intent (`carried`). `now` is in Unix milliseconds. Returns when nothing is left to do
    for this message; raises Retryable to see it again, Rejected for one that can never be sent.
    """
    if keccak256(message.raw) != message.tx_hash:
        raise Rejected("hash_mismatch", "The transaction's hash is not that of its bytes.")
    entered = await write_ahead(message, ledger=ledger, now=now)
    match entered.standing:
        case Standing.SETTLED:
            log.info("transaction_not_needed", **context(message))
        case Standing.FILLING:
            log.info("transaction_gives_way", **context(message))
            # The no-op's message may have been lost between the record and now.
            assert entered.transaction is not None
            await fill_if_unused(entered.transaction, chain=chain, noops=noops, now=now)
        case Standing.SEND:
            answer = await chain.send_raw(message.raw)
            log.info("transaction_sent", fact=answer.fact.value, said=answer.message, **context(message))
            await act_on(
                answer, message, ledger=ledger, chain=chain, outbox=outbox, noops=noops, caps=caps, now=now
            )


async def refuse(
    message: SigningRefused, *, ledger: Ledger, outbox: SendingPort, noops: Noops, now: int
) -> None:
    """End a built mint whose signing the enclave refused, and fill the nonce reserved for it.

    What comes after a no-op on its nonce only came late: a mint that is still built gets another nonce. A
    refused replacement changes nothing, as the earlier attempts still stand. It, a refused no-op and a
    refused top-up are an operator's business, and raise Rejected; the top-up's nonce is filled all the same,
    as the treasury's later ones wait for it.
    """
    intent = message.intent
    if isinstance(intent, IssueVoucher):
        await refuse_voucher(message, ledger=ledger, now=now)
        return
    problem = problem_of(message.code)
    if message.code == RefusalCode.NONCE_FILLED:
        log.info("signing_came_late", kind=intent.type)
        if isinstance(intent, SignMint):
            await _renew_unsent(intent, ledger=ledger, outbox=outbox, noops=noops, now=now)
        elif isinstance(intent, SignTopUp):
            # The no-op was signed, and may have been lost since: the treasury's later ones wait for it.
            await _fill_refused(intent, ledger=ledger, noops=noops, now=now)
        return
    transaction = await ledger.transaction(place_of(intent.signer, intent.nonce))
    if not isinstance(intent, SignMint) or not _is_first(intent, transaction):
        log.error("signing_refused", code=problem.code, kind=intent.type)
        if isinstance(intent, SignTopUp):
            await _fill_refused(intent, ledger=ledger, noops=noops, now=now)
        raise Rejected(problem.code, problem.reason)
    mint = await ledger.get(intent.mint_id)
    if mint is not None and mint.status is MintStatus.BUILT:
        check_refused(message, mint, await ledger.envelope(mint))
    elif mint is not None:
        check_identity(intent, mint)
    await end(intent, problem, source=MintStatus.BUILT, ledger=ledger, noops=noops, now=now)


async def _fill_refused(intent: SignTopUp, *, ledger: Ledger, noops: Noops, now: int) -> None:
    """Have the nonce of a top-up filled that was never signed, if it was reserved for that very top-up."""
    transaction = await ledger.transaction(place_of(intent.signer, intent.nonce))
    if (
        transaction is not None
        and transaction.state in UNDECIDED
        and transaction.meaning == meaning_of(intent)
        and _is_first(intent, transaction)
        and not transaction.own_attempts
    ):
        await fill_for_good(transaction, ledger=ledger, noops=noops, now=now)


async def _renew_unsent(
    intent: SignMint, *, ledger: Ledger, outbox: SendingPort, noops: Noops, now: int
) -> None:
    """Have a mint that was never sent under its nonce get another, once the no-op is mined.

    The no-op was signed, but may have been lost since: it is asked for again.
    """
    mint = await ledger.get(intent.mint_id)
    if mint is None or mint.status is not MintStatus.BUILT:
        return
    check_identity(intent, mint)
    transaction = await ledger.transaction(place_of(intent.signer, intent.nonce))
    if mint.nonce == intent.nonce and transaction is not None:
        await noops.fill(transaction, now=now)
        await ask_for_nonce(mint, outbox=outbox)


def _is_first(intent: AnyIntent, transaction: Transaction | None) -> bool:
    """Tell the first attempt at a nonce from a replacement, whose earlier attempts still stand."""
    return transaction is None or intent.attempt == transaction.first_attempt


async def review(message: ReviewMint, *, ledger: Ledger, watch: Watch, now: int) -> None:
    """Do at once what the sweep would do with a mint: its user stopped it, or a reorg dropped it.

    Raises Rejected for a mint that does not exist.
    """
    mint = await ledger.get(message.mint_id)
    if mint is None:
        raise Rejected("unknown_mint", "There is no record of this mint.")
    place = carried_by(mint)
    transaction = None if place is None else await ledger.transaction(place)
    if transaction is None or transaction.state in (TransactionState.MINED, TransactionState.FINAL):
        return
    if mint.status in (MintStatus.SUBMITTED, MintStatus.REJECTED):
        await watch.look([transaction], await ledger.final(), now=now, urgent=True)
