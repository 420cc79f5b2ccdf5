"""Stopping a mint: at once while it was not sent, by its nonce afterwards, and never once it is mined."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from mintline.errors import Unavailable
from mintline.messages import ReviewMint
from mintline.records import CANCELLED, Mint
from mintline.states import MintStatus
from mintline_api.features.mints.ports import MintStore
from mintline_api.features.mints.problems import NOT_CANCELLABLE
from mintline_api.features.mints.queries import get_mint
from mintline_api.features.operations.ports import Line
from mintline_api.http.problems import Refused
from mintline_api.nudges import Nudges

UNSENT = frozenset({MintStatus.ACCEPTED, MintStatus.BUILT})
"""Nothing of a mint in these states has reached a node, nor can it any more once it is rejected."""
TRIES = 10
"""Reads of a mint that keeps moving while it is to be stopped."""
_TOO_LATE = {
    MintStatus.ISSUED: "Its voucher is in your hands: do not redeem it, and it expires.",
    MintStatus.MINED: "It is on chain.",
    MintStatus.FINALIZED: "It is on chain.",
    MintStatus.REVERTED: "It was mined, and failed.",
}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Cancellation:
    """A mint as it is after it was to be stopped; `ended` if that ended it just now."""

    mint: Mint
    ended: bool


async def cancel_mint(
    mint_id: str,
    *,
    sub: str,
    trace: str,
    mints: MintStore,
    line: Line,
    now: int,
    nudges: Nudges | None = None,
) -> Cancellation:
    """Stop a mint of the caller's, or ask for that.

    One that was sent may be mined all the same: a no-op then competes for its nonce, and what is mined
    decides. Safe to repeat. `now` is in Unix milliseconds. Raises Refused for a mint that is on chain,
    whose voucher its user holds, or that shares a transaction with others.
    """
    mint = await get_mint(mint_id, sub=sub, mints=mints)
    for _ in range(TRIES):
        if mint.status is MintStatus.REJECTED:
            break
        if mint.status in _TOO_LATE or (mint.custody == "self" and mint.status not in UNSENT):
            why = _TOO_LATE.get(mint.status, _TOO_LATE[MintStatus.ISSUED])
            raise Refused(NOT_CANCELLABLE, f"The mint is {mint.status.value}. {why}")
        if mint.custody == "sponsored" and mint.nonce is not None:
            raise Refused(NOT_CANCELLABLE, "The mint is in a transaction with others, which goes on.")
        if mint.cancel_requested_at is not None:
            break
        mint = await mints.cancel(mint, CANCELLED, at=now)
    else:
        raise Unavailable("the mint kept moving")
    if mint.nonce is not None and mint.problem in (None, CANCELLED):
        # Sent on every request: a crash may have come between the record and the message.
        review = ReviewMint(mint_id=mint_id, trace=trace)
        await (nudges or Nudges()).send(line.review(review), mint_id=mint_id)
    ended = mint.status is MintStatus.REJECTED and mint.cancel_requested_at == now
    log.info("mint_cancelled" if ended else "mint_cancel_asked", mint_id=mint_id, status=mint.status.value)
    return Cancellation(mint, ended)
