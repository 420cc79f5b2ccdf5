"""Problems of linked wallets."""

from __future__ import annotations

from mintline_api.http.problems import ProblemType

MALFORMED_SIGN_IN = ProblemType(
    "malformed-sign-in",
    400,
    "Not a Sign-In with Ethereum message",
    "`message` must follow EIP-4361 to the letter; the challenge's own text does.",
)
SIGN_IN_MISMATCH = ProblemType(
    "sign-in-mismatch",
    422,
    "Sign-in message does not match",
    "The message names another site, chain or time than this request. Sign the challenge's own text.",
)
CHALLENGE_SPENT = ProblemType(
    "challenge-spent",
    409,
    "Challenge used or expired",
    "A challenge can be used once, within ten minutes, by the user who requested it. Request another.",
)
NOT_THE_WALLETS_SIGNATURE = ProblemType(
    "not-the-wallets-signature",
    422,
    "Signature is not the wallet's",
    "An account signs by `personal_sign`; a contract wallet must accept the signature by EIP-1271.",
)
WALLET_TAKEN = ProblemType(
    "wallet-taken",
    409,
    "Wallet linked to another user",
    "An address belongs to one user at a time. Unlink it there first.",
)
TOO_MANY_WALLETS = ProblemType(
    "too-many-wallets", 409, "Too many linked wallets", "A user has 20 linked wallets at most. Unlink one."
)
WALLET_NOT_LINKED = ProblemType(
    "wallet-not-linked",
    422,
    "Wallet not linked",
    "A self-custody mint goes to a wallet that you have linked; without `to`, to the only one.",
)
UNKNOWN_LINK = ProblemType("unknown-link", 404, "Linked wallet not found", "You have not linked it.")
