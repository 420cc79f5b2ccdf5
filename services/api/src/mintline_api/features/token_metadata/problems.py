"""Problems of versions of metadata."""

from __future__ import annotations

from mintline.metadata_versions import MOST_VERSIONS
from mintline_api.http.problems import ProblemType

TOO_MANY_VERSIONS = ProblemType(
    "too-many-metadata-versions",
    409,
    "Metadata has too many versions",
    f"A token's metadata has at most {MOST_VERSIONS} versions, all of which are kept. The latest one stays.",
)
UNKNOWN_VERSION = ProblemType(
    "unknown-metadata-version",
    404,
    "Version of metadata not found",
    "`GET /v1/tokens/{contract}/{token_id}/metadata/versions` lists the token's versions.",
)
