"""Operations on collections."""

from __future__ import annotations

from aiohttp import web

from mintline.scopes import Scope
from mintline.views.collections import collection_summary
from mintline_api.auth.callers import read_caller, require_scope
from mintline_api.auth.problems import TOKEN_TOO_LONG
from mintline_api.features.collections import examples
from mintline_api.features.collections.changes import (
    CollectionChangeRequest,
    FreezeRequest,
    accept_change,
    freeze_collection,
)
from mintline_api.features.collections.context import COLLECTIONS
from mintline_api.features.collections.deployments import accept_deployment
from mintline_api.features.collections.imports import import_contract
from mintline_api.features.collections.models import (
    CollectionList,
    CollectionPatch,
    CollectionRequest,
    CollectionsQuery,
    CollectionView,
    ImportRequest,
)
from mintline_api.features.collections.problems import (
    COLLECTION_CHANGE_PENDING,
    COLLECTION_FROZEN,
    COLLECTION_NOT_READY,
    COLLECTION_READ_ONLY,
    COLLECTIONS_NOT_CONFIGURED,
    EMPTY_MINT_WINDOW,
    NOT_A_CONTRACT,
    NOT_YOUR_COLLECTION,
    REVEAL_PENDING,
    UNSUPPORTED_STANDARD,
)
from mintline_api.features.collections.reads import get_collection, list_collections
from mintline_api.features.collections.responses import change_response, collection_response, wait
from mintline_api.features.contracts.models import ContractPath
from mintline_api.features.contracts.problems import UNKNOWN_CONTRACT
from mintline_api.features.examples import CONTRACT
from mintline_api.features.items.problems import WRONG_STANDARD
from mintline_api.features.operations.headers import (
    IDEMPOTENCY_KEY,
    IDEMPOTENT_REPLAYED,
    PREFER,
    PREFERENCE_APPLIED,
    location,
)
from mintline_api.features.operations.problems import KEY_REUSED
from mintline_api.features.operations.requests import (
    nudges_of,
    read_bodiless_submission,
    read_submission,
)
from mintline_api.features.operations.waiting import moved_from, rests
from mintline_api.features.pages import next_cursor, read_page
from mintline_api.http.context import HTTP
from mintline_api.http.models import NoQuery
from mintline_api.http.operations import Answer, Operations
from mintline_api.http.problems import BODY, INVALID_CURSOR, INVALID_PARAMETER
from mintline_api.http.requests import read_body, read_path, read_query
from mintline_api.http.responses import json_response
from mintline_api.limits.problems import CLIENT_BUDGET_REACHED
from mintline_api.limits.writes import count_write

operations = Operations(
    "Collections",
    "ERC-721 and ERC-1155 contracts of machine clients: deployed, administered and paid for by the platform.",
    reads=Scope.TOKENS_READ,
    changes=Scope.COLLECTIONS_WRITE,
)

_CHANGES = (
    *BODY,
    UNKNOWN_CONTRACT,
    NOT_YOUR_COLLECTION,
    COLLECTION_READ_ONLY,
    COLLECTION_NOT_READY,
    COLLECTION_CHANGE_PENDING,
    KEY_REUSED,
    TOKEN_TOO_LONG,
    CLIENT_BUDGET_REACHED,
)
_AT_COLLECTION = location(f"/v1/collections/{CONTRACT}")
_ONE_AT_A_TIME = (
    "It is a transaction, which a relayer of the platform sends, and counts as a mint in the client's "
    "budget. A collection is changed by one transaction after another: until the one before is mined, the "
    "next is refused (409, `collection-change-pending`)."
)


