"""What the builder does with a message, whatever kind of operation it is about.

The order of a build keeps every step before the reservation repeatable; then one write makes the operation
`built`, gives it its nonce, and creates the record of the transaction that carries it from then on; then it
is sent on. A crash anywhere means the message comes back, and finds either an accepted operation (start over)
or a built one (send it on again, the same). What the steps are is the kind's own (`mintline_builder.kinds`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from mintline.clock import UnixSeconds, to_ms
from mintline.errors import Conflict, Rejected, Unavailable
from mintline.messages.work import BuildMint, FinishBatch, FundWallet, RenewNonce
from mintline.records.keys import scoped
from mintline.records.operations import Operation
from mintline.records.problems import TOKEN_ON_CHAIN, Problem
from mintline.records.transactions import TransactionKey, carried_by
from mintline.states import MintStatus
from mintline_builder.batches import Batches
from mintline_builder.claims import RENEWABLE
from mintline_builder.config import BuilderConfig
from mintline_builder.funds import Funds
from mintline_builder.kinds import Built, OperationKind, event
from mintline_builder.metrics import Metrics
from mintline_builder.ports import Operations
from mintline_builder.relayers import Relayers
from mintline_builder.simulation import TokenTaken
from mintline_builder.waiting import Waiting

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What building needs, whatever the kind."""

    config: BuilderConfig
    operations: Operations
    kinds: Mapping[str, OperationKind[Any]]
    metrics: Metrics
    clock: Callable[[], UnixSeconds]

    def kind_of(self, operation: Operation) -> OperationKind[Any]:
        """Return an operation's kind; raises Rejected for one that is not built here."""
        name = operation.request_type
        if name not in self.kinds:
            raise Rejected("operation_unknown", f"This release does not build operations of kind {name}.")
        return self.kinds[name]

    def waited_enough(self, operation: Operation) -> bool:
        """Tell whether an operation has waited for as long as it may."""
        return to_ms(self.clock()) - operation.created_at >= self.config.max_wait * 1000


async def build(cmd: BuildMint, *, frame: Frame) -> None:
    """Have an accepted operation built by its kind, and send it on to be signed.

    One that cannot succeed is rejected on its record; one that waits for somebody to act says so there, and
    the sweep sends it on again, for `config.max_wait` at most. Raises Deferred for what goes on by itself, as
    when a wallet waits for gas money, and Conflict when another delivery ended the operation.
    """
    authorized = await frame.operations.with_authorization(cmd.mint_id, cmd.digest)
    if authorized is None:
        raise unknown()
    operation, authorization = authorized
    if operation.status not in (MintStatus.ACCEPTED, MintStatus.BUILT):
        return
    kind = frame.kind_of(operation)
    built = Built(operation)
    if operation.status is MintStatus.ACCEPTED:
        try:
            built = await kind.build(operation, authorization)
            frame.metrics.was_built(built.operation)
        except (Waiting, TokenTaken, Rejected) as refusal:
            await note_refusal(operation, refusal, frame)
            return
        except Conflict:
            # Another delivery, or a try of ours whose answer was lost, has built it.
            built = Built(await load(frame, cmd.mint_id))
            if built.operation.status is MintStatus.ACCEPTED:
                raise Unavailable("what was to carry the operation does not") from None
    if built.operation.status is MintStatus.BUILT:
        # Sent again on every delivery: a crash may have come between the reservation and the send.
        await kind.send_on(built, authorization)


async def note_refusal(operation: Operation, refusal: Waiting | TokenTaken | Rejected, frame: Frame) -> None:
    """Write down why an accepted operation is not built: it waits, or it is rejected.

    Raises Conflict when another delivery ended it.
    """
    match refusal:
        case Waiting():
            await _wait(operation, refusal.problem, frame)
        case TokenTaken():
            await _wait_for_index(operation, frame)
        case Rejected():
            await _end(operation, Problem(code=refusal.code, reason=refusal.reason), frame)


