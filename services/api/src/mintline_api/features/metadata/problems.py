"""Problems of metadata."""

from __future__ import annotations

from mintline_api.http.problems import ProblemType

UNKNOWN_METADATA = ProblemType(
    "unknown-metadata",
    404,
    "Metadata not found",
    "The token is not on chain yet, as far as the index has come, or no mint of ours has made it.",
)
METADATA_ALTERED = ProblemType(
    "metadata-altered",
    502,
    "Stored metadata was altered",
    "The stored metadata does not match the digest on chain, so it is not served. The operator is alerted.",
)
