"""Operations on versions of tokens' metadata."""

from __future__ import annotations

from aiohttp import web

from mintline.scopes import Scope
from mintline_api.auth.callers import read_caller
from mintline_api.auth.problems import TOKEN_TOO_LONG
from mintline_api.features.collections.changes import Changed
from mintline_api.features.collections.context import COLLECTIONS
from mintline_api.features.collections.problems import (
    COLLECTION_CHANGE_PENDING,
    COLLECTION_FROZEN,
    COLLECTION_NOT_READY,
    COLLECTION_READ_ONLY,
    NOT_YOUR_COLLECTION,
    REVEAL_PENDING,
)
from mintline_api.features.collections.responses import wait
from mintline_api.features.contracts.models import TokenPath
from mintline_api.features.contracts.problems import UNKNOWN_CONTRACT
from mintline_api.features.examples import CONTRACT
from mintline_api.features.metadata.examples import METADATA_JSON
from mintline_api.features.metadata.problems import METADATA_ALTERED, UNKNOWN_METADATA
from mintline_api.features.operations.headers import (
    IDEMPOTENCY_KEY,
    IDEMPOTENT_REPLAYED,
    PREFER,
    PREFERENCE_APPLIED,
    location,
)
from mintline_api.features.operations.problems import KEY_REUSED
from mintline_api.features.operations.requests import nudges_of, read_submission
from mintline_api.features.operations.waiting import rests
from mintline_api.features.token_metadata import examples
from mintline_api.features.token_metadata.context import TOKEN_METADATA
from mintline_api.features.token_metadata.models import (
    MetadataVersionList,
    MetadataVersionView,
    TokenChangeRequest,
    TokenPatch,
    VersionPath,
)
from mintline_api.features.token_metadata.problems import TOO_MANY_VERSIONS, UNKNOWN_VERSION
from mintline_api.features.token_metadata.use_cases import accept_version, list_versions, read_text
from mintline_api.features.token_metadata.views import version_views
from mintline_api.features.tokens.problems import UNKNOWN_TOKEN
from mintline_api.features.transfers.problems import TOKEN_BURNED
from mintline_api.features.uploads.problems import UPLOAD_NOT_USABLE
from mintline_api.http.context import HTTP
from mintline_api.http.models import NoQuery
from mintline_api.http.operations import Answer, Operations, not_modified
from mintline_api.http.problems import BODY, INVALID_PARAMETER
from mintline_api.http.requests import read_path, read_query
from mintline_api.http.responses import conditional_response, document_of, json_response
from mintline_api.limits.problems import CLIENT_BUDGET_REACHED

operations = Operations(
    "Token metadata",
    "New versions of a token's metadata, by the machine client whose collection it is in.",
    reads=Scope.TOKENS_READ,
    changes=Scope.COLLECTIONS_WRITE,
)
_TEXT_HEADERS = {
    "Content-Type": "application/json",
    "Cache-Control": "private, max-age=31536000, immutable",
}
_VERSIONS = "/v1/tokens/{contract}/{token_id}/metadata/versions"


