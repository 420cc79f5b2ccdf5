"""What clients send and get of versions of metadata."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from mintline.fields import Address, Bytes32, TokenId
from mintline.metadata_versions import MINTED_VERSION, MOST_VERSIONS
from mintline_api.features.collections.models import CollectionOperationView
from mintline_api.features.contracts.models import TokenPath
from mintline_api.features.uploads.models import MetadataRequest
from mintline_api.http.models import Input, Time, View

_NUMBER = re.compile(r"[1-9][0-9]{0,2}")


class TokenPatch(Input):
    """What is to change of a token."""

    metadata: MetadataRequest = Field(description="Replaces all of it.")


class TokenChangeRequest(TokenPatch, TokenPath):
    """A change with the token that it is for: what an idempotency key stands for."""


def _version(value: Any) -> Any:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return int(value)
    raise PydanticCustomError("version", "expected the number of a version in decimal")


VersionNumber = Annotated[
    int,
    BeforeValidator(_version),
    Field(ge=MINTED_VERSION, le=MOST_VERSIONS, description="The number of a version, 1 as minted."),
    WithJsonSchema({"type": "integer", "minimum": MINTED_VERSION, "maximum": MOST_VERSIONS}),
]


class VersionPath(TokenPath):
    """Names a version of a token's metadata."""

    version: VersionNumber


class MetadataVersionView(View):
    """A version of a token's metadata."""

    contract: Address
    chain_id: int
    token_id: TokenId
    version: int = Field(description="1 as minted.")
    digest: Bytes32 = Field(description="SHA-256 of the text. That of version 1 is in the mint's event.")
    created_at: Time | None = Field(description="Null for version 1, which the mint made.")
    client_id: str | None = Field(description="The machine client that made it; null for version 1.")
    announcement: CollectionOperationView | None = Field(
        description="The transaction by which the contract says that the metadata changed (ERC-4906)."
    )
    url: str = Field(description="The exact text of the version.")


class MetadataVersionList(View):
    """All versions of a token's metadata, newest first."""

    items: list[MetadataVersionView]
