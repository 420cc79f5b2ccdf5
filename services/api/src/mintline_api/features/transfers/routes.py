"""Operations on transfers and burns of tokens in custody."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aiohttp import web

from mintline.scopes import Scope
from mintline.states import MintStatus
from mintline_api.auth.callers import read_caller
from mintline_api.auth.problems import TOKEN_TOO_LONG
from mintline_api.features.collections.problems import COLLECTION_READ_ONLY
from mintline_api.features.contracts.problems import UNKNOWN_CONTRACT
from mintline_api.features.items.problems import WRONG_STANDARD
from mintline_api.features.operations.headers import (
    IDEMPOTENCY_KEY,
    IDEMPOTENT_REPLAYED,
    PREFER,
    PREFERENCE_APPLIED,
    location,
)
from mintline_api.features.operations.problems import KEY_REUSED, NOT_CANCELLABLE
from mintline_api.features.operations.requests import accepted_headers, nudges_of, read_submission
from mintline_api.features.operations.waiting import moved_from, rests, waited
from mintline_api.features.tokens.problems import UNKNOWN_TOKEN
from mintline_api.features.transfers import examples
from mintline_api.features.transfers.context import TRANSFERS
from mintline_api.features.transfers.models import (
    BurnOperationView,
    BurnPath,
    BurnRequest,
    TransferOperationView,
    TransferPath,
    TransferRequest,
    burn_operation_view,
    transfer_operation_view,
)
from mintline_api.features.transfers.problems import (
    INVALID_RECIPIENT,
    NOT_TOKEN_OWNER,
    RECIPIENT_REFUSED,
    TOKEN_BURNED,
    TOKEN_OPERATION_PENDING,
    TOKEN_SOULBOUND,
    UNKNOWN_BURN,
    UNKNOWN_TRANSFER,
)
from mintline_api.features.transfers.use_cases import (
    AnyBurn,
    AnyTransfer,
    CancelTokenOperation,
    TokenOperationT,
    accept_burn,
    accept_transfer,
    cancel_token_operation,
    get_burn,
    get_transfer,
)
from mintline_api.features.wallets.problems import WALLET_DELETED, WALLET_REASSIGNED
from mintline_api.http.context import HTTP
from mintline_api.http.models import NoQuery
from mintline_api.http.operations import Answer, Operations
from mintline_api.http.problems import BODY, INVALID_PARAMETER
from mintline_api.http.requests import read_path, read_query
from mintline_api.http.responses import json_response
from mintline_api.http.tracing import TRACE
from mintline_api.limits.problems import GAS_BUDGET_REACHED
from mintline_api.limits.writes import RATE_LIMIT_HEADERS, count_write, tell_rate

operations = Operations(
    "Transfers and burns",
    "Send tokens out of your wallet in custody, or burn them.",
    reads=Scope.TOKENS_READ,
    changes=Scope.TOKENS_TRANSFER,
)

_REFUSALS = (
    *BODY,
    UNKNOWN_CONTRACT,
    UNKNOWN_TOKEN,
    NOT_TOKEN_OWNER,
    TOKEN_BURNED,
    TOKEN_OPERATION_PENDING,
    WRONG_STANDARD,
    COLLECTION_READ_ONLY,
    KEY_REUSED,
    WALLET_DELETED,
    WALLET_REASSIGNED,
    TOKEN_TOO_LONG,
    GAS_BUDGET_REACHED,
)
_WHO_SENDS = (
    "In a collection that was made by `POST /v1/collections`, your wallet signs (EIP-712) and a relayer of "
    "the platform sends and pays: the wallet needs no ether (`paid_by` is `relayer`). In any other "
    "collection the wallet itself sends, and the platform gives it the gas (`wallet`). It is sent under "
    "one nonce and no other, so the token moves once or not at all: if another transaction takes that nonce, "
    "the operation ends as `rejected` (`nonce_taken`, or `signature_expired` an hour after it was sent).\n\n"
    "A token may be sent on before its own mint is final. If a reorg then drops the mint, the operation can "
    "end as `reverted`: send the request again, with another `Idempotency-Key`."
)
_CANCELLING = (
    "Stops one that was not sent yet, at once. For one that was sent a transaction that does nothing "
    "competes for its nonce, at a higher fee, and what is mined decides: it ends as `rejected` (`cancelled`) "
    "once that is final, or goes on as `mined`. Safe to repeat."
)
_ENDED = "It has ended, and nothing of it reaches the chain."
_STOPPING = "It was sent; stopping it is tried."


@operations.add(
    "POST",
    "/v1/transfers",
    summary="Transfer a token",
    description="Sends a token that your wallet in custody holds to another address (ERC-721's "
    "`safeTransferFrom`), or `quantity` tokens of an item of an ERC-1155 collection. Follow it at "
    "`Location` until its status is `finalized`, `rejected` or "
    f"`reverted`.\n\n{_WHO_SENDS}",
    headers=(IDEMPOTENCY_KEY, PREFER),
    body_model=TransferRequest,
    body_example=examples.TRANSFER_REQUEST_JSON,
    answers=(
        Answer(
            202,
            "The transfer is on record and on its way.",
            TransferOperationView,
            examples.TRANSFER_ACCEPTED,
            headers=(
                location(f"/v1/transfers/{examples.TRANSFER_ID}"),
                IDEMPOTENT_REPLAYED,
                PREFERENCE_APPLIED,
                *RATE_LIMIT_HEADERS,
            ),
        ),
    ),
    problems=(*_REFUSALS, INVALID_RECIPIENT, RECIPIENT_REFUSED, TOKEN_SOULBOUND),
)
async def create_transfer(request: web.Request) -> web.Response:
    """Accept a transfer."""
    context = request.app[TRANSFERS]
    submission = await read_submission(request, TransferRequest)
    accepted = await accept_transfer(
        submission, intake=context.intake(nudges_of(request)), checks=context.checks
    )
    tell_rate(request, submission.sub)
    headers = accepted_headers(accepted, "/v1/transfers")
    return await _transfer_response(request, accepted.operation, rests, status=202, headers=headers)


@operations.add(
    "GET",
    "/v1/transfers/{transfer_id}",
    summary="Follow a transfer",
    description="Returns the transfer with its status. Only the caller's own transfers exist here.",
    path_model=TransferPath,
    headers=(PREFER,),
    answers=(
        Answer(
            200,
            "The transfer as it is now.",
            TransferOperationView,
            examples.TRANSFER_MINED,
            headers=(PREFERENCE_APPLIED,),
        ),
    ),
    problems=(INVALID_PARAMETER, UNKNOWN_TRANSFER),
)
async def read_transfer(request: web.Request) -> web.Response:
    """Return one transfer."""
    transfer = await _own_transfer(request)
    return await _transfer_response(request, transfer, moved_from(transfer), status=200)


@operations.add(
    "POST",
    "/v1/transfers/{transfer_id}/cancel",
    summary="Cancel a transfer",
    description=_CANCELLING,
    path_model=TransferPath,
    answers=(
        Answer(200, _ENDED, TransferOperationView, examples.TRANSFER_CANCELLED),
        Answer(202, _STOPPING, TransferOperationView, examples.TRANSFER_STOPPING),
    ),
    problems=(INVALID_PARAMETER, UNKNOWN_TRANSFER, NOT_CANCELLABLE),
)
async def stop_transfer(request: web.Request) -> web.Response:
    """Stop a transfer, or ask for that."""
    transfer = await _stopped(request, await _own_transfer(request))
    return json_response(transfer_operation_view(transfer), status=_stopped_status(transfer.status))


@operations.add(
    "POST",
    "/v1/burns",
    summary="Burn a token",
    description="Destroys a token that your wallet in custody holds, permanently: its id is not minted "
    "again. Follow it at `Location` until its status is `finalized`, `rejected` or `reverted`.\n\n"
    f"{_WHO_SENDS}",
    headers=(IDEMPOTENCY_KEY, PREFER),
    body_model=BurnRequest,
    body_example=examples.BURN_REQUEST_JSON,
    answers=(
        Answer(
            202,
            "The burn is on record and on its way.",
            BurnOperationView,
            examples.BURN_ACCEPTED,
            headers=(
                location(f"/v1/burns/{examples.BURN_ID}"),
                IDEMPOTENT_REPLAYED,
                PREFERENCE_APPLIED,
                *RATE_LIMIT_HEADERS,
            ),
        ),
    ),
    problems=_REFUSALS,
)
async def create_burn(request: web.Request) -> web.Response:
    """Accept a burn."""
    context = request.app[TRANSFERS]
    submission = await read_submission(request, BurnRequest)
    accepted = await accept_burn(submission, intake=context.intake(nudges_of(request)), checks=context.checks)
    tell_rate(request, submission.sub)
    headers = accepted_headers(accepted, "/v1/burns")
    return await _burn_response(request, accepted.operation, rests, status=202, headers=headers)


@operations.add(
    "GET",
    "/v1/burns/{burn_id}",
    summary="Follow a burn",
    description="Returns the burn with its status. Only the caller's own burns exist here.",
    path_model=BurnPath,
    headers=(PREFER,),
    answers=(
        Answer(
            200,
            "The burn as it is now.",
            BurnOperationView,
            examples.BURN_MINED,
            headers=(PREFERENCE_APPLIED,),
        ),
    ),
    problems=(INVALID_PARAMETER, UNKNOWN_BURN),
)
async def read_burn(request: web.Request) -> web.Response:
    """Return one burn."""
    burn = await _own_burn(request)
    return await _burn_response(request, burn, moved_from(burn), status=200)


@operations.add(
    "POST",
    "/v1/burns/{burn_id}/cancel",
    summary="Cancel a burn",
    description=_CANCELLING,
    path_model=BurnPath,
    answers=(
        Answer(200, _ENDED, BurnOperationView, examples.BURN_CANCELLED),
        Answer(202, _STOPPING, BurnOperationView, examples.BURN_STOPPING),
    ),
    problems=(INVALID_PARAMETER, UNKNOWN_BURN, NOT_CANCELLABLE),
)
async def stop_burn(request: web.Request) -> web.Response:
    """Stop a burn, or ask for that."""
    burn = await _stopped(request, await _own_burn(request))
    return json_response(burn_operation_view(burn), status=_stopped_status(burn.status))


async def _own_transfer(request: web.Request) -> AnyTransfer:
    caller = await read_caller(request)
    read_query(request, NoQuery)
    path = read_path(request, TransferPath)
    return await get_transfer(path.transfer_id, sub=caller.sub, operations=request.app[TRANSFERS].operations)


async def _own_burn(request: web.Request) -> AnyBurn:
    caller = await read_caller(request)
    read_query(request, NoQuery)
    path = read_path(request, BurnPath)
    return await get_burn(path.burn_id, sub=caller.sub, operations=request.app[TRANSFERS].operations)


async def _stopped(request: web.Request, operation: TokenOperationT) -> TokenOperationT:
    """Stop an operation of the caller's, or ask for that; return it as it is then."""
    context = request.app[TRANSFERS]
    await count_write(request, operation.asked_by)
    command = CancelTokenOperation(
        operation=operation, trace=request[TRACE].traceparent(), now=request.app[HTTP].now()
    )
    return await cancel_token_operation(
        command, operations=context.operations, outbox=context.outbox, nudges=nudges_of(request)
    )


def _stopped_status(status: MintStatus) -> int:
    return 200 if status is MintStatus.REJECTED else 202


async def _transfer_response(
    request: web.Request,
    transfer: AnyTransfer,
    until: Callable[[AnyTransfer], bool],
    *,
    status: int,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    async def read(transfer_id: str) -> AnyTransfer | None:
        operation = await request.app[TRANSFERS].operations.operation(transfer_id)
        return operation if isinstance(operation, AnyTransfer) else None

    transfer, applied = await waited(request, transfer, until, read)
    return json_response(
        transfer_operation_view(transfer), status=status, headers={**(headers or {}), **applied}
    )


async def _burn_response(
    request: web.Request,
    burn: AnyBurn,
    until: Callable[[AnyBurn], bool],
    *,
    status: int,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    async def read(burn_id: str) -> AnyBurn | None:
        operation = await request.app[TRANSFERS].operations.operation(burn_id)
        return operation if isinstance(operation, AnyBurn) else None

    burn, applied = await waited(request, burn, until, read)
    return json_response(burn_operation_view(burn), status=status, headers={**(headers or {}), **applied})
