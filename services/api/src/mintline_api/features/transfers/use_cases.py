"""Transfers and burns of tokens that wallets in custody hold."""

from __future__ import annotations

from typing import TypeVar

from mintline.authorizations import Authorization
from mintline.records import TokenBurn, TokenTransfer
from mintline.states import MintStatus
from mintline_api.features.operations.use_cases import Accepted, Intake, Submission
from mintline_api.features.transfers.models import BurnRequest, TransferRequest
from mintline_api.http.problems import RequestRefused

TokenOperationT = TypeVar("TokenOperationT", TokenTransfer, TokenBurn)
TokenRequestT = TypeVar("TokenRequestT", bound=BurnRequest)


async def accept_transfer(
    submission: Submission[TransferRequest], *, intake: Intake
) -> Accepted[TokenTransfer]:
    """Send a token out of the user's wallet in custody, once; raises RequestRefused as `accept_mint` does."""
    return await _accept(TokenTransfer, submission, intake=intake, to=submission.request.to)


async def accept_burn(submission: Submission[BurnRequest], *, intake: Intake) -> Accepted[TokenBurn]:
    """Burn a token of the user's wallet in custody, once; raises RequestRefused as `accept_mint` does."""
    return await _accept(TokenBurn, submission, intake=intake)


async def _accept(
    record: type[TokenOperationT], submission: Submission[TokenRequestT], *, intake: Intake, **fields: object
) -> Accepted[TokenOperationT]:
    request, sub = submission.request, submission.sub
    contract = request.contract or intake.default_collection
    operation_id = intake.operation_id(record.model_fields["kind"].default, submission)
    try:
        await intake.collections.known(contract)
        wallet = await intake.wallets.usable(sub)
        permit = await intake.permit(sub, paying=wallet)
    except RequestRefused:
        if (replayed := await intake.made_before(record, operation_id, submission)) is None:
            raise
        return replayed
    operation = record.model_validate(
        {
            **fields,
            "mint_id": operation_id,
            "status": MintStatus.ACCEPTED,
            "chain_id": intake.chain_id,
            "contract": contract,
            "sender": wallet.key(),
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
