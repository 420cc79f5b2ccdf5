"""Problems of collections."""

from __future__ import annotations

from mintline_api.http.problems import Kind

UNKNOWN_CONTRACT = Kind(
    "unknown-contract", 404, "No such contract", "Not a collection that this API mints into or indexes."
)
