"""Problems of machine clients."""

from __future__ import annotations

from mintline_api.http.problems import ProblemType

CLIENT_NOT_FOUND = ProblemType(
    "client-not-found",
    404,
    "Client not found",
    "No machine client has this id. `GET /v1/clients` lists all.",
)
UNKNOWN_SCOPE = ProblemType(
    "unknown-scope",
    422,
    "Unknown scope",
    "Machine clients can have the scopes that `detail` names, in their short form, such as `mints:create`.",
)
