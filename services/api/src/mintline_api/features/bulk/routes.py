"""Operations on requests for many mints."""

from __future__ import annotations

from aiohttp import web

from mintline.scopes import Scope
from mintline.states import MintStatus
from mintline_api.auth.callers import AUTHORIZATIONS, read_caller, require_scope
from mintline_api.auth.problems import TOKEN_TOO_LONG
from mintline_api.features.bulk import examples
from mintline_api.features.bulk.context import BULK
from mintline_api.features.bulk.drafts import BulkSubmission
from mintline_api.features.bulk.models import BulkPath, BulkRequest, BulkView, bulk_view
from mintline_api.features.bulk.problems import LINES_REFUSED, UNKNOWN_REQUEST
from mintline_api.features.bulk.use_cases import accept_bulk, get_bulk
from mintline_api.features.collections.minting import CLOSED_TO_MINTS
from mintline_api.features.contracts.problems import UNKNOWN_CONTRACT
from mintline_api.features.items.problems import ITEM_METADATA_DIFFERS
from mintline_api.features.mints.problems import NOT_SPONSORED
from mintline_api.features.operations.headers import IDEMPOTENCY_KEY, IDEMPOTENT_REPLAYED, location
from mintline_api.features.operations.problems import KEY_REUSED
from mintline_api.features.operations.requests import nudges_of
from mintline_api.http.context import HTTP, METRICS
from mintline_api.http.models import NoQuery
from mintline_api.http.operations import Answer, Operations
from mintline_api.http.problems import BODY, INVALID_PARAMETER
from mintline_api.http.requests import BodyBounds, read_body, read_idempotency_key, read_path, read_query
from mintline_api.http.responses import json_response
from mintline_api.http.tracing import TRACE
from mintline_api.limits.problems import CLIENT_BUDGET_REACHED, COLLECTION_NOT_ALLOWED
from mintline_api.limits.writes import RATE_LIMIT_HEADERS, tell_rate
from mintline_api.settings import BULK_BODY_LIMIT

BOUNDS = BodyBounds(limit=BULK_BODY_LIMIT, faults=1000)
operations = Operations(
    "Bulk mints",
    "Ask for up to 250 NFTs in one request.",
    reads=Scope.MINTS_READ,
    changes=Scope.MINTS_CREATE,
)


@operations.add(
    "POST",
    "/v1/mints/bulk",
    summary="Mint many NFTs",
    clients=True,
    description="Accepts 1 to 250 sponsored mints of one collection, all or none: if a line is refused, "
    "nothing is minted, and `errors` names each line at fault by a JSON pointer. The mints have the ids in "
    "`mint_ids`, in the order of the request, and each is followed like any other; the request as a whole "
    "at `Location`.\n\n"
    "Each line names its recipient as `POST /v1/mints` does; a user names addresses alone, and mints where "
    "the collection is sponsored. The lines count as so many mints of a client's budget, or writes of a "
    "user's. The body may have 1 MiB, and its external ids and tags 200,000 bytes.\n\n"
    "With an `Idempotency-Key`, the same key and body give the same request back; the same key with another "
    "body is refused (422).",
    headers=(IDEMPOTENCY_KEY,),
    body_model=BulkRequest,
    body_example=examples.BULK_REQUEST_JSON,
    answers=(
        Answer(
            202,
            "All mints are on record and on their way.",
            BulkView,
            examples.ACCEPTED,
            headers=(
                location(f"/v1/mints/bulk/{examples.REQUEST_ID}"),
                IDEMPOTENT_REPLAYED,
                *RATE_LIMIT_HEADERS,
            ),
        ),
    ),
    problems=(
        *BODY,
        LINES_REFUSED,
        UNKNOWN_CONTRACT,
        NOT_SPONSORED,
        KEY_REUSED,
        TOKEN_TOO_LONG,
        CLIENT_BUDGET_REACHED,
        COLLECTION_NOT_ALLOWED,
        *CLOSED_TO_MINTS,
        ITEM_METADATA_DIFFERS,
    ),
)
async def create_bulk(request: web.Request) -> web.Response:
    """Accept many mints."""
    submission = await _read_submission(request)
    by_email = any(line.recipient.email is not None for line in submission.request.mints)
    if submission.client_id is not None and by_email:
        await require_scope(request, Scope.USERS_WRITE)
    state = await accept_bulk(submission, intake=request.app[BULK].intake(nudges_of(request)))
    headers = {"Location": f"/v1/mints/bulk/{state.record.request_id}"}
    if submission.client_id is None:
        tell_rate(request, submission.sub)
    if state.replayed:
        headers["Idempotent-Replayed"] = "true"
    else:
        request.app[METRICS].stages.reached(MintStatus.ACCEPTED, count=state.record.count)
    return json_response(bulk_view(state.record, state.statuses), status=202, headers=headers)


async def _read_submission(request: web.Request) -> BulkSubmission:
    caller = await read_caller(request)
    read_query(request, NoQuery)
    key = read_idempotency_key(request)
    body = await read_body(request, BulkRequest, bounds=BOUNDS)
    return BulkSubmission(
        request=body,
        sub=caller.sub,
        client_id=caller.client_id,
        key=key,
        trace=request[TRACE].traceparent(),
        seal=await request.app[AUTHORIZATIONS].envelopes_for(caller.token),
        now=request.app[HTTP].now(),
    )


@operations.add(
    "GET",
    "/v1/mints/bulk/{request_id}",
    summary="Follow many mints",
    clients=True,
    description="Shows how many mints of a request have which status. Only the caller's own requests exist "
    "here.",
    path_model=BulkPath,
    answers=(Answer(200, "The request as it is now.", BulkView, examples.MINED),),
    problems=(INVALID_PARAMETER, UNKNOWN_REQUEST),
)
async def read_bulk(request: web.Request) -> web.Response:
    """Return one request."""
    caller = await read_caller(request)
    read_query(request, NoQuery)
    path = read_path(request, BulkPath)
    state = await get_bulk(path.request_id, sub=caller.sub, lines=request.app[BULK].lines)
    return json_response(bulk_view(state.record, state.statuses))
