"""What the operations on versions of metadata reach, in addition to collections'."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from mintline_api.features.metadata.ports import VersionReader
from mintline_api.features.tokens.use_cases import TokenReads
from mintline_api.features.uploads.use_cases import Uploads


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenMetadataContext:
    """The tokens, the versions of their metadata, and the uploads that a new one may name."""

    tokens: TokenReads
    versions: VersionReader
    uploads: Uploads


TOKEN_METADATA = web.AppKey("token-metadata", TokenMetadataContext)
