"""Problems of tokens."""

from __future__ import annotations

from mintline_api.http.problems import ProblemType

UNKNOWN_TOKEN = ProblemType(
    "unknown-token",
    404,
    "Token not found",
    "Never minted, as far as the index has come. A mint of yours shows its progress at its own address.",
)
