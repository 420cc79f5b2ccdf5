"""What the builder does with a message.

The order of a build keeps every step before the reservation repeatable: read, check funds, simulate, publish
the metadata; then one write makes the mint `built`, gives it its nonce, and creates the record of the
transaction that carries it from then on; then it is sent on. A crash
anywhere means the message comes back, and finds either an accepted mint (start over) or a built one (send it
on again, the same).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NoReturn

import structlog

from mintline.authorizations import Authorization
from mintline.errors import Conflict, Deferred, Rejected
from mintline.intents import dedup_id, group_of, issue_voucher, sign_mint, voucher_of
from mintline.messages import BuildMint, Fees, FundWallet, RenewNonce
from mintline.records import TOKEN_ON_CHAIN, Mint, Problem
from mintline.refusals import RefusalCode, problem_of
from mintline.resources import SIGN
from mintline.states import MintStatus
from mintline.transaction_records import carried_by
from mintline_builder.funds import Funds, Need
from mintline_builder.metrics import Metrics
from mintline_builder.policy import Terms
from mintline_builder.ports import RENEWABLE, Metadata, MintClaim, Mints, Outbox, VoucherClaim
from mintline_builder.reserver import Reserver
from mintline_builder.simulation import Simulator, TokenTaken
from mintline_builder.waiting import CHAIN_TIME_SKEWED, Waiting

LAGGING_NODE_WAIT = 5.0
TOP_UP_WAIT = 1.0
"""Seconds after which a mint that waits for its wallet's top-up looks again."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """The steps that come before a reservation, each repeatable."""

    fees: Callable[[], Awaitable[Fees]]
    chain_time: Callable[[], Awaitable[int]]
    """Unix seconds of the latest block: what the contract holds a deadline against."""
    simulator: Simulator
    funds: Funds
    metadata: Metadata


async def build(
    cmd: BuildMint,
    *,
    terms: Terms,
    mints: Mints,
    preparation: Preparation,
    reserver: Reserver,
    outbox: Outbox,
    metrics: Metrics,
    clock: Callable[[], float],
) -> None:
    """Give an accepted mint its deadline, gas, fees and nonce, and send it on to be signed.

    A self-custody mint gets no fees and no nonce: its user sends the transaction, and pays for it. A mint
    that cannot succeed is rejected on its record; one that waits for somebody to act says so there, and the
    sweep sends it on again, for `terms.max_wait` at most. Raises Deferred while the wallet waits for gas
    money, and Conflict when another delivery ended the mint.
    """
    mint = await _load(mints, cmd.mint_id)
    if mint.status not in (MintStatus.ACCEPTED, MintStatus.BUILT):
        return
    authorization = await mints.authorization(mint)
    if mint.status is MintStatus.ACCEPTED:
        try:
            if mint.custody == "self":
                mint = await _offer(
                    mint,
                    authorization,
                    terms=terms,
                    mints=mints,
                    preparation=preparation,
                    clock=clock,
                )
            else:
                mint = await _reserve(
                    mint,
                    authorization,
                    terms=terms,
                    preparation=preparation,
                    reserver=reserver,
                    clock=clock,
                )
            metrics.built.inc()
            metrics.stages.reached(MintStatus.BUILT, after=(mint.updated_at - mint.created_at) / 1000)
        except Waiting as waiting:
            await _wait(mint, waiting.problem, terms=terms, mints=mints, metrics=metrics, clock=clock)
            return
        except TokenTaken:
            await _wait_for_index(mint, mints=mints, metrics=metrics)
            return
        except Rejected as refusal:
            problem = Problem(code=refusal.code, reason=refusal.reason)
            await _end(mint, problem, mints=mints, metrics=metrics, clock=clock)
            return
        except Conflict:
            # Another delivery, or a try of ours whose answer was lost, has built it.
            mint = await _load(mints, cmd.mint_id)
    if mint.status is MintStatus.BUILT:
        # Sent again on every delivery: a crash may have come between the reservation and the send.
        await _send_on(mint, authorization, terms, outbox)


async def renew(
    cmd: RenewNonce,
    *,
    terms: Terms,
    mints: Mints,
    preparation: Preparation,
    reserver: Reserver,
    outbox: Outbox,
    metrics: Metrics,
    clock: Callable[[], float],
) -> None:
    """Give a built or submitted mint another nonce, after another transaction has used its own.

    A mint that moved on since, or is to be stopped, is left as it is, or sent on if it is built. Raises as
    `build` does.
    """
    mint = await _load(mints, cmd.mint_id)
    if mint.status in RENEWABLE and mint.nonce == cmd.nonce and mint.cancel_requested_at is None:
        try:
            mint = await _renew(mint, terms, preparation, reserver, clock)
            metrics.renewed.inc()
        except Waiting as waiting:
            if not _waited_enough(mint, terms, clock):
                raise
            problem = _waited_too_long(waiting.problem, terms)
            await _end(mint, problem, mints=mints, metrics=metrics, clock=clock)
            return
        except Rejected as refusal:
            problem = Problem(code=refusal.code, reason=refusal.reason)
            await _end(mint, problem, mints=mints, metrics=metrics, clock=clock)
            return
        except Conflict:
            mint = await _load(mints, cmd.mint_id)
    if mint.status is MintStatus.BUILT:
        await _send_on(mint, await mints.authorization(mint), terms, outbox)


