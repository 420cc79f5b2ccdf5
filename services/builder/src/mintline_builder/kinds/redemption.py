"""What both kinds of mint that redeem a voucher have in common, no matter who redeems it."""

from __future__ import annotations

import structlog

from mintline.authorizations import Authorization
from mintline.errors import Rejected
from mintline.records.operations import Mint
from mintline.vouchers import voucher_of
from mintline_builder.kinds.base import Context, require_chain, unauthorized
from mintline_builder.waiting import CHAIN_TIME_SKEWED, Waiting

log = structlog.get_logger(__name__)


def buildable(mint: Mint, authorization: Authorization, context: Context) -> tuple[int, str | None]:
    """Return the token id of an accepted mint, and the metadata that is still to be published.

    Raises Rejected for a mint that has no token id or no metadata.
    """
    if mint.token_id is None:
        raise outdated()
    require_chain(mint, context.config)
    if authorization.metadata is None:
        raise unauthorized()
    return mint.token_id, authorization.unpublished


def outdated() -> Rejected:
    """Return the refusal of a mint that was accepted without a token id."""
    return Rejected(
        "mint_outdated",
        "The mint was accepted by an earlier version, without a token id. Send the request again, with "
        "another Idempotency-Key.",
    )


async def voucher_deadline(context: Context) -> int:
    """Return a voucher's deadline by the chain's time, in Unix seconds.

    Raises Waiting while that is too far from ours for the enclave to accept it.
    """
    now = await context.chain_time()
    if abs(now - context.clock()) > context.config.max_chain_skew:
        log.error("chain_time_skewed", chain_time=now, skew=round(now - context.clock()))
        raise Waiting(CHAIN_TIME_SKEWED)
    return now + context.config.voucher_ttl


async def redemption_gas(mint: Mint, sender: str, deadline: int, context: Context, *, sponsored: bool) -> int:
    """Return the gas limit of a redemption by `sender`, by a simulation of the mint's very voucher.

    Raises TokenTaken for one whose token is on chain: whether it is the mint's own is for the index to tell.
    """
    voucher = voucher_of(mint.evolve(deadline=deadline))
    return await context.simulator.gas(mint.contract, sender, voucher, sponsored=sponsored)
