"""Problems of users who have used up a limit."""

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
