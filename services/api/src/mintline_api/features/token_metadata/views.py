"""The public forms of versions of metadata."""

from __future__ import annotations

from collections.abc import Mapping

from mintline.metadata_versions import MINTED_VERSION, MetadataVersion
from mintline.records.operations import Operation
from mintline.views.tokens import token_version_view, version_url
from mintline_api.features.collections.views import operation_view
from mintline_api.features.token_metadata.models import MetadataVersionView
from mintline_api.features.token_metadata.use_cases import DescribedToken, TokenVersions


def version_views(
    versions: TokenVersions, operations: Mapping[str, Operation], *, public_url: str
) -> list[MetadataVersionView]:
    """Return the forms of all versions, newest first; `operations` are their announcements by id."""
    later = [_later(version, operations.get(version.operation_id), public_url) for version in versions.later]
    minted = _minted(versions.token, public_url)
    return later if minted is None else [*later, minted]


def _later(version: MetadataVersion, operation: Operation | None, public_url: str) -> MetadataVersionView:
    view = token_version_view(version, public_url=public_url)
    announcement = operation_view(version.operation_id, "refresh_metadata", operation)
    return MetadataVersionView(**dict(view), announcement=announcement)


def _minted(token: DescribedToken, public_url: str) -> MetadataVersionView | None:
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
        url=version_url(token.contract, token.token_id, MINTED_VERSION, public_url),
    )
