"""Problems of tokens."""

from __future__ import annotations

from mintline_api.http.problems import ProblemType

UNKNOWN_TOKEN = ProblemType(
    "unknown-token",
    404,
    "Token not found",
    "Never minted, as far as the index has come. A mint of yours shows its progress at its own address.",
)
NO_RECEIPT = ProblemType(
    "no-receipt",
    404,
    "Mint has no receipt",
    "A receipt proves the metadata that a token was minted with. This token's mint has no digest of metadata "
    "on chain, or its metadata is not stored here; or the mint that was named came to nothing.",
)
RECEIPT_NOT_FINAL = ProblemType(
    "receipt-not-final",
    409,
    "Mint is not final",
    "A receipt is made once no reorg can undo the mint. Ask again when its `finality` is `finalized`.",
)
RECEIPT_UNAVAILABLE = ProblemType(
    "receipt-unavailable",
    503,
    "Receipt cannot be made now",
    "A receipt takes the whole block of the mint with all its receipts (`eth_getBlockReceipts`), which a "
    "node has to give. Ask again later; if it persists, the deployment's operator has to add such a node.",
)
