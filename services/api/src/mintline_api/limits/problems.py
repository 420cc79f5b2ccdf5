"""Problems of users and machine clients that have used up a limit."""

from __future__ import annotations

from mintline_api.http.problems import ProblemType

TOO_MANY_WRITES = ProblemType(
    "too-many-writes",
    429,
    "Too many writes",
    "Each user has a number of writes a minute (`RateLimit-Policy`). Nothing was done: repeat after "
    "`Retry-After` seconds. Repeating an idempotency key is not counted.",
)
GAS_BUDGET_REACHED = ProblemType(
    "gas-budget-reached",
    429,
    "Daily gas budget used up",
    "The platform pays a bounded amount of gas for each wallet and UTC day. Nothing was done: repeat after "
    "`Retry-After` seconds, or mint with `custody: self`.",
)
CLIENT_BUDGET_REACHED = ProblemType(
    "client-budget-reached",
    429,
    "Client's budget used up",
    "A machine client has a budget of mints an hour and of wei a day (UTC). Nothing was done: `detail` says "
    "which is used up and when it resets; repeat after `Retry-After` seconds, or have an operator raise it. "
    "Repeating an idempotency key is not counted.",
)
COLLECTION_NOT_ALLOWED = ProblemType(
    "collection-not-allowed",
    403,
    "Collection not allowed to the client",
    "A machine client may mint in the collections that its budget names. Name one of those in `contract`, or "
    "have an operator add this one.",
)
