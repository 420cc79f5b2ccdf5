"""Examples for the OpenAPI document."""

from __future__ import annotations

from mintline.messages.parts import CollectionChange
from mintline.metadata_versions import MetadataVersion
from mintline.records.keys import token_ref
from mintline.records.operations import CollectionCall
from mintline.states import MintStatus
from mintline_api.features.collections.examples import CLONE, PUBLIC_URL
from mintline_api.features.examples import CONTRACT, DIGEST, TX_HASH
from mintline_api.features.metadata.examples import METADATA_JSON
from mintline_api.features.token_metadata.models import MetadataVersionList
from mintline_api.features.token_metadata.use_cases import DescribedToken, TokenVersions
from mintline_api.features.token_metadata.views import version_views

_AT = 1_795_398_654_123
_CHANGE_ID = "administer_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D"
PATCH_JSON = {"metadata": {**METADATA_JSON, "description": "The second light of the season."}}
_TOKEN = DescribedToken(chain_id=31337, contract=CONTRACT, token_id=1, metadata_digest=DIGEST)
_VERSION = MetadataVersion(
    token_ref=token_ref(31337, CONTRACT, 1),
    version=2,
    digest=TX_HASH,
    principal=CLONE.principal,
    operation_id=_CHANGE_ID,
    created_at=_AT,
)
_CALL = CollectionCall(
    mint_id=_CHANGE_ID,
    status=MintStatus.ACCEPTED,
    chain_id=31337,
    contract=CONTRACT,
    request_digest="",
    created_at=_AT,
    updated_at=_AT,
    principal=CLONE.principal,
    clone=CLONE,
    change=CollectionChange(action="refresh_metadata", first_token=1, last_token=1),
)
VERSIONS = MetadataVersionList(
    items=version_views(TokenVersions(_TOKEN, [_VERSION]), {_CHANGE_ID: _CALL}, public_url=PUBLIC_URL)
)
VERSION = VERSIONS.items[0]
MINTED = VERSIONS.items[1]
