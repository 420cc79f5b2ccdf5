"""Transfers and burns of tokens that wallets in custody hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

import structlog

from mintline.authorizations import Authorization
from mintline.errors import Unavailable
from mintline.messages.work import ReviewMint
from mintline.records.collections import RegisteredContract
from mintline.records.operations import RelayedBurn, RelayedTransfer, TokenBurn, TokenOperation, TokenTransfer
from mintline.records.problems import TOKEN_OPERATION_CANCELLED
from mintline.records.wallets import Wallet
from mintline.states import MintStatus
from mintline_api.features.collections.problems import COLLECTION_READ_ONLY
from mintline_api.features.items.use_cases import asked_quantity
from mintline_api.features.operations.nudges import Nudges
from mintline_api.features.operations.ports import OperationStore, Outbox
from mintline_api.features.operations.problems import NOT_CANCELLABLE
from mintline_api.features.operations.use_cases import TRIES, Accepted, Intake, Submission
from mintline_api.features.transfers.checks import TokenChecks, check_recipient, check_transferable
from mintline_api.features.transfers.models import BurnRequest, TransferRequest
from mintline_api.features.transfers.problems import UNKNOWN_BURN, UNKNOWN_TRANSFER
from mintline_api.http.problems import Fault, RequestRefused

log = structlog.get_logger()

_TOO_LATE = {
    MintStatus.MINED: "It is on chain.",
    MintStatus.FINALIZED: "It is on chain.",
    MintStatus.REVERTED: "It was mined, and failed.",
}

AnyTransfer: TypeAlias = TokenTransfer | RelayedTransfer
AnyBurn: TypeAlias = TokenBurn | RelayedBurn
TokenOperationT = TypeVar("TokenOperationT", bound=TokenOperation)
TokenRequestT = TypeVar("TokenRequestT", bound=BurnRequest)


async def accept_transfer(
    submission: Submission[TransferRequest], *, intake: Intake, checks: TokenChecks | None = None
) -> Accepted[AnyTransfer]:
    """Send a token out of the user's wallet in custody, once; raises RequestRefused as `accept_mint` does.

    It also raises that for what `checks` refuse; without these the builder refuses it. Of a collection that a
    factory made a relayer sends it, by the wallet's signature.
    """
    to = submission.request.to
    records: _Records[AnyTransfer] = _Records("transfer", own=TokenTransfer, relayed=RelayedTransfer)
    return await _accept(records, submission, intake=intake, checks=checks, to=to)


async def accept_burn(
    submission: Submission[BurnRequest], *, intake: Intake, checks: TokenChecks | None = None
) -> Accepted[AnyBurn]:
    """Burn a token of the user's wallet in custody, once; raises RequestRefused as `accept_transfer` does."""
    records: _Records[AnyBurn] = _Records("burn", own=TokenBurn, relayed=RelayedBurn)
    return await _accept(records, submission, intake=intake, checks=checks)


@dataclass(frozen=True, slots=True)
class _Records(Generic[TokenOperationT]):
    """What a request becomes: sent by the wallet itself, or by a relayer."""

    name: str
    own: type[TokenOperationT]
    relayed: type[TokenOperationT]


async def _accept(
    records: _Records[TokenOperationT],
    submission: Submission[TokenRequestT],
    *,
    intake: Intake,
    checks: TokenChecks | None,
    **fields: object,
) -> Accepted[TokenOperationT]:
    request, sub = submission.request, submission.sub
    contract = request.contract or intake.default_collection
    operation_id = intake.operation_id(records.name, submission)
    try:
        collection = await intake.collections.known(contract)
        if isinstance(request, TransferRequest):
            check_transferable(collection)
        quantity = asked_quantity(collection, request.quantity)
        relayed = takes_signatures(collection)
        if collection.standard == "erc1155" and not relayed:
            raise _not_sent_here(contract)
        wallet = await intake.wallets.usable(sub)
        if checks is not None:
            await _check(request, wallet, contract, quantity, checks)
        permit = await intake.permit(sub, paying=None if relayed else wallet)
    except RequestRefused:
        for record in (records.own, records.relayed):
            if (replayed := await intake.made_before(record, operation_id, submission)) is not None:
                return replayed
        raise
    sent_by = {"wallet": wallet.key(), "quantity": quantity} if relayed else {"sender": wallet.key()}
    operation = (records.relayed if relayed else records.own).model_validate(
        {
            **fields,
            **sent_by,
            "mint_id": operation_id,
            "status": MintStatus.ACCEPTED,
            "chain_id": intake.chain_id,
            "contract": contract,
            "request_digest": submission.digest(),
            "trace": submission.trace,
            "token_id": request.token_id,
            "created_at": submission.now,
            "updated_at": submission.now,
        }
    )
    try:
        authorization = Authorization(envelope=submission.authorize(operation))
    except BaseException:
        intake.give_back(permit, sub)
        raise
    return await intake.create(operation, authorization, unused=lambda _: intake.give_back(permit, sub))


