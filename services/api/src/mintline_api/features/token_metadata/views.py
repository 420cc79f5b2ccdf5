"""The public forms of versions of metadata."""

from __future__ import annotations

from collections.abc import Mapping

from mintline.metadata_versions import MINTED_VERSION, MetadataVersion
from mintline.records import Operation, Token
from mintline_api.features.collections.views import operation_view
from mintline_api.features.token_metadata.models import MetadataVersionView
from mintline_api.features.token_metadata.use_cases import TokenVersions
from mintline_api.http.models import rfc3339


def version_views(
    versions: TokenVersions, operations: Mapping[str, Operation], *, public_url: str
) -> list[MetadataVersionView]:
    """Return the forms of all versions, newest first; `operations` are their announcements by id."""
    later = [
        _later(versions.token, one, operations.get(one.operation_id), public_url) for one in versions.later
    ]
    minted = _minted(versions.token, public_url)
    return later if minted is None else [*later, minted]


def _later(
    token: Token, version: MetadataVersion, operation: Operation | None, public_url: str
) -> MetadataVersionView:
    return MetadataVersionView(
        contract=token.contract,
        chain_id=token.chain_id,
        token_id=token.token_id,
        version=version.version,
        digest=version.digest,
        created_at=rfc3339(version.created_at),
        client_id=version.principal,
        announcement=operation_view(version.operation_id, "refresh_metadata", operation),
        url=_url(token, version.version, public_url),
    )


def _minted(token: Token, public_url: str) -> MetadataVersionView | None:
    if token.metadata_digest is None:
        return None
    return MetadataVersionView(
        contract=token.contract,
        chain_id=token.chain_id,
        token_id=token.token_id,
        version=MINTED_VERSION,
        digest=token.metadata_digest,
        created_at=None,
        client_id=None,
        announcement=None,
        url=_url(token, MINTED_VERSION, public_url),
    )


def _url(token: Token, version: int, public_url: str) -> str:
    return f"{public_url}/v1/tokens/{token.contract}/{token.token_id}/metadata/versions/{version}"