@operations.add(
    "POST",
    "/v1/collections",
    summary="Create a collection",
    clients=True,
    description="Deploys an ERC-721 or ERC-1155 contract of your own, at the platform's expense, and "
    "answers at once with its address. Its status becomes `ready` a few seconds later: from then on `POST "
    "/v1/mints` takes it as `contract`. All its mints are sponsored.\n\n"
    "`standard`, name, symbol, `supply_cap`, `mint_window` and `soulbound` are part of the contract and "
    "never change; royalties, metadata and whether it is paused do (`PATCH`). The deployment counts as a "
    "mint in the client's budget.\n\n"
    "With an `Idempotency-Key`, the same key and body give the same collection back.",
    headers=(IDEMPOTENCY_KEY, PREFER),
    body_model=CollectionRequest,
    body_example=examples.COLLECTION_REQUEST_JSON,
    answers=(
        Answer(
            202,
            "The collection is on record and being deployed.",
            CollectionView,
            examples.DEPLOYING,
            headers=(_AT_COLLECTION, IDEMPOTENT_REPLAYED, PREFERENCE_APPLIED),
        ),
    ),
    problems=(
        *BODY,
        COLLECTIONS_NOT_CONFIGURED,
        EMPTY_MINT_WINDOW,
        WRONG_STANDARD,
        KEY_REUSED,
        TOKEN_TOO_LONG,
        CLIENT_BUDGET_REACHED,
    ),
)
async def create_collection(request: web.Request) -> web.Response:
    """Accept a collection."""
    context = request.app[COLLECTIONS]
    submission = await read_submission(request, CollectionRequest)
    accepted = await accept_deployment(submission, context=context, intake=context.intake(nudges_of(request)))
    operation = accepted.operation
    headers = {"Location": f"/v1/collections/{operation.contract}"}
    if accepted.replayed:
        headers["Idempotent-Replayed"] = "true"
    waited = await wait(request, operation, rests)
    return await collection_response(
        request, operation.contract, submission.sub, status=202, headers=headers | waited
    )


@operations.add(
    "POST",
    "/v1/collections/import",
    summary="Import a contract",
    clients=True,
    description="Has an ERC-721 or ERC-1155 contract that others deployed indexed: its tokens, owners and "
    "transfers are served from then on, and nothing is minted in it. What it is, it has to say by ERC-165. "
    "Takes the scope `admin` too. Safe to repeat: what is on record of a contract stays.",
    body_model=ImportRequest,
    body_example=examples.IMPORT_JSON,
    answers=(
        Answer(200, "The contract was on record before.", CollectionView, examples.IMPORTED),
        Answer(
            201, "The contract is on record.", CollectionView, examples.IMPORTED, headers=(_AT_COLLECTION,)
        ),
    ),
    problems=(*BODY, NOT_A_CONTRACT, UNSUPPORTED_STANDARD),
)
async def create_import(request: web.Request) -> web.Response:
    """Import a contract."""
    context, http = request.app[COLLECTIONS], request.app[HTTP]
    caller = await read_caller(request)
    await require_scope(request, Scope.ADMIN)
    read_query(request, NoQuery)
    body = await read_body(request, ImportRequest)
    await count_write(request, caller.sub)
    imported = await import_contract(body, context=context, now=http.now())
    headers = {"Location": f"/v1/collections/{body.contract}"} if imported.new else {}
    return await collection_response(
        request, body.contract, caller.sub, status=201 if imported.new else 200, headers=headers
    )


@operations.add(
    "GET",
    "/v1/collections",
    summary="List your collections",
    clients=True,
    description="The collections that the machine client made, newest first; a new one shows up within "
    "moments. Pass `next_cursor` as `cursor` to go on, until it is null.",
    query_model=CollectionsQuery,
    answers=(Answer(200, "A page of collections.", CollectionList, examples.COLLECTIONS),),
    problems=(INVALID_PARAMETER, INVALID_CURSOR),
)
async def read_collections(request: web.Request) -> web.Response:
    """Return a page of collections."""
    caller = await read_caller(request)
    query = read_query(request, CollectionsQuery)
    bound = ("collections", caller.sub)
    page = await list_collections(
        caller.sub, read_page(request, bound, query), collections=request.app[COLLECTIONS].collections
    )
    items = [collection_summary(facts.collection) for _, facts in page.items]
    return json_response(CollectionList(items=items, next_cursor=next_cursor(request, bound, page)))


