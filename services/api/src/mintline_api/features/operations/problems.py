"""Problems of any request for an operation."""

from __future__ import annotations

from mintline_api.http.problems import ProblemType

KEY_REUSED = ProblemType(
    "idempotency-key-reused",
    422,
    "Idempotency key used for another body",
    "A key names one request for ever. Repeat that very body, or choose a new key.",
)
