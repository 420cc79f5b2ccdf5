"""The refusal of a contract that is not registered."""

from __future__ import annotations

from mintline_api.http.problems import ProblemType, RequestRefused

UNKNOWN_CONTRACT = ProblemType(
    "unknown-contract", 404, "Contract not found", "Not a collection that this API mints into or indexes."
)


def unknown_contract(contract: str) -> RequestRefused:
    """Return the refusal of a contract that is not registered."""
    return RequestRefused(UNKNOWN_CONTRACT, f"Contract {contract} not found: not a collection of this API.")
