"""The two messages of `broadcast.fifo`: a signed transaction, and the enclave's refusal to sign one."""

from __future__ import annotations

import structlog

from mintline.errors import Rejected
from mintline.eth import keccak256
from mintline.messages import Broadcast, SigningRefused, SignMint, SignTopUp
from mintline.queueing import SendingPort
from mintline.records import Mint, Problem
from mintline.states import MintStatus
from mintline_broadcaster.fees import FeeCaps
from mintline_broadcaster.intents import fill_nonce
from mintline_broadcaster.outcomes import NONCE_TAKEN, act_on, context, end
from mintline_broadcaster.ports import Chain, Ledger
from mintline_broadcaster.write_ahead import Standing, write_ahead

log = structlog.get_logger(__name__)


async def broadcast(
    message: Broadcast, *, ledger: Ledger, chain: Chain, outbox: SendingPort, caps: FeeCaps, now: int
) -> None:
    """Write a signed transaction down, send it, and do what the node's answer asks for.

    `now` is in Unix milliseconds. Returns when nothing is left to do for this message; raises Retryable to
    see it again, Rejected for one that can never be sent.
    """
    if keccak256(message.raw) != message.tx_hash:
        raise Rejected("hash_mismatch", "The transaction's hash is not that of its bytes.")
    standing, mint = await write_ahead(message, ledger=ledger, now=now)
    match standing:
        case Standing.SETTLED:
            log.info("transaction_not_needed", **context(message))
        case Standing.DEAD:
            log.info("transaction_of_rejected_mint", **context(message))
            # The no-op's message may have been lost between the mint's end and now.
            if isinstance(message.intent, SignMint) and _nonce_is_free(mint):
                await fill_nonce(message.intent, caps, outbox=outbox)
        case Standing.SEND:
            answer = await chain.send_raw(message.raw)
            log.info("transaction_sent", fact=answer.fact.value, said=answer.message, **context(message))
            await act_on(answer, message, ledger=ledger, chain=chain, outbox=outbox, caps=caps, now=now)


async def refuse(
    message: SigningRefused, *, ledger: Ledger, outbox: SendingPort, caps: FeeCaps, now: int
) -> None:
    """End a mint whose signing the enclave's policy refused, and fill the nonce reserved for it.

    A refused replacement changes nothing, as the earlier attempts still stand. It, a refused no-op
    and a refused top-up are an operator's business, and raise Rejected; the top-up's nonce is filled all the
    same, as the treasury's later ones wait for it.
    """
    intent = message.intent
    if not isinstance(intent, SignMint) or intent.attempt > 0:
        log.error("signing_refused", code=message.code, kind=intent.type)
        if isinstance(intent, SignTopUp) and intent.attempt == 0:
            await fill_nonce(intent, caps, outbox=outbox)
        raise Rejected(message.code, message.reason)
    problem = Problem(code=message.code, reason=message.reason)
    await end(intent, problem, source=MintStatus.BUILT, ledger=ledger, outbox=outbox, caps=caps, now=now)


def _nonce_is_free(mint: Mint | None) -> bool:
    return mint is not None and (mint.problem is None or mint.problem.code != NONCE_TAKEN)
