"""Problems of collections."""

from __future__ import annotations

from mintline_api.http.problems import ProblemType

UNKNOWN_CONTRACT = ProblemType(
    "unknown-contract", 404, "No such contract", "Not a collection that this API mints into or indexes."
)
