"""Problems of users."""

from __future__ import annotations

from mintline_api.http.problems import ProblemType

INVALID_EMAIL = ProblemType(
    "invalid-email",
    400,
    "Not an e-mail address",
    "Send an address such as `name@example.com`: ASCII, 254 characters at most, 64 of them before the `@`, "
    "without quotes or comments. `errors` says where it lies and what is wrong.",
)
UNKNOWN_USER = ProblemType(
    "unknown-user",
    404,
    "User not found",
    "No user of the pool has this address. `POST /v1/users` makes one.",
)
NO_USER_POOL = ProblemType(
    "no-user-pool",
    422,
    "Not without a user pool",
    "This deployment takes other issuers' tokens, and has no user pool in which users and clients could be "
    "found or made. Name recipients by `address`; users see theirs at `GET /v1/wallet`. Make clients at "
    "their issuer.",
)
CLIENTS_ONLY = ProblemType(
    "clients-only",
    403,
    "Only for clients",
    "Users are named and made by machine clients: send a client's access token (client credentials).",
)
