"""What clients send and get of versions of metadata."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from mintline.metadata_versions import MINTED_VERSION, MOST_VERSIONS
from mintline.views.tokens import TokenVersionView
from mintline_api.features.collections.models import CollectionOperationView
from mintline_api.features.contracts.models import TokenPath
from mintline_api.features.uploads.models import MetadataRequest
from mintline_api.http.models import Input, View

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


class MetadataVersionView(TokenVersionView):
    """A version of a token's metadata, with the transaction that announces it."""

    announcement: CollectionOperationView | None = Field(
        description="The transaction by which the contract says that the metadata changed (ERC-4906)."
    )


class MetadataVersionList(View):
    """All versions of a token's metadata, newest first."""

    items: list[MetadataVersionView]