async def _wait(
    mint: Mint,
    problem: Problem,
    *,
    terms: Terms,
    mints: Mints,
    metrics: Metrics,
    clock: Callable[[], float],
) -> None:
    """Note what a mint waits for, or end it when it has waited long enough.

    Its message is done with either way. Waiting on the queue would hold a place of the queue's (20,000
    messages of a FIFO queue may be in flight) and keep back the wallet's mints in other collections.
    """
    if _waited_enough(mint, terms, clock):
        late = _waited_too_long(problem, terms)
        await _end(mint, late, mints=mints, metrics=metrics, clock=clock)
        return
    metrics.waiting.labels(problem.code).inc()
    log.info("mint_waits", code=problem.code)
    if mint.waiting != problem:
        await mints.wait(mint.mint_id, problem)


async def _wait_for_index(mint: Mint, *, mints: Mints, metrics: Metrics) -> None:
    """Leave an accepted mint whose token is on chain to the broadcaster, which knows whose token that is.

    It is someone else's, or the mint's own: a record that was restored from a backup may be older than its
    token. However long that takes to tell, nothing else can be minted for it.
    """
    metrics.waiting.labels(TOKEN_ON_CHAIN.code).inc()
    log.warning("mint_token_on_chain", token_id=str(mint.token_id))
    if mint.waiting != TOKEN_ON_CHAIN:
        await mints.wait(mint.mint_id, TOKEN_ON_CHAIN)


def _waited_enough(mint: Mint, terms: Terms, clock: Callable[[], float]) -> bool:
    return _milliseconds(clock) - mint.created_at >= terms.max_wait * 1000


def _waited_too_long(problem: Problem, terms: Terms) -> Problem:
    cause = problem.reason.partition(". ")[0]
    return Problem(
        code=problem.code, reason=f"{cause}, for {terms.max_wait / 3600:g} hours. Mint again later."
    )


async def _end(
    mint: Mint,
    problem: Problem,
    *,
    mints: Mints,
    metrics: Metrics,
    clock: Callable[[], float],
) -> None:
    """Reject a mint, and count that; the nonce that it has, if any, is spent."""
    await mints.reject(mint.mint_id, problem, at=_milliseconds(clock), spent=carried_by(mint))
    metrics.rejected.labels(problem.code).inc()
    metrics.stages.reached(MintStatus.REJECTED)
    log.info("mint_rejected", code=problem.code)


async def _send_on(mint: Mint, authorization: Authorization, terms: Terms, outbox: Outbox) -> None:
    if mint.custody == "self":
        request = issue_voucher(mint, terms.issuer, authorization.envelope)
        await outbox.send(SIGN, request, group=mint.mint_id, dedup=f"issue:{mint.mint_id}")
    else:
        intent = sign_mint(mint, authorization.envelope)
        await outbox.send(SIGN, intent, group=group_of(intent), dedup=dedup_id(intent))
    log.info("mint_built", nonce=mint.nonce, token_id=str(mint.token_id))


async def fund(cmd: FundWallet, *, funds: Funds) -> None:
    """Top up a wallet whose transaction a node refused for lack of funds, unless it is rich enough by now.

    Raises as `Funds.need_of` does for what no transaction on record asks for.
    """
    need = await funds.need_of(cmd.wallet, cmd.required, cmd.balance)
    if not need.met:
        try:
            await funds.top_up(cmd.wallet, need, trace=cmd.trace)
        except Waiting as waiting:
            # The broadcaster asks again, and other messages of the wallet are behind this one.
            log.warning("funding_waits", wallet=cmd.wallet, code=waiting.problem.code)


async def _load(mints: Mints, mint_id: str) -> Mint:
    mint = await mints.get(mint_id)
    if mint is None:
        raise Rejected("mint_unknown", "There is no record of this mint.")
    return mint


