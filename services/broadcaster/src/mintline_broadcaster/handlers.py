"""The messages of `broadcast.fifo`: a signed transaction, the enclave's refusal to sign one, and a review."""

from __future__ import annotations

import structlog

from mintline.errors import Rejected
from mintline.eth import keccak256
from mintline.intents import sign_mint
from mintline.messages import Broadcast, IssueVoucher, ReviewMint, SigningRefused, SignMint, SignTopUp
from mintline.queueing import SendingPort
from mintline.records import Mint
from mintline.refusals import RefusalCode, problem_of
from mintline.states import MintStatus
from mintline_broadcaster.fees import FeeCaps
from mintline_broadcaster.intents import ask_for_nonce
from mintline_broadcaster.noops import Noops
from mintline_broadcaster.on_record import check_identity, check_refused
from mintline_broadcaster.outcomes import act_on, context, end, fill_if_unused
from mintline_broadcaster.ports import Chain, Ledger
from mintline_broadcaster.vouchers import refuse_voucher
from mintline_broadcaster.watch import Sender, Watch
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
    standing = await write_ahead(message, ledger=ledger, now=now)
    match standing:
        case Standing.SETTLED:
            log.info("transaction_not_needed", **context(message))
        case Standing.DEAD:
            log.info("transaction_of_rejected_mint", **context(message))
            # The no-op's message may have been lost between the mint's end and now.
            if isinstance(message.intent, SignMint):
                await fill_if_unused(message.intent, chain=chain, noops=noops, now=now)
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
        return
    mint = await ledger.get(intent.mint_id) if isinstance(intent, SignMint) else None
    if not isinstance(intent, SignMint) or _is_replacement(intent, mint):
        log.error("signing_refused", code=problem.code, kind=intent.type)
        if isinstance(intent, SignTopUp) and intent.attempt == 0:
            await noops.fill_nonce(intent, now=now)
        raise Rejected(problem.code, problem.reason)
    if mint is not None and mint.status is MintStatus.BUILT:
        check_refused(message, mint, await ledger.envelope(mint))
    elif mint is not None:
        check_identity(intent, mint)
    await end(intent, problem, source=MintStatus.BUILT, ledger=ledger, noops=noops, now=now)


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
    if mint.nonce == intent.nonce:
        await noops.fill_nonce(intent, now=now)
        await ask_for_nonce(mint, outbox=outbox)


def _is_replacement(intent: SignMint, mint: Mint | None) -> bool:
    """Tell a later attempt from the first one under a new nonce, which only the record can."""
    if intent.attempt == 0:
        return False
    return mint is not None and mint.status not in (MintStatus.BUILT, MintStatus.REJECTED)


async def review(
    message: ReviewMint,
    *,
    ledger: Ledger,
    chain: Chain,
    noops: Noops,
    watch: Watch,
    now: int,
) -> None:
    """Do at once what the sweep would do with a mint: its user stopped it, or a reorg dropped it.

    Raises Rejected for a mint that does not exist.
    """
    mint = await ledger.get(message.mint_id)
    if mint is None:
        raise Rejected("unknown_mint", "There is no record of this mint.")
    if mint.sender is None or mint.nonce is None:
        return
    if mint.status is MintStatus.SUBMITTED:
        sender = Sender(mint.sender.address, submitted=[mint])
        await watch.look(sender, await ledger.final(), now=now, urgent=True)
    elif mint.status is MintStatus.REJECTED:
        await fill_if_unused(sign_mint(mint), chain=chain, noops=noops, now=now)
