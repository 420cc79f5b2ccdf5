"""Transfers and burns of tokens that wallets in custody hold."""

from __future__ import annotations

from typing import TypeVar

from mintline.authorizations import Authorization
from mintline.records import TokenBurn, TokenTransfer
from mintline.states import MintStatus
from mintline_api.features.mints.accepting import _wallet_in_custody
from mintline_api.features.operations.use_cases import (
    Accepted,
    Asked,
    Intake,
    _create,
    _digest_of,
    _made_before,
)
from mintline_api.features.transfers.models import BurnRequest, TransferRequest
from mintline_api.http.problems import Refused

TokenOperationT = TypeVar("TokenOperationT", TokenTransfer, TokenBurn)


async def accept_transfer(
    request: TransferRequest, asked: Asked, *, intake: Intake
) -> Accepted[TokenTransfer]:
    """Have a token sent out of the user's wallet in custody, once; raises Refused as `accept_mint` does."""
    return await _accept_token_operation(request, asked, intake, kind=TokenTransfer, to=request.to)


async def accept_burn(request: BurnRequest, asked: Asked, *, intake: Intake) -> Accepted[TokenBurn]:
    """Have a token of the user's wallet in custody burned, once; raises Refused as `accept_mint` does."""
    return await _accept_token_operation(request, asked, intake, kind=TokenBurn)


async def _accept_token_operation(
    request: TransferRequest | BurnRequest,
    asked: Asked,
    intake: Intake,
    *,
    kind: type[TokenOperationT],
    **more: object,
) -> Accepted[TokenOperationT]:
    contract = request.contract or intake.default_collection
    name = kind.model_fields["kind"].default
    operation_id, request_digest = intake.operation_id(name, asked), _digest_of(request)
    try:
        await intake.collections.known(contract)
        wallet = await _wallet_in_custody(asked.sub, intake)
        permit = await intake.permit(asked, paying=wallet)
    except Refused:
        if (made := await _made_before(operation_id, request_digest, kind, asked, intake)) is None:
            raise
        return made
    operation = kind.model_validate(
        {
            **more,
            "mint_id": operation_id,
            "status": MintStatus.ACCEPTED,
            "chain_id": intake.chain_id,
            "contract": contract,
            "sender": wallet.key(),
            "request_digest": request_digest,
            "trace": asked.trace,
            "token_id": request.token_id,
            "created_at": asked.now,
            "updated_at": asked.now,
        }
    )
    try:
        authorization = Authorization(envelope=asked.authorize(operation))
    except BaseException:
        intake.give_back(permit, asked)
        raise
    return await _create(operation, authorization, intake, unused=lambda _: intake.give_back(permit, asked))