async def _reserve(
    mint: Mint,
    authorization: Authorization,
    *,
    terms: Terms,
    preparation: Preparation,
    reserver: Reserver,
    clock: Callable[[], float],
) -> Mint:
    """Take a custodial mint to `built`, and return it as it then is on record."""
    token_id, metadata = _buildable(mint, authorization, terms)
    wallet = mint.wallet
    fees, deadline = await asyncio.gather(preparation.fees(), _deadline(terms, preparation, clock))
    gas = await preparation.simulator.usual_gas(mint.contract, wallet)
    need = await preparation.funds.need(wallet, gas * fees.max_fee_per_gas)
    if not need.met:
        await _wait_for_funds(mint, need, deadline, preparation)
    with preparation.funds.held(wallet):
        gas = await _gas(mint, wallet, deadline, preparation)
        await preparation.metadata.put(mint.contract, token_id, metadata, mint.metadata_digest)
        claim = MintClaim(mint, deadline, gas, fees, _milliseconds(clock))
        nonce = await reserver.reserve(wallet, claim, floor=need.mined)
    return claim.built(nonce)


async def _renew(
    mint: Mint, terms: Terms, preparation: Preparation, reserver: Reserver, clock: Callable[[], float]
) -> Mint:
    """Take a mint whose nonce is spent back to `built`, with another deadline, gas, fees and nonce.

    Should the mint be on chain after all, its token is, and the simulation says so.
    """
    assert mint.nonce is not None
    wallet = mint.wallet
    fees, deadline = await asyncio.gather(preparation.fees(), _deadline(terms, preparation, clock))
    gas = await _gas(mint, wallet, deadline, preparation)
    need = await preparation.funds.need(wallet, gas * fees.max_fee_per_gas)
    if need.mined <= mint.nonce:
        raise Deferred("the node does not know yet that the nonce is used", retry_after=LAGGING_NODE_WAIT)
    if not need.met:
        await _wait_for_funds(mint, need, deadline, preparation)
    with preparation.funds.held(wallet):
        claim = MintClaim(mint, deadline, gas, fees, _milliseconds(clock))
        nonce = await reserver.reserve(wallet, claim, floor=need.mined)
    log.warning("nonce_renewed", spent=mint.nonce, nonce=nonce)
    return claim.built(nonce)


async def _offer(
    mint: Mint,
    authorization: Authorization,
    *,
    terms: Terms,
    mints: Mints,
    preparation: Preparation,
    clock: Callable[[], float],
) -> Mint:
    """Take a self-custody mint to `built`, and return it as it then is on record."""
    token_id, metadata = _buildable(mint, authorization, terms)
    deadline = await _deadline(terms, preparation, clock)
    gas = await _gas(mint, mint.to, deadline, preparation)
    await preparation.metadata.put(mint.contract, token_id, metadata, mint.metadata_digest)
    claim = VoucherClaim(mint.mint_id, deadline, gas, _milliseconds(clock))
    await mints.offer(mint, claim)
    return mint.evolve(**claim.update())


async def _deadline(terms: Terms, preparation: Preparation, clock: Callable[[], float]) -> int:
    """Return a voucher's deadline by the chain's time, in Unix seconds.

    Raises Waiting while that is too far from ours for the enclave to accept it.
    """
    now = await preparation.chain_time()
    if abs(now - clock()) > terms.max_chain_skew:
        log.error("chain_time_skewed", chain_time=now, skew=round(now - clock()))
        raise Waiting(CHAIN_TIME_SKEWED)
    return now + terms.voucher_ttl


def _buildable(mint: Mint, authorization: Authorization, terms: Terms) -> tuple[int, str]:
    """Return the token id and the metadata of an accepted mint; raises Rejected for one that lacks them.

    The metadata is not kept for longer than an enclave would sign by it (`mintline.authorizations`).
    """
    if mint.token_id is None:
        raise Rejected(
            "mint_outdated",
            "The mint was accepted by an earlier version, without a token id. Send the request again, "
            "with another Idempotency-Key.",
        )
    if mint.chain_id != terms.chain_id:
        raise Rejected("mint_malformed", "The mint is not one that this builder can build.")
    if authorization.metadata is None:
        missing = problem_of(RefusalCode.AUTHORIZATION_MISSING)
        raise Rejected(missing.code, missing.reason)
    return mint.token_id, authorization.metadata


async def _gas(mint: Mint, sender: str, deadline: int, preparation: Preparation) -> int:
    """Return the gas limit of a mint, by a simulation of its very voucher.

    Raises TokenTaken for one whose token is on chain: whose that is, the index tells.
    """
    voucher = voucher_of(mint.evolve(deadline=deadline))
    return await preparation.simulator.gas(
        mint.contract, sender, voucher, sponsored=mint.custody == "custodial"
    )


async def _wait_for_funds(mint: Mint, need: Need, deadline: int, preparation: Preparation) -> NoReturn:
    """Start a top-up, unless a simulation tells that the mint cannot succeed."""
    await _gas(mint, mint.wallet, deadline, preparation)
    await preparation.funds.top_up(mint.wallet, need, trace=mint.trace)
    raise Deferred("the wallet waits for gas money", retry_after=TOP_UP_WAIT)


def _milliseconds(clock: Callable[[], float]) -> int:
    return int(clock() * 1000)
