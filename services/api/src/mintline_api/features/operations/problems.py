"""Problems of any request for an operation."""

from __future__ import annotations

from mintline_api.http.problems import ProblemType

KEY_REUSED = ProblemType(
    "idempotency-key-reused",
    422,
    "Idempotency key used for another body",
    "A key belongs to one request permanently. Repeat the same body, or choose a new key.",
)
NOT_CANCELLABLE = ProblemType(
    "not-cancellable",
    409,
    "Too late to cancel",
    "It is on chain, or a mint whose voucher was issued, that shares a transaction with others, or that a "
    "machine client asked for, which alone may cancel it. `detail` says which.",
)