@operations.add(
    "PATCH",
    "/v1/tokens/{contract}/{token_id}",
    summary="Change a token's metadata",
    clients=True,
    description="Makes a new version of the token's metadata, which replaces all of it and is served at "
    "once, within five seconds by every copy of the API. The versions before it stay readable, and the first "
    "one's digest stays on chain. A relayer of the platform has the contract announce the change (ERC-4906), "
    "so that marketplaces read the metadata again. An ERC-1155 item has metadata from its first accepted "
    "mint on, and this changes it from then on, also if that mint was rejected.\n\n"
    "Only the client that made the token's collection may do so, until the collection is frozen. It is a "
    "change of the collection: it counts as a mint in the client's budget, and until the change before it "
    "is mined it is refused (409, `collection-change-pending`).",
    path_model=TokenPath,
    headers=(IDEMPOTENCY_KEY, PREFER),
    body_model=TokenPatch,
    body_example=examples.PATCH_JSON,
    answers=(
        Answer(200, "The metadata is so already.", MetadataVersionView, examples.MINTED),
        Answer(
            202,
            "The version is served, and its announcement on its way.",
            MetadataVersionView,
            examples.VERSION,
            headers=(
                location(f"/v1/tokens/{CONTRACT}/1/metadata/versions/2"),
                IDEMPOTENT_REPLAYED,
                PREFERENCE_APPLIED,
            ),
        ),
    ),
    problems=(
        *BODY,
        UNKNOWN_CONTRACT,
        UNKNOWN_TOKEN,
        UNKNOWN_METADATA,
        METADATA_ALTERED,
        TOKEN_BURNED,
        NOT_YOUR_COLLECTION,
        COLLECTION_READ_ONLY,
        COLLECTION_NOT_READY,
        COLLECTION_FROZEN,
        REVEAL_PENDING,
        COLLECTION_CHANGE_PENDING,
        TOO_MANY_VERSIONS,
        UPLOAD_NOT_USABLE,
        KEY_REUSED,
        TOKEN_TOO_LONG,
        CLIENT_BUDGET_REACHED,
    ),
)
async def patch_token(request: web.Request) -> web.Response:
    """Accept a new version of a token's metadata."""
    collections = request.app[COLLECTIONS]
    submission = await read_submission(request, TokenPatch)
    path = read_path(request, TokenPath)
    change = TokenChangeRequest(
        contract=path.contract, token_id=path.token_id, metadata=submission.request.metadata
    )
    changed = await accept_version(
        submission.asking(change),
        context=request.app[TOKEN_METADATA],
        collections=collections,
        intake=collections.intake(nudges_of(request)),
    )
    return await _changed_response(request, path, changed)


@operations.add(
    "GET",
    _VERSIONS,
    summary="The versions of a token's metadata",
    clients=True,
    description="All versions, newest first: the first in the list is served at the token's `metadata_url`, "
    "the last is what was minted.",
    path_model=TokenPath,
    answers=(Answer(200, "The versions.", MetadataVersionList, examples.VERSIONS),),
    problems=(INVALID_PARAMETER, UNKNOWN_CONTRACT, UNKNOWN_TOKEN),
)
async def read_versions(request: web.Request) -> web.Response:
    """Return all versions of a token's metadata."""
    await read_caller(request)
    read_query(request, NoQuery)
    views = await _views(request, read_path(request, TokenPath))
    return json_response(MetadataVersionList(items=views))


@operations.add(
    "GET",
    f"{_VERSIONS}/{{version}}",
    summary="The text of a version",
    clients=True,
    description="The exact bytes of a version of a token's metadata, whose SHA-256 is the version's digest.",
    path_model=VersionPath,
    answers=(Answer(200, "The metadata.", example=METADATA_JSON), not_modified()),
    problems=(INVALID_PARAMETER, UNKNOWN_CONTRACT, UNKNOWN_TOKEN, UNKNOWN_VERSION, METADATA_ALTERED),
)
async def read_version(request: web.Request) -> web.Response:
    """Return the text of one version."""
    await read_caller(request)
    read_query(request, NoQuery)
    path = read_path(request, VersionPath)
    text = await read_text(path.contract, path.token_id, path.version, context=request.app[TOKEN_METADATA])
    return conditional_response(request, document_of(text, _TEXT_HEADERS))


async def _changed_response(request: web.Request, path: TokenPath, changed: Changed) -> web.Response:
    operation = changed.operation
    if operation is None:
        return json_response((await _views(request, path))[0])
    waited = await wait(request, operation, rests)
    views = await _views(request, path)
    new_version = next(
        (
            view
            for view in views
            if view.announcement and view.announcement.operation_id == operation.operation_id
        ),
        views[0],
    )
    headers = {
        "Location": f"/v1/tokens/{path.contract}/{path.token_id}/metadata/versions/{new_version.version}"
    }
    if changed.replayed:
        headers["Idempotent-Replayed"] = "true"
    return json_response(new_version, status=202, headers=headers | waited)


async def _views(request: web.Request, path: TokenPath) -> list[MetadataVersionView]:
    versions = await list_versions(path.contract, path.token_id, context=request.app[TOKEN_METADATA])
    ids = [version.operation_id for version in versions.later]
    operations_by_id = await request.app[COLLECTIONS].collections.operations(ids) if ids else {}
    return version_views(versions, operations_by_id, public_url=request.app[HTTP].public_url)
