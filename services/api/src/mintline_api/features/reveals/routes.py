"""Operations on reveals."""

from __future__ import annotations

from aiohttp import web

from mintline.scopes import Scope
from mintline_api.auth.callers import read_caller
from mintline_api.auth.problems import TOKEN_TOO_LONG
from mintline_api.features.collections import examples as collection_examples
from mintline_api.features.collections.context import COLLECTIONS
from mintline_api.features.collections.models import CollectionView
from mintline_api.features.collections.problems import (
    COLLECTION_CHANGE_PENDING,
    COLLECTION_NOT_READY,
    COLLECTION_READ_ONLY,
    NOT_YOUR_COLLECTION,
)
from mintline_api.features.collections.responses import change_response
from mintline_api.features.contracts.models import ContractPath
from mintline_api.features.contracts.problems import UNKNOWN_CONTRACT
from mintline_api.features.examples import CONTRACT
from mintline_api.features.operations.headers import (
    IDEMPOTENCY_KEY,
    IDEMPOTENT_REPLAYED,
    PREFER,
    PREFERENCE_APPLIED,
    location,
)
from mintline_api.features.operations.problems import KEY_REUSED
from mintline_api.features.operations.requests import nudges_of, read_submission
from mintline_api.features.reveals import examples
from mintline_api.features.reveals.context import REVEALS
from mintline_api.features.reveals.models import (
    DocumentsQuery,
    DocumentsRequest,
    DocumentsView,
    RevealChange,
    RevealPublication,
)
from mintline_api.features.reveals.problems import (
    ALREADY_REVEALED,
    NOT_REVEALED,
    NOTHING_TO_REVEAL,
    REVEAL_INCOMPLETE,
    REVEAL_MISMATCH,
)
from mintline_api.features.reveals.use_cases import keep_documents, publish_reveal, read_documents
from mintline_api.http.models import NoQuery
from mintline_api.http.operations import Answer, Operations
from mintline_api.http.problems import BODY, INVALID_PARAMETER
from mintline_api.http.requests import BodyBounds, read_body, read_path, read_query
from mintline_api.http.responses import json_response
from mintline_api.limits.problems import CLIENT_BUDGET_REACHED
from mintline_api.settings import BULK_BODY_LIMIT

operations = Operations(
    "Reveals",
    "Metadata that a collection was committed to when it was created, and that is revealed later.",
    reads=Scope.TOKENS_READ,
    changes=Scope.COLLECTIONS_WRITE,
)
_BOUNDS = BodyBounds(limit=BULK_BODY_LIMIT)
_OWN = (
    UNKNOWN_CONTRACT,
    NOT_YOUR_COLLECTION,
    COLLECTION_READ_ONLY,
    COLLECTION_NOT_READY,
    NOTHING_TO_REVEAL,
    ALREADY_REVEALED,
    REVEAL_MISMATCH,
)


@operations.add(
    "POST",
    "/v1/collections/{contract}/reveal/documents",
    summary="Hand over texts to reveal",
    clients=True,
    description="Stores the texts of up to 50 tokens, each of which is compared with the commitment. If any "
    "of them is not what was committed to, all are refused, and `errors` names it. Requests may come in any "
    "order and be repeated. Nothing of it is shown before the collection is revealed.",
    path_model=ContractPath,
    body_model=DocumentsRequest,
    body_example=examples.DOCUMENTS_JSON,
    answers=(Answer(200, "The texts are stored.", DocumentsView, examples.KEPT),),
    problems=(*BODY, *_OWN),
)
async def post_documents(request: web.Request) -> web.Response:
    """Store texts that are to be revealed."""
    caller = await read_caller(request)
    read_query(request, NoQuery)
    path = read_path(request, ContractPath)
    body = await read_body(request, DocumentsRequest, bounds=_BOUNDS)
    kept = await keep_documents(
        path.contract,
        body,
        client=caller.sub,
        context=request.app[REVEALS],
        collections=request.app[COLLECTIONS],
    )
    view = DocumentsView(contract=path.contract, first_token_id=body.first_token_id, texts=None, tokens=kept)
    return json_response(view)


@operations.add(
    "GET",
    "/v1/collections/{contract}/reveal/documents",
    summary="Texts that were revealed",
    clients=True,
    description="The exact texts of up to 50 tokens of a collection that was revealed. With the salt, which "
    "`GET /v1/collections/{contract}` has, all of them lead to the commitment that the contract's "
    "`metadataCommitment` gives: `mintline collections verify-reveal` checks that with any node.",
    path_model=ContractPath,
    query_model=DocumentsQuery,
    answers=(Answer(200, "The texts.", DocumentsView, examples.SHOWN),),
    problems=(INVALID_PARAMETER, UNKNOWN_CONTRACT, NOTHING_TO_REVEAL, NOT_REVEALED),
)
async def get_documents(request: web.Request) -> web.Response:
    """Return texts that were revealed."""
    await read_caller(request)
    path, query = read_path(request, ContractPath), read_query(request, DocumentsQuery)
    collection = await request.app[COLLECTIONS].registry.known(path.contract)
    texts = await read_documents(collection, query.first_token_id, context=request.app[REVEALS])
    return json_response(
        DocumentsView(
            contract=path.contract, first_token_id=query.first_token_id, texts=texts, tokens=len(texts)
        )
    )


@operations.add(
    "POST",
    "/v1/collections/{contract}/reveal",
    summary="Reveal a collection's metadata",
    clients=True,
    description="Serves the texts that were handed over in the place of the placeholders, all at once, and "
    "has the contract announce the range (ERC-4906). Before, all of them are read and have to lead to the "
    "commitment. It is a change of the collection, and counts as a mint in the client's budget.",
    path_model=ContractPath,
    headers=(IDEMPOTENCY_KEY, PREFER),
    body_model=RevealPublication,
    body_example=examples.PUBLICATION_JSON,
    answers=(
        Answer(200, "It was revealed already.", CollectionView, collection_examples.READY),
        Answer(
            202,
            "The texts are served, and the announcement is on its way.",
            CollectionView,
            collection_examples.REVEALING,
            headers=(
                location(f"/v1/collections/{CONTRACT}"),
                IDEMPOTENT_REPLAYED,
                PREFERENCE_APPLIED,
            ),
        ),
    ),
    problems=(
        *BODY,
        *_OWN,
        REVEAL_INCOMPLETE,
        COLLECTION_CHANGE_PENDING,
        KEY_REUSED,
        TOKEN_TOO_LONG,
        CLIENT_BUDGET_REACHED,
    ),
)
async def post_reveal(request: web.Request) -> web.Response:
    """Reveal a collection's metadata."""
    collections = request.app[COLLECTIONS]
    submission = await read_submission(request, RevealPublication)
    path = read_path(request, ContractPath)
    change = RevealChange(contract=path.contract, salt=submission.request.salt)
    changed = await publish_reveal(
        submission.asking(change),
        context=request.app[REVEALS],
        collections=collections,
        intake=collections.intake(nudges_of(request)),
    )
    return await change_response(request, path.contract, submission.sub, changed)