def takes_signatures(collection: RegisteredContract) -> bool:
    """Tell whether its tokens move by their holders' signatures: a factory's collections take these."""
    return collection.clone is not None


def _not_sent_here(contract: str) -> RequestRefused:
    detail = f"the tokens of {contract}, an ERC-1155 contract that others deployed, are indexed alone"
    return RequestRefused(COLLECTION_READ_ONLY, f"{detail}.", faults=[Fault(detail, pointer="#/contract")])


async def _check(
    request: BurnRequest, wallet: Wallet, contract: str, quantity: int | None, checks: TokenChecks
) -> None:
    address, token_id = wallet.address, request.token_id
    if isinstance(request, TransferRequest):
        check_recipient(request.to, wallet=address, contract=contract)
    if quantity is not None:
        await checks.holds_items(address, contract, token_id, quantity)
        # The builder asks the recipient's code: it simulates the very call.
        return
    await checks.holds(address, contract, token_id)
    if isinstance(request, TransferRequest):
        await checks.takes(request.to, wallet=address, contract=contract, token_id=token_id)


async def get_transfer(transfer_id: str, *, sub: str, operations: OperationStore) -> AnyTransfer:
    """Return the caller's transfer; another user's is as unknown as none."""
    operation = await operations.operation(transfer_id)
    if not isinstance(operation, AnyTransfer) or operation.asked_by != sub:
        raise RequestRefused(UNKNOWN_TRANSFER, "Transfer not found.")
    return operation


async def get_burn(burn_id: str, *, sub: str, operations: OperationStore) -> AnyBurn:
    """Return the caller's burn; another user's is as unknown as none."""
    operation = await operations.operation(burn_id)
    if not isinstance(operation, AnyBurn) or operation.asked_by != sub:
        raise RequestRefused(UNKNOWN_BURN, "Burn not found.")
    return operation


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelTokenOperation(Generic[TokenOperationT]):
    """Asks for a transfer or burn of the user's to be stopped; `now` is in Unix milliseconds."""

    operation: TokenOperationT
    trace: str
    now: int


async def cancel_token_operation(
    command: CancelTokenOperation[TokenOperationT],
    *,
    operations: OperationStore,
    outbox: Outbox,
    nudges: Nudges | None = None,
) -> TokenOperationT:
    """Stop a transfer or burn, or ask for that, as `cancel_mint` does, and return it as it is then.

    Raises RequestRefused for one that is on chain.
    """
    operation, now = command.operation, command.now
    for _ in range(TRIES):
        if operation.status is MintStatus.REJECTED:
            break
        if operation.status in _TOO_LATE:
            raise RequestRefused(
                NOT_CANCELLABLE,
                f"The {operation.noun} is {operation.status.value}. {_TOO_LATE[operation.status]}",
            )
        if operation.cancel_requested_at is not None:
            break
        operation = await operations.cancel(operation, TOKEN_OPERATION_CANCELLED, at=now)
    else:
        raise Unavailable(f"the {operation.noun} kept moving")
    if operation.nonce is not None and operation.problem in (None, TOKEN_OPERATION_CANCELLED):
        # Sent on every request: a crash may have come between the record and the message.
        review = ReviewMint(mint_id=operation.operation_id, trace=command.trace)
        await (nudges or Nudges()).send(outbox.review(review), mint_id=operation.operation_id)
    log.info(
        "operation_cancelled" if operation.status is MintStatus.REJECTED else "operation_cancel_asked",
        operation_id=operation.operation_id,
        status=operation.status.value,
    )
    return operation