@operations.add(
    "GET",
    "/v1/collections/{contract}",
    summary="A collection",
    clients=True,
    description="The collection's settings and its state. Its deployment and its latest change are shown to "
    "the client that made it. `Prefer: wait` waits for the one that is under way.",
    path_model=ContractPath,
    headers=(PREFER,),
    answers=(Answer(200, "The collection.", CollectionView, examples.READY, headers=(PREFERENCE_APPLIED,)),),
    problems=(INVALID_PARAMETER, UNKNOWN_CONTRACT),
)
async def read_collection(request: web.Request) -> web.Response:
    """Return a collection."""
    caller = await read_caller(request)
    read_query(request, NoQuery)
    path = read_path(request, ContractPath)
    facts = await get_collection(
        path.contract, reader=caller.sub, collections=request.app[COLLECTIONS].collections
    )
    under_way = facts.under_way
    headers = {} if under_way is None else await wait(request, under_way, moved_from(under_way))
    return await collection_response(request, path.contract, caller.sub, status=200, headers=headers)


@operations.add(
    "PATCH",
    "/v1/collections/{contract}",
    summary="Change a collection",
    clients=True,
    description="Pauses or unpauses the collection, sets its royalties, replaces its metadata, or bounds the "
    f"tokens of an item of ERC-1155: one of these by a request. {_ONE_AT_A_TIME}\n\n"
    "A pause counts here at once: mints are refused from then on. New metadata is served at once too, and "
    "the transaction tells marketplaces (ERC-7572).",
    path_model=ContractPath,
    headers=(IDEMPOTENCY_KEY, PREFER),
    body_model=CollectionPatch,
    body_example=examples.PATCH_JSON,
    answers=(
        Answer(200, "The collection is that way already.", CollectionView, examples.READY),
        Answer(
            202,
            "The change is on record and on its way.",
            CollectionView,
            examples.PAUSING,
            headers=(_AT_COLLECTION, IDEMPOTENT_REPLAYED, PREFERENCE_APPLIED),
        ),
    ),
    problems=(*_CHANGES, COLLECTION_FROZEN, WRONG_STANDARD),
)
async def patch_collection(request: web.Request) -> web.Response:
    """Accept a change."""
    context = request.app[COLLECTIONS]
    submission = await read_submission(request, CollectionPatch)
    path = read_path(request, ContractPath)
    (named,) = ((member, value) for member, value in submission.request if value is not None)
    change = CollectionChangeRequest(contract=path.contract, **dict([named]))
    changed = await accept_change(
        submission.asking(change), context=context, intake=context.intake(nudges_of(request))
    )
    return await change_response(request, path.contract, submission.sub, changed)


@operations.add(
    "POST",
    "/v1/collections/{contract}/freeze",
    summary="Freeze a collection's metadata",
    clients=True,
    description=f"Makes the metadata of the collection and of its tokens permanent. {_ONE_AT_A_TIME}",
    path_model=ContractPath,
    headers=(IDEMPOTENCY_KEY, PREFER),
    answers=(
        Answer(200, "The metadata is permanent already.", CollectionView, examples.FROZEN),
        Answer(
            202,
            "The change is on record and on its way.",
            CollectionView,
            examples.FREEZING,
            headers=(_AT_COLLECTION, IDEMPOTENT_REPLAYED, PREFERENCE_APPLIED),
        ),
    ),
    problems=(
        *(kind for kind in _CHANGES if kind not in BODY or kind is INVALID_PARAMETER),
        REVEAL_PENDING,
    ),
)
async def freeze(request: web.Request) -> web.Response:
    """Accept that a collection's metadata is to be permanent."""
    context = request.app[COLLECTIONS]
    await read_caller(request)
    path = read_path(request, ContractPath)
    submission = await read_bodiless_submission(request, FreezeRequest(contract=path.contract))
    changed = await freeze_collection(submission, context=context, intake=context.intake(nudges_of(request)))
    return await change_response(request, path.contract, submission.sub, changed)
