"""Problems of mints."""

from __future__ import annotations

from mintline_api.http.problems import ProblemType

MALFORMED_TRANSACTION = ProblemType(
    "malformed-transaction",
    400,
    "Not a signed transaction",
    "`raw` must be a signed EIP-1559 transaction with an empty access list: what your wallet's "
    "`signTransaction` gives.",
)
TRANSACTION_MISMATCH = ProblemType(
    "transaction-mismatch",
    422,
    "Not the transaction of this mint",
    "`errors` names each way in which it differs from `self_custody.transaction`, or cannot succeed.",
)
NOT_WAITING = ProblemType(
    "not-waiting",
    409,
    "Mint takes no transaction",
    "Only a self-custody mint takes one, from `issued` until it is mined or its voucher expires.",
)
UNKNOWN_MINT = ProblemType(
    "unknown-mint", 404, "Mint not found", "Not an id of yours. Other users' mints are not shown to exist."
)