async def renew(cmd: RenewNonce, *, frame: Frame) -> None:
    """Have a built or submitted operation get another nonce, after another transaction has used its own.

    One that moved on since, or is to be stopped, is left as it is, or sent on if it is built; one of a kind
    that gets no other nonce is left to the broadcaster, which rejects it. Raises as `build` does.
    """
    operation = await load(frame, cmd.mint_id)
    kind = frame.kind_of(operation)
    if not kind.renewable:
        log.warning("renewal_dropped", kind=operation.kind, nonce=cmd.nonce)
        return
    authorization = await frame.operations.authorization(operation)
    built = Built(operation)
    if _is_spent(operation, cmd):
        try:
            built = await kind.renew(operation, authorization)
            frame.metrics.renewed.inc()
        except Waiting as waiting:
            if not frame.waited_enough(operation):
                raise
            await _end(operation, _waited_too_long(operation, waiting.problem, frame.config), frame)
            return
        except Rejected as refusal:
            await _end(operation, Problem(code=refusal.code, reason=refusal.reason), frame)
            return
        except Conflict:
            built = Built(await load(frame, cmd.mint_id))
            if _is_spent(built.operation, cmd):
                raise Unavailable("what was to carry the operation does not") from None
    if built.operation.status is MintStatus.BUILT:
        await kind.send_on(built, authorization)


def _is_spent(operation: Operation, cmd: RenewNonce) -> bool:
    """Tell whether an operation depends on the nonce that a message calls spent, and is not to be stopped."""
    depends = operation.status in RENEWABLE and operation.nonce == cmd.nonce
    return depends and operation.cancel_requested_at is None


async def _wait(operation: Operation, problem: Problem, frame: Frame) -> None:
    """Note what an operation waits for, or end it when it has waited long enough.

    Its message is done with either way. Waiting on the queue would hold a place of the queue's (20,000
    messages of a FIFO queue may be in flight) and keep back the wallet's mints in other collections.
    """
    if frame.waited_enough(operation):
        await _end(operation, _waited_too_long(operation, problem, frame.config), frame)
        return
    log.info(event(operation, "waits"), code=problem.code)
    await _note(operation, problem, frame)


async def _note(operation: Operation, problem: Problem, frame: Frame) -> None:
    """Count that an operation waits, and write down for what, unless its record says so."""
    frame.metrics.must_wait(operation, problem.code)
    if operation.waiting != problem:
        await frame.operations.wait(operation.operation_id, problem)


async def _wait_for_index(operation: Operation, frame: Frame) -> None:
    """Leave an accepted mint whose token is on chain to the broadcaster, which knows whose token that is.

    It is someone else's, or the mint's own: a record that was restored from a backup may be older than its
    token. However long that takes to tell, nothing else can be minted for it.
    """
    log.warning("mint_token_on_chain", token_id=str(operation.token_id))
    await _note(operation, TOKEN_ON_CHAIN, frame)


def _waited_too_long(operation: Operation, problem: Problem, config: BuilderConfig) -> Problem:
    cause, verb = problem.reason.partition(". ")[0], operation.kind.removeprefix("relayed_").capitalize()
    return Problem(
        code=problem.code, reason=f"{cause}, for {config.max_wait / 3600:g} hours. {verb} again later."
    )


async def _end(operation: Operation, problem: Problem, frame: Frame) -> None:
    """Reject an operation, and count that; the nonce that it has, if any, is spent."""
    spent = carried_by(operation)
    at = to_ms(frame.clock())
    await frame.operations.reject(operation.operation_id, problem, at=at, spent=spent)
    frame.metrics.was_rejected(operation, problem.code)
    log.info(event(operation, "rejected"), code=problem.code)


async def fund(cmd: FundWallet, *, funds: Funds, relayers: Relayers) -> None:
    """Top up a wallet whose transaction a node refused for lack of funds, if its balance is still too small.

    A relayer gets what its refill says, at most. Raises as `Funds.check_refused_funding` does.
    """
    if relayers.owns(cmd.wallet):
        await relayers.was_refused(cmd.wallet, cmd.required)
        return
    funding = await funds.check_refused_funding(cmd.wallet, cmd.required, cmd.balance)
    if not funding.sufficient:
        try:
            await funds.top_up(cmd.wallet, funding, trace=cmd.trace)
        except Waiting as waiting:
            # The broadcaster asks again, and other messages of the wallet are behind this one.
            log.warning("funding_waits", wallet=cmd.wallet, code=waiting.problem.code)


async def finish(cmd: FinishBatch, *, batches: Batches, config: BuilderConfig) -> None:
    """Finish a batch whose claims were cut off; raises as `Batches.finish` does."""
    await batches.finish(TransactionKey(scoped(config.chain_id, cmd.sender), cmd.nonce))


async def load(frame: Frame, operation_id: str) -> Operation:
    """Return an operation as it stands; raises Rejected if there is none."""
    operation = await frame.operations.get(operation_id)
    if operation is None:
        raise unknown()
    return operation


def unknown() -> Rejected:
    """Return the refusal of a message that names no operation on record."""
    return Rejected("mint_unknown", "There is no record of this mint.")
