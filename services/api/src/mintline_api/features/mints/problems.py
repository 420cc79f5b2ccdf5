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
AMBIGUOUS_RECIPIENT = ProblemType(
    "ambiguous-recipient",
    422,
    "Recipient not named once",
    "A mint has one recipient: one of the members `address`, `user` and `email` of `recipient`, or `to`. A "
    "machine client has no wallet, so it names one always.",
)
UNKNOWN_RECIPIENT = ProblemType(
    "unknown-recipient",
    422,
    "Recipient not found",
    "The user pool has no user with this `sub`. Name the user by `recipient.email` to have one made.",
)
NOT_SPONSORED = ProblemType(
    "not-sponsored",
    422,
    "Collection does not sponsor mints",
    "The platform pays for users' mints of some collections alone. Name one of those, or send another "
    "`custody`.",
)
CUSTODY_NOT_AVAILABLE = ProblemType(
    "custody-not-available",
    422,
    "Custody not available to clients",
    "A machine client has no wallet that could pay: its mints are sponsored. Leave out `custody`, or send "
    "`sponsored`.",
)
EXTERNAL_ID_USED = ProblemType(
    "external-id-used",
    409,
    "External id used for another mint",
    "An `external_id` names one mint of yours permanently; `detail` says which. Repeat that mint's request "
    "with its own Idempotency-Key, or send another `external_id`.",
)
UNKNOWN_MINT = ProblemType(
    "unknown-mint", 404, "Mint not found", "Not an id of yours. Other users' mints are not shown to exist."
)
