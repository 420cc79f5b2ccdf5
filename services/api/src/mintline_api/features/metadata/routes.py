"""Operations on metadata, for everyone."""

from __future__ import annotations

from aiohttp import web

from mintline_api.features.contracts.models import ContractPath, TokenPath
from mintline_api.features.contracts.problems import UNKNOWN_CONTRACT
from mintline_api.features.metadata import examples
from mintline_api.features.metadata.problems import METADATA_ALTERED, UNKNOWN_METADATA
from mintline_api.features.metadata.use_cases import (
    MetadataReads,
    ServedMetadata,
    get_collection_metadata,
    get_metadata,
)
from mintline_api.http.operations import Answer, HeaderField, Operations, not_modified
from mintline_api.http.problems import INVALID_PARAMETER
from mintline_api.http.requests import read_path
from mintline_api.http.responses import conditional_response, document_of

METADATA = web.AppKey("metadata", MetadataReads)
operations = Operations("Metadata", "What `tokenURI` and `contractURI` point to: for everyone.")

_CACHED_FOR_AN_HOUR = "public, max-age=3600, stale-while-revalidate=86400"
_CACHED_FOR_A_MINUTE = "public, max-age=60"
"""Where a client may change it: so long a change that is announced on chain (ERC-4906) may be missed."""
_CACHING = (
    HeaderField("ETag", "The SHA-256 of the body.", {"type": "string"}, '"9f86d081884c7d65…"'),
    HeaderField(
        "Cache-Control",
        "For everyone, for an hour; for a minute in a client's collection that is not frozen.",
        {"type": "string"},
        "public, max-age=3600",
    ),
)


@operations.add(
    "GET",
    "/v1/metadata/{contract}/{token_id}",
    summary="A token's metadata",
    description="The JSON that `tokenURI` points to (ERC-721), in its latest version. The first one is byte "
    "for byte what was minted: its SHA-256 is the `metadataDigest` of the mint's event, and is compared with "
    "it before it is served, which is as soon as the token is on chain. Needs no access token; any origin "
    "may read it.",
    secured=False,
    path_model=TokenPath,
    answers=(
        Answer(200, "The metadata.", example=examples.METADATA_JSON, headers=_CACHING),
        not_modified(),
    ),
    problems=(INVALID_PARAMETER, UNKNOWN_CONTRACT, UNKNOWN_METADATA, METADATA_ALTERED),
)
async def read_metadata(request: web.Request) -> web.Response:
    """Return a token's metadata."""
    path = read_path(request, TokenPath)
    served = await get_metadata(path.contract, path.token_id, reads=request.app[METADATA])
    return _response(request, served)


@operations.add(
    "GET",
    "/v1/metadata/{contract}",
    summary="A collection's metadata",
    description="The JSON that `contractURI` points to (ERC-7572). Needs no token; any origin may read it.",
    secured=False,
    path_model=ContractPath,
    answers=(
        Answer(200, "The metadata.", example=examples.COLLECTION_METADATA, headers=_CACHING),
        not_modified(),
    ),
    problems=(INVALID_PARAMETER, UNKNOWN_CONTRACT),
)
async def read_collection_metadata(request: web.Request) -> web.Response:
    """Return a collection's metadata."""
    path = read_path(request, ContractPath)
    return _response(request, await get_collection_metadata(path.contract, reads=request.app[METADATA]))


def _response(request: web.Request, served: ServedMetadata) -> web.Response:
    headers = {
        "Content-Type": "application/json",
        "Cache-Control": _CACHED_FOR_A_MINUTE if served.changeable else _CACHED_FOR_AN_HOUR,
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "ETag",
    }
    return conditional_response(request, document_of(served.text, headers))
