"""Problems of transfers and burns."""

from __future__ import annotations

from mintline_api.http.problems import ProblemType

NOT_TOKEN_OWNER = ProblemType(
    "not-token-owner",
    403,
    "Token held by another address",
    "Only the wallet in custody that holds a token can send or burn it. `GET /v1/owners/{address}/tokens` "
    "lists what a wallet holds. The index lags the chain by moments: repeat the request if the token has "
    "just arrived.",
)
TOKEN_BURNED = ProblemType(
    "token-burned", 409, "Token burned", "The token was burned, and no address holds it any more."
)
TOKEN_SOULBOUND = ProblemType(
    "token-soulbound",
    409,
    "Token cannot be transferred",
    "The collection's tokens stay with their first holder (ERC-5192). The holder may burn one.",
)
TOKEN_OPERATION_PENDING = ProblemType(
    "token-operation-pending",
    409,
    "Token already being moved",
    "Another transfer or burn of the token is under way; `detail` names it. Wait for its end, or cancel it.",
)
INVALID_RECIPIENT = ProblemType(
    "invalid-recipient",
    422,
    "Recipient cannot be used",
    "`to` is the collection itself or the wallet that holds the token. Send another address; to destroy a "
    "token use `POST /v1/burns`.",
)
RECIPIENT_REFUSED = ProblemType(
    "recipient-refused",
    422,
    "Recipient does not accept the token",
    "`to` is a contract that does not accept ERC-721 tokens (`onERC721Received`). Send another address.",
)
UNKNOWN_TRANSFER = ProblemType(
    "unknown-transfer",
    404,
    "Transfer not found",
    "Not an id of yours. Other users' transfers are not shown to exist.",
)
UNKNOWN_BURN = ProblemType(
    "unknown-burn", 404, "Burn not found", "Not an id of yours. Other users' burns are not shown to exist."
)
